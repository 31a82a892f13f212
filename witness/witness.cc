#include "witness/witness.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "detector/lock_table.h"
#include "detector/own_ledger.h"
#include "report/report_json.h"
#include "report/report_text.h"
#include "symbolize/arena.h"
#include "witness/naming.h"
#include "witness/own_output.h"

namespace impasse::witness {
namespace {

constexpr std::uint64_t kNamingPatienceNs = 5'000'000'000;
constexpr std::uint64_t kSidePatienceNs = 500'000'000;
constexpr std::size_t kMostWaitingForNames = 16;
// More threads than anybody reads: the rest is listed without a stack.
constexpr std::size_t kMostStacks = 4'096;
constexpr std::uint32_t kNoFinding = 0;
constexpr const char* kNamesPending = "names are being looked up";

std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// The ledger's records of the locks that the report names.
void add_lock_records(Snapshot& snapshot, Ledger& ledger) {
  const LockTable table(ledger);
  std::vector<std::uint64_t> addresses;
  for (const ThreadFact& thread : snapshot.threads) {
    for (const HoldFact& hold : thread.holds) addresses.push_back(hold.lock);
    if (thread.wait) addresses.push_back(thread.wait->object);
  }
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  snapshot.locks.clear();
  for (const std::uint64_t address : addresses) {
    const LockRecord* const record = table.find(address);
    if (record == nullptr) continue;
    LockFact fact;
    fact.address = address;
    fact.contended = record->contended.load(std::memory_order_relaxed);
    fact.waited_ns = record->waited_ns.load(std::memory_order_relaxed);
    snapshot.locks.push_back(fact);
  }
}

Reported reported(const report::Report& report, const Delivery::Files& files, bool first) {
  Reported what;
  what.kind = report.finding.kind;
  what.stuck = report.finding.misuse == MisuseKind::kNone;
  what.first = first;
  what.line = report::report_line(report);
  if (!files.text.empty()) what.line += ": " + files.text;
  what.text_path = files.text;
  what.json_path = files.json;
  return what;
}

}  // namespace

Witness::Witness(Ledger& ledger, LockProbe probe, Settings settings, Walkers& walkers,
                 SideThread& side, ReportListener& listener)
    : ledger_(ledger),
      probe_(probe),
      settings_(std::move(settings)),
      side_(side),
      listener_(listener),
      delivery_(settings_.directory, settings_.temporary_directory, ledger.header().pid),
      space_(walkers.space),
      unwinder_(walkers.unwinder) {}

Witness::~Witness() = default;

void Witness::add_process_facts(report::Report& report) const {
  char path[1024];
  const ssize_t n = readlink("/proc/self/exe", path, sizeof path);
  if (n > 0) report.process.executable.assign(path, static_cast<std::size_t>(n));
  utsname host{};
  if (uname(&host) == 0) report.process.host = host.nodename;
  report.moment = {clock_ns(CLOCK_MONOTONIC), clock_ns(CLOCK_REALTIME)};
  report.options = settings_.options;
}

report::Report Witness::gather(const Snapshot& seen, const AddCause& add_cause,
                               bool running_stacks) {
  space_.refresh();
  Snapshot snapshot = seen;
  add_lock_records(snapshot, ledger_);
  ReportBuilder builder(snapshot, probe_, space_.modules());
  builder.add_threads();
  add_cause(builder);
  builder.add_modules();
  builder.add_dropped();
  report::Report report = std::move(builder.report());
  add_process_facts(report);
  watch_threads(snapshot, report, running_stacks);
  return report;
}

// Those of the finding first: they are what the report is about.
void Witness::watch_threads(const Snapshot& snapshot, report::Report& report, bool running_stacks) {
  Stacks stacks(ledger_, space_, unwinder_);
  Activities activities(space_, stacks, standstills_);
  const bool dump = report.finding.kind == FindingKind::kDump;
  std::size_t walked = 0;
  const auto watch = [&](std::size_t i) {
    report::Thread& thread = report.threads[i];
    const ThreadFact& fact = snapshot.threads[i];
    if (thread.activity.kind == system::ActivityKind::kStarting) return;
    if (++walked > kMostStacks) {
      ++report.threads_not_looked_at;
      return;
    }
    const bool by_record = fact.wait && thread.wait && thread.wait->object == fact.wait->object &&
                           thread.wait->kind == fact.wait->kind;
    if (by_record) {
      stacks.of_wait(fact, thread);
    } else {
      activities.watch(thread, running_stacks && (thread.involved || dump));
    }
    Stacks::find_hold_frames(fact, thread);
  };
  for (const bool involved : {true, false}) {
    for (std::size_t i = 0; i < snapshot.threads.size(); ++i) {
      if (report.threads[i].involved == involved) watch(i);
    }
  }
  activities.add_strangers(report, running_stacks && dump);
}

void Witness::suspect(const std::vector<std::uint32_t>& tids) {
  const std::uint64_t now = clock_ns(CLOCK_MONOTONIC);
  const system::ProcFiles process;
  for (const std::uint32_t tid : tids) standstills_.look(process, tid, now);
  standstills_.forget_old(now);
}

bool Witness::allowed() {
  if (reports_ < settings_.most_reports) return true;
  if (settings_.most_reports == 0) return false;  // as was wished
  if (!limit_said_) {
    write_to_stderr("impasse: max_reports is reached; further findings are only counted\n");
  }
  limit_said_ = true;
  ledger_.count(k_findings_untold);
  return false;
}

bool Witness::tell(const Telling& telling, const Snapshot& snapshot) {
  const auto known = std::find_if(written_.begin(), written_.end(),
                                  [&](const Written& w) { return w.finding == telling.finding; });
  const bool first = known == written_.end();
  if (first && !allowed()) return true;
  report::Report report = gather(
      snapshot, [&](ReportBuilder& builder) { builder.add_finding(telling, settings_.thresholds); },
      settings_.running_stacks);
  if (first) {
    deliver_first(std::move(report), telling.finding);
    return true;
  }
  const Delivery::Files files = known->files;
  report.finding.number = files.number;
  report.names_trouble = kNamesPending;
  for (const auto& task : waiting_) {
    if (task->files().number == files.number) task->outdate();
  }
  if (current_ && current_->files().number == files.number) current_->outdate();
  Delivery::replace(files, report::report_text(report, {}), report::report_json(report));
  const Reported what = reported(report, files, false);
  have_named(std::move(report), files, what);
  return true;
}

// Raw first: on disk before a name is looked up.
void Witness::deliver_first(report::Report report, std::uint32_t finding) {
  report.finding.number = delivery_.next_number();
  report.names_trouble = kNamesPending;
  std::string complaint;
  const Delivery::Files files =
      delivery_.put(report.finding.number, report::report_text(report, {}),
                    report::report_json(report), complaint);
  if (finding != kNoFinding) written_.push_back({finding, files});
  ++reports_;
  const bool found = report.finding.kind != FindingKind::kDump;
  if (found) ledger_.header().findings.fetch_add(1, std::memory_order_relaxed);
  if (!complaint.empty()) write_to_stderr("impasse: " + complaint + "\n");
  const Reported what = reported(report, files, true);
  write_to_stderr(what.line + "\n");
  have_named(std::move(report), files, what);
}

std::string Witness::dump_json(bool running_stacks) {
  const LedgerReading reading = read_own_ledger(ledger_);
  if (!reading.problem.empty()) return {};
  return report::report_json(gather(
      reading.snapshot, [](ReportBuilder&) {}, running_stacks));
}

void Witness::write_dump() {
  const LedgerReading reading = read_own_ledger(ledger_);
  if (!reading.problem.empty() || !allowed()) return;
  deliver_first(gather(
                    reading.snapshot, [](ReportBuilder&) {}, settings_.running_stacks),
                kNoFinding);
}

// The thread has gone on since: its stack is the one that it left.
void Witness::tell(const Incident& incident) {
  if (!allowed()) return;
  const LedgerReading reading = read_own_ledger(ledger_);
  if (!reading.problem.empty()) return;
  report::Report report = gather(
      reading.snapshot, [&](ReportBuilder& builder) { builder.add_incident(incident); }, false);
  const auto& r = incident.registers;
  Stacks stacks(ledger_, space_, unwinder_);
  stacks.of_copy(symbolize::Registers::from_saved(r[kRip], r[kRsp], r[kRbp], r[kRbx], r[kR12],
                                                  r[kR13], r[kR14], r[kR15]),
                 incident.stack_start, incident.stack, incident.stack_bytes,
                 report.threads[report.finding.root]);
  deliver_first(std::move(report), kNoFinding);
}

void Witness::have_named(report::Report report, const Delivery::Files& files,
                         const Reported& what) {
  if (!files.text.empty() && waiting_.size() < kMostWaitingForNames) {
    waiting_.push_back(std::make_unique<NamingTask>(side_, std::move(report), files));
    give_next(clock_ns(CLOCK_MONOTONIC));
  }
  listener_.reported(what);
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
  } else {
    return;
  }
  waiting_.pop_front();
  queued_ns_ = 0;
}

// The raw form says for good that it is one; whoever reads it can have names looked up.
void Witness::give_up_names() {
  report::Report& report = current_->report();
  report.names_trouble =
      side_.lost() ? "looking up names failed; impasse show looks them up"
                   : "names could not be had within 5 seconds; impasse show looks them up";
  Delivery::replace(current_->files(), report::report_text(report, {}),
                    report::report_json(report));
  late_ = true;
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
    current_.reset();
    symbolize::OwnArena::trim();
  }
  if (side_.lost() && late_) give_up_waiting();
  give_next(now_ns);
}

}  // namespace impasse::witness
