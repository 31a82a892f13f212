#include "witness/witness.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>

#include "detector/lock_table.h"
#include "detector/own_ledger.h"
#include "report/report_json.h"
#include "witness/fingerprint.h"
#include "witness/naming.h"
#include "witness/own_output.h"

namespace impasse::witness {
namespace {

// More threads than anybody reads: the rest is listed without a stack.
constexpr std::size_t kMostStacks = 4'096;

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
    snapshot.locks.push_back(fact_of(*record, address));
  }
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
      unwinder_(walkers.unwinder),
      sieve_(settings_.suppressions, settings_.baseline),
      outcome_(*settings_.outcome) {
  outcome_.ready.store(true, std::memory_order_release);
  outcome_.has_last_words.store(!settings_.quiet && sieve_.has_last_words(),
                                std::memory_order_release);
  if (settings_.quiet) return;
  for (const std::string& complaint : sieve_.complaints()) {
    write_to_stderr("impasse: " + complaint + "\n");
  }
}

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
  builder.add_calls(read_own_calls(ledger_));
  builder.add_modules();
  builder.add_dropped();
  report::Report report = std::move(builder.report());
  add_process_facts(report);
  watch_threads(snapshot, report, running_stacks);
  if (report.finding.kind != FindingKind::kDump) {
    report.finding.fingerprint = fingerprint(report, space_.modules());
  }
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
    symbolize::Stack stack =
        by_record ? stacks.of_wait(fact)
                  : activities.watch(thread, running_stacks && (thread.involved || dump));
    Stacks::find_hold_frames(fact, stack, thread);
    if (thread.wait && Stacks::in_signal_handler(stack)) thread.wait->in_signal_handler = true;
    thread.stack = report.stacks.keep(std::move(stack));
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

void Witness::note_untold() {
  if (settings_.most_reports == 0) return;  // as was wished
  if (!limit_said_) {
    write_to_stderr("impasse: max_reports is reached; further findings are only counted\n");
  }
  limit_said_ = true;
  ledger_.count(k_findings_untold);
}

bool Witness::matters() {
  if (has_room() || (settings_.counts_findings && !counts_for_good_)) return true;
  note_untold();
  return false;
}

bool Witness::tell(const Telling& telling, const Snapshot& snapshot) {
  Written* const known = find_written(telling.finding);
  const bool open = known != nullptr && known->fate == Fate::kOpen;
  if (open && has_to_wait(*known, telling.verdict->kind)) return false;
  if (known == nullptr && !matters()) return true;
  report::Report report = gather(
      snapshot, [&](ReportBuilder& builder) { builder.add_finding(telling, settings_.thresholds); },
      settings_.running_stacks);
  // A rule goes on to hold for what has not changed, whoever came along meanwhile.
  const bool suppressed = known != nullptr && known->fate == Fate::kSuppressed;
  if (suppressed && known->is_as_before(report.finding)) return true;
  if (open) drop_question(*known);
  if (known != nullptr && known->announced()) {
    tell_again(std::move(report), telling.finding);
  } else {
    deliver_first(std::move(report), telling.finding);
  }
  if (open) outcome_.open.fetch_sub(1, std::memory_order_release);  // now that it stands as more
  return true;
}

std::string Witness::dump_json(bool running_stacks) {
  const LedgerReading reading = read_own_ledger(ledger_);
  if (!reading.problem.empty()) return {};
  return report::report_json(gather(
      reading.snapshot, [](ReportBuilder&) {}, running_stacks));
}

void Witness::write_dump() {
  const LedgerReading reading = read_own_ledger(ledger_);
  if (!reading.problem.empty()) return;
  if (!has_room()) {
    note_untold();
    return;
  }
  deliver_first(gather(
                    reading.snapshot, [](ReportBuilder&) {}, settings_.running_stacks),
                kNoFinding);
}

std::string Witness::orders_json(const OrderWatch& watch) {
  constexpr std::size_t kMostOrders = 50'000;
  const LedgerReading reading = read_own_ledger(ledger_);
  if (!reading.problem.empty()) return {};
  space_.refresh();
  ReportBuilder builder(reading.snapshot, probe_, space_.modules());
  builder.add_all_orders(watch, kMostOrders);
  builder.add_modules();
  builder.add_dropped();
  add_process_facts(builder.report());
  return report::report_json(builder.report());
}

void Witness::tell(const OrderCircle& circle, const OrderWatch& watch) {
  const LedgerReading reading = read_own_ledger(ledger_);
  if (!reading.problem.empty() || !matters()) return;
  deliver_first(gather(
                    reading.snapshot,
                    [&](ReportBuilder& builder) {
                      builder.add_circle(circle, clock_ns(CLOCK_MONOTONIC), watch);
                    },
                    false),
                kNoFinding);
}

void Witness::await_unwinder() {
  for (; unwinder_patience_ms_ != 0 && !unwinder_.ready(); --unwinder_patience_ms_) {
    const timespec step{0, 1'000'000};
    nanosleep(&step, nullptr);
  }
}

// The thread has gone on since: its stack is the one that it left.
void Witness::tell(const Incident& incident) {
  if (!matters()) return;
  await_unwinder();
  const LedgerReading reading = read_own_ledger(ledger_);
  if (!reading.problem.empty()) return;
  report::Report report = gather(
      reading.snapshot, [&](ReportBuilder& builder) { builder.add_incident(incident); }, false);
  const auto& r = incident.registers;
  Stacks stacks(ledger_, space_, unwinder_);
  symbolize::Stack stack =
      stacks.of_copy(symbolize::Registers::from_saved(r[kRip], r[kRsp], r[kRbp], r[kRbx], r[kR12],
                                                      r[kR13], r[kR14], r[kR15]),
                     incident.stack_start, incident.stack, incident.stack_bytes);
  const std::uint32_t root = report.finding.root;
  report::Thread& thread = report.threads[root];
  for (report::Hold& hold : thread.holds) hold.frame = report::kNobody;
  if (root < reading.snapshot.threads.size()) {
    Stacks::find_hold_frames(reading.snapshot.threads[root], stack, thread);
  }
  thread.stack = report.stacks.keep(std::move(stack));
  report.finding.fingerprint = fingerprint(report, space_.modules());
  deliver_first(std::move(report), kNoFinding);
}

}  // namespace impasse::witness
