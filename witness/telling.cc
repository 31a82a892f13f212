// The witness's way from a report to those who read it: rules, files, a line, names.
#include <algorithm>
#include <ctime>

#include "detector/call_reader.h"
#include "report/call_words.h"
#include "report/report_json.h"
#include "report/report_text.h"
#include "report/words.h"
#include "symbolize/arena.h"
#include "witness/call_names.h"
#include "witness/naming.h"
#include "witness/own_output.h"
#include "witness/witness.h"

namespace impasse::witness {
namespace {

constexpr std::uint64_t kNamingPatienceNs = 5'000'000'000;
constexpr std::uint64_t kSidePatienceNs = 500'000'000;
constexpr std::size_t kMostWaitingForNames = 16;
constexpr const char* kNamesLost = "looking up names failed; impasse show looks them up";
constexpr const char* kNamesLate =
    "names could not be had within 5 seconds; impasse show looks them up";
constexpr const char* kNamesCutOff = "the process ended before names were known";
constexpr const char* kRulesNotAsked =
    "no rule of suppressions that names a function or a file could be asked: names are not known";

std::uint64_t monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// What must never be lost, whatever happens until names are known.
bool is_deadly(FindingKind kind) {
  return kind == FindingKind::kDeadlock || kind == FindingKind::kSelfDeadlock ||
         kind == FindingKind::kOrphanedLock || kind == FindingKind::kAllAsleep;
}

Reported reported(const report::Report& report, const Delivery::Files& files, bool first,
                  bool known) {
  Reported what;
  what.kind = report.finding.kind;
  what.stuck = report.finding.misuse == MisuseKind::kNone;
  what.first = first;
  what.line = report::report_line(report);
  if (known) what.line += " (known)";
  if (!files.text.empty()) what.line += ": " + files.text;
  what.text_path = files.text;
  what.json_path = files.json;
  return what;
}

void replace(const Delivery::Files& files, const report::Report& report) {
  Delivery::replace(files, report::report_text(report, {}), report::report_json(report));
}

}  // namespace

Witness::Written* Witness::find_written(std::uint32_t finding) {
  const auto known = std::find_if(written_.begin(), written_.end(),
                                  [finding](const Written& w) { return w.finding == finding; });
  return known == written_.end() ? nullptr : &*known;
}

// Until the rules were asked about what it was. What must never be lost does not wait for that.
// `known` is open.
bool Witness::has_to_wait(const Written& known, FindingKind kind) {
  return is_deadly(known.kind) || !is_deadly(kind);
}

// Nobody needs to know any more whether a rule holds for what it was.
void Witness::drop_question(Written& known) {
  const auto drop = [this, &known](NamingTask& task) {
    if (!task.open() || task.finding() != known.finding) return;
    sieve_.leave_open(report::judge(sieve_.rules(), task.report()));
    task.outdate();
    task.told(task.files());
  };
  if (current_ != nullptr) drop(*current_);
  for (const auto& task : waiting_) drop(*task);
}

// Raw first: on disk before a name is looked up; unless a rule may yet say that it is not to be
// told.
void Witness::deliver_first(report::Report report, std::uint32_t finding) {
  if (finding != kNoFinding && find_written(finding) == nullptr) {
    written_.emplace_back().finding = finding;
  }
  if (Written* const written = find_written(finding)) written->becomes(report.finding);
  const report::Judgement judgement = report::judge(sieve_.rules(), report);
  if (judgement.suppressed()) {
    drop(report, judgement, finding);
    return;
  }
  sieve_.mark(report);
  if (judgement.open() && waiting_.size() < kMostWaitingForNames && !side_.lost()) {
    hold_back(std::move(report), finding);
    return;
  }
  sieve_.leave_open(judgement);
  if (!has_room()) {
    leave_untold(report, finding);
    return;
  }
  const Delivery::Files files = put(report, kNamesPending.data());
  announce(report, files, finding);
  have_named(std::move(report), files);
}

// It may have grown: other threads, another kind. The rules are asked anew, and its files say at
// once what it is now, whatever the answer will be.
void Witness::tell_again(report::Report report, std::uint32_t finding) {
  Written& known = *find_written(finding);
  known.becomes(report.finding);
  const Delivery::Files files = known.files;
  report.finding.number = files.number;
  report.names_trouble = kNamesPending;
  for (const auto& task : waiting_) {
    if (task->files().number == files.number) task->outdate();
  }
  if (current_ && current_->files().number == files.number) current_->outdate();
  const report::Judgement judgement = report::judge(sieve_.rules(), report);
  if (judgement.suppressed()) {
    withdraw(report, judgement, known);
    have_named(std::move(report), files);
    return;
  }
  sieve_.mark(report);
  replace(files, report);
  if (judgement.open() && waiting_.size() < kMostWaitingForNames && !side_.lost()) {
    hold_back(std::move(report), finding);
    return;
  }
  sieve_.leave_open(judgement);
  announce_growth(report, known);
  have_named(std::move(report), files);
}

// Where it can be found from now on.
Delivery::Files Witness::put(report::Report& report, const char* names_trouble) {
  ++reports_;
  report.finding.number = delivery_.next_number();
  if (names_trouble != nullptr) report.names_trouble = names_trouble;
  std::string complaint;
  Delivery::Files files = delivery_.put(report.finding.number, report::report_text(report, {}),
                                        report::report_json(report), complaint);
  if (!complaint.empty()) write_to_stderr("impasse: " + complaint + "\n");
  return files;
}

// For exit_code: as what it is now.
void Witness::count(bool counts, Written* written) {
  const bool before = written != nullptr && written->counted;
  if (counts && !before) outcome_.counting.fetch_add(1, std::memory_order_release);
  if (!counts && before) outcome_.counting.fetch_sub(1, std::memory_order_release);
  if (written != nullptr) written->counted = counts;
  if (counts && written == nullptr) counts_for_good_ = true;
}

void Witness::announce(const report::Report& report, const Delivery::Files& files,
                       std::uint32_t finding) {
  Written* const written = find_written(finding);
  if (written != nullptr && written->announced()) {
    announce_growth(report, *written);
    return;
  }
  if (written != nullptr) {
    written->fate = Fate::kTold;
    written->files = files;
  }
  const bool found = report.finding.kind != FindingKind::kDump;
  if (!files.text.empty()) told_in_ = files.text.substr(0, files.text.rfind('/'));
  if (found) {
    ledger_.header().findings.fetch_add(1, std::memory_order_relaxed);
    Sieve::Place alone = Sieve::kNew;
    sieve_.count_told(report, written != nullptr ? written->place : alone);
    count(sieve_.counts(report), written);
    outcome_.has_last_words.store(!settings_.quiet, std::memory_order_release);
  }
  const Reported what = reported(report, files, true, found && sieve_.is_known(report));
  write_to_stderr(what.line + "\n");
  listener_.reported(what);
}

// A line was said of it already. One more where that no longer tells whether it counts.
void Witness::announce_growth(const report::Report& report, Written& written) {
  written.fate = Fate::kTold;
  sieve_.count_told(report, written.place);
  const bool counted = written.counted;
  count(sieve_.counts(report), &written);
  const Reported what = reported(report, written.files, false, sieve_.is_known(report));
  if (written.counted != counted) write_to_stderr(what.line + "\n");
  listener_.reported(what);
}

// max_reports is reached: nobody reads of it, and it counts as any other.
void Witness::leave_untold(const report::Report& report, std::uint32_t finding) {
  Written* const written = find_written(finding);
  if (written == nullptr || written->fate != Fate::kUntold) note_untold();
  if (written != nullptr) written->fate = Fate::kUntold;
  count(sieve_.counts(report), written);
}

void Witness::drop(const report::Report& report, const report::Judgement& judgement,
                   std::uint32_t finding) {
  Written* const written = find_written(finding);
  if (written != nullptr) written->fate = Fate::kSuppressed;
  count(false, written);  // it may have counted without being told
  Sieve::Place alone = Sieve::kNew;
  sieve_.count_suppressed(judgement, written != nullptr ? written->place : alone);
  outcome_.has_last_words.store(!settings_.quiet, std::memory_order_release);
  listener_.suppressed(report.finding.kind, sieve_.name_of_rule(judgement));
}

// What was announced is not taken back: the files stay, and say why it counts no more.
void Witness::withdraw(report::Report& report, const report::Judgement& judgement,
                       Written& written) {
  const std::string rule = sieve_.name_of_rule(judgement);
  report.notes.push_back("suppressed by rule " + rule +
                         ", though it was told before; it does not count for exit_code");
  replace(written.files, report);
  written.fate = Fate::kSuppressed;
  sieve_.count_suppressed(judgement, written.place);
  if (written.counted) {
    std::string line =
        report::report_line(report) + " (suppressed by rule " + report::printable(rule) + ")";
    if (!written.files.text.empty()) line += ": " + written.files.text;
    write_to_stderr(line + "\n");
  }
  count(false, &written);
  listener_.suppressed(report.finding.kind, rule);
}

// ---- held back until names are known

void Witness::hold_back(report::Report report, std::uint32_t finding) {
  outcome_.open.fetch_add(1, std::memory_order_release);
  Written* const written = find_written(finding);
  if (written != nullptr) written->fate = Fate::kOpen;
  report.names_trouble = kNamesPending;
  Delivery::Files files;
  if (written != nullptr && written->announced()) {
    files = written->files;
  } else if (is_deadly(report.finding.kind) && has_room()) {
    files = put(report, kNamesPending.data());
  }
  std::string crash_path = files.text + ".crash";
  if (files.text.empty()) {
    crash_path =
        settings_.directory + "/impasse." + std::to_string(ledger_.header().pid) + ".0.txt.crash";
  }
  waiting_.push_back(std::make_unique<NamingTask>(side_, std::move(report), std::move(files),
                                                  std::move(crash_path), sieve_.rules(), finding));
  give_next(monotonic_now());
}

// With names or without.
void Witness::tell_held_back(NamingTask& task, report::Report& report, const char* names_trouble) {
  Delivery::Files files = task.files();
  if (files.number == 0 && !has_room()) {
    leave_untold(report, task.finding());
  } else {
    if (files.number == 0) {
      files = put(report, names_trouble);
    } else {
      replace(files, report);
    }
    announce(report, files, task.finding());
  }
  task.told(std::move(files));
}

// Names are known, and what the rules say.
void Witness::settle(NamingTask& task) {
  if (!task.asks_rules()) return;
  report::Report& named = task.named();
  if (!task.open()) {
    named.finding.number = task.files().number;
    if (!task.outdated()) replace(task.files(), named);
    return;
  }
  Written* const written = find_written(task.finding());
  if (task.judgement().suppressed() && written != nullptr && written->announced()) {
    withdraw(named, task.judgement(), *written);
  } else if (task.judgement().suppressed()) {
    if (task.files().number != 0) --reports_;
    Delivery::remove(task.files());
    drop(named, task.judgement(), task.finding());
  } else {
    tell_held_back(task, named, nullptr);
  }
  outcome_.open.fetch_sub(1, std::memory_order_release);
}

// The side thread may be reading the task's report.
void Witness::tell_raw(NamingTask& task, const char* names_trouble) {
  report::Report raw = task.report();
  raw.names_trouble = names_trouble;
  raw.notes.emplace_back(kRulesNotAsked);
  sieve_.leave_open(report::judge(sieve_.rules(), raw));
  tell_held_back(task, raw, names_trouble);
  outcome_.open.fetch_sub(1, std::memory_order_release);
}

void Witness::say_last_words() {
  if (current_ != nullptr && current_->open()) tell_raw(*current_, kNamesCutOff);
  for (const auto& task : waiting_) {
    if (task->open()) tell_raw(*task, kNamesCutOff);
  }
  if (!outcome_.has_last_words.exchange(false, std::memory_order_acq_rel)) return;
  std::string words = sieve_.last_words(told_in_);
  const bool waited = std::any_of(written_.begin(), written_.end(), [](const Written& w) {
    return w.fate == Fate::kTold && w.kind == FindingKind::kLongWait;
  });
  if (waited) {
    space_.refresh();
    words += report::worst_call_lines(
        with_names(side_, report::worst_calls(read_own_calls(ledger_), space_.modules())));
  }
  write_to_stderr(words);
}

// ---- names

void Witness::have_named(report::Report report, const Delivery::Files& files) {
  if (files.text.empty() || waiting_.size() >= kMostWaitingForNames) return;
  waiting_.push_back(std::make_unique<NamingTask>(side_, std::move(report), files));
  give_next(monotonic_now());
}

void Witness::give_next(std::uint64_t now_ns) {
  if (waiting_.empty() || current_ != nullptr) return;
  if (queued_ns_ == 0) queued_ns_ = now_ns;
  if (side_.give(*waiting_.front())) {
    current_ = std::move(waiting_.front());
    given_ns_ = now_ns;
    late_ = false;
  } else if (now_ns - queued_ns_ > kSidePatienceNs && !side_.lost()) {
    // The side thread hangs in the loader of shared libraries. Names do not need it.
    if (!waiting_.front()->run_here()) return;
    settle(*waiting_.front());
  } else {
    return;
  }
  waiting_.pop_front();
  queued_ns_ = 0;
}

// The raw form says for good that it is one; whoever reads it can have names looked up.
void Witness::give_up_names() {
  const char* const trouble = side_.lost() ? kNamesLost : kNamesLate;
  late_ = true;
  if (current_->open()) {
    tell_raw(*current_, trouble);
  } else if (!current_->asks_rules()) {
    report::Report report = current_->report();
    report.names_trouble = trouble;
    replace(current_->files(), report);
  }
}

// Nobody is left to look up names.
void Witness::give_up_waiting() {
  while (!waiting_.empty()) {
    current_ = std::move(waiting_.front());
    waiting_.pop_front();
    give_up_names();
  }
}

void Witness::tend(std::uint64_t now_ns) {
  if (current_ != nullptr && !late_ && !current_->done() &&
      (side_.lost() || now_ns - given_ns_ > kNamingPatienceNs)) {
    give_up_names();
  }
  if (current_ != nullptr && current_->done() && side_.idle()) {
    settle(*current_);
    current_.reset();
    symbolize::OwnArena::trim();
  }
  if (side_.lost() && (late_ || current_ == nullptr)) give_up_waiting();
  give_next(now_ns);
}

}  // namespace impasse::witness
