#include "witness/report_builder.h"

#include <algorithm>

#include "detector/current_wait.h"

namespace impasse::witness {
namespace {

constexpr std::size_t kMostSignallers = 512;  // of one object

std::string variety(const LockState& state) {
  std::string words;
  const auto add = [&words](bool is, const char* word) {
    if (!is) return;
    if (!words.empty()) words += ", ";
    words += word;
  };
  add(state.recursive, "recursive");
  add(state.robust, "robust");
  add(state.prefers_writers, "prefers writers");
  add(state.between_processes, "shared between processes");
  return words;
}

}  // namespace

ReportBuilder::ReportBuilder(const Snapshot& snapshot, LockProbe probe,
                             const symbolize::Modules& modules)
    : snapshot_(snapshot), probe_(probe), modules_(modules) {
  report_.process.pid = snapshot.pid;
  report_.process.program = snapshot.program;
  report_.process.version = snapshot.library_version;
  report_.process.started_ns = snapshot.started_ns;
  for (const ThreadFact& thread : snapshot.threads) {
    for (const HoldFact& hold : thread.holds) in_use_.insert(hold.lock);
    if (thread.wait) in_use_.insert({thread.wait->object, thread.wait->partner});
  }
}

// Stamps are of the watchdog's clock, which stands still while the process is stopped.
std::uint64_t ReportBuilder::moment_of(std::uint32_t tick) const {
  if (tick == 0 || snapshot_.tick == 0) return 0;
  const auto passed = static_cast<std::int32_t>(static_cast<std::uint32_t>(snapshot_.tick) - tick);
  const std::uint64_t ns = passed > 0 ? static_cast<std::uint64_t>(passed) * snapshot_.tick_ns : 0;
  return ns < snapshot_.now_ns ? snapshot_.now_ns - ns : 1;
}

symbolize::Frame ReportBuilder::site_frame(std::uint64_t pc) const {
  symbolize::Frame frame;
  frame.pc = pc;
  return frame;
}

std::uint32_t ReportBuilder::lock(std::uint64_t address, LockKind kind) {
  const auto next = static_cast<std::uint32_t>(report_.locks.size());
  const auto [place, is_new] = locks_.emplace(address, next);
  if (!is_new) return place->second;
  report::Lock lock;
  lock.address = address;
  lock.kind = kind;
  if (modules_.find(address)) lock.memory = report::Memory::kGlobal;
  ask_libc(lock);
  const auto fact = std::lower_bound(
      snapshot_.locks.begin(), snapshot_.locks.end(), address,
      [](const LockFact& known, std::uint64_t wanted) { return known.address < wanted; });
  if (fact != snapshot_.locks.end() && fact->address == address) {
    lock.contended = fact->contended;
    lock.waited_ns = fact->waited_ns;
  }
  report_.locks.push_back(std::move(lock));
  return next;
}

// What was a lock once may be anything by now: only what is in use has a word to be asked for, and
// what is global has its memory to itself.
void ReportBuilder::ask_libc(report::Lock& lock) const {
  if (lock.memory != report::Memory::kGlobal && !in_use_.contains(lock.address)) return;
  const LockState state = probe_(lock.address, lock.kind);
  if (!state.readable) return;
  lock.variety = variety(state);
  if (state.between_processes || is_thread(state.owner)) lock.owner_word = state.owner;
}

// Or was one: a lock can be left behind.
bool ReportBuilder::is_thread(std::uint32_t tid) const {
  const auto is_it = [tid](const auto& fact) { return fact.tid == tid; };
  return tid != 0 && (std::ranges::any_of(snapshot_.threads, is_it) ||
                      std::ranges::any_of(snapshot_.departures, is_it));
}

report::Hold ReportBuilder::hold_from(const HoldFact& fact) {
  report::Hold hold;
  hold.lock = lock(fact.lock, fact.kind);
  hold.shared = fact.shared;
  hold.tried = fact.tried;
  hold.timed = fact.timed;
  hold.levels = fact.levels;
  hold.phase = fact.phase;
  hold.since_ns = moment_of(fact.tick);
  hold.site = site_frame(fact.site);
  return hold;
}

report::Wait ReportBuilder::wait_from(const CurrentWait& fact) {
  report::Wait wait;
  wait.kind = fact.kind;
  wait.object = fact.object;
  if (fact.kind != WaitKind::kJoin) {
    wait.lock = lock(fact.object, lock_kind(fact.kind));
    if (fact.partner != 0) wait.mutex = lock(fact.partner, LockKind::kMutex);
  } else if (const auto joined = handles_.find(fact.object); joined != handles_.end()) {
    wait.thread = joined->second;
  }
  wait.since_about = fact.since_ns == 0;
  wait.since_ns =
      wait.since_about ? moment_of(static_cast<std::uint32_t>(fact.tick)) : fact.since_ns;
  wait.timed = fact.timed;
  wait.in_signal_handler = fact.in_handler;
  wait.site = site_frame(fact.site);
  return wait;
}

void ReportBuilder::add_threads() {
  report_.threads.reserve(snapshot_.threads.size());
  for (std::uint32_t i = 0; i < snapshot_.threads.size(); ++i) {
    if (snapshot_.threads[i].thread != 0) handles_.emplace(snapshot_.threads[i].thread, i);
  }
  for (const ThreadFact& fact : snapshot_.threads) {
    report::Thread thread;
    thread.tid = fact.tid;
    thread.name = fact.name;
    thread.started_ns = fact.started_ns;
    if (fact.entry != 0) {
      thread.entry = site_frame(fact.entry);
      thread.entry.returns_here = false;
    }
    if (fact.life == ThreadLife::kStarting) {
      thread.activity.kind = system::ActivityKind::kStarting;
    }
    for (const HoldFact& hold : fact.holds) {
      if (hold.phase != hold_phase::kAcquiring) thread.holds.push_back(hold_from(hold));
    }
    if (const auto wait = current_wait(fact, snapshot_.tick, 1)) {
      thread.wait = wait_from(*wait);
      thread.activity.kind = system::ActivityKind::kInWait;
    }
    report_.threads.push_back(std::move(thread));
  }
  add_signallers();
}

// Each thread tells whom it woke; here it stands with what was waited for.
void ReportBuilder::add_signallers() {
  for (std::uint32_t i = 0; i < snapshot_.threads.size(); ++i) {
    const ThreadFact& thread = snapshot_.threads[i];
    for (const SignalFact& fact : thread.signals) {
      const auto known = locks_.find(fact.object);
      if (known == locks_.end() || is_held(report_.locks[known->second].kind)) continue;
      report::Signaller signaller;
      signaller.thread = i;
      signaller.tid = thread.tid;
      signaller.name = thread.name;
      signaller.how = fact.kind;
      signaller.site = site_frame(fact.site);
      signaller.count = fact.count;
      signaller.last_ns = moment_of(fact.tick);
      report_.locks[known->second].signallers.push_back(std::move(signaller));
    }
  }
  for (report::Lock& lock : report_.locks) {
    std::stable_sort(lock.signallers.begin(), lock.signallers.end(),
                     [](const report::Signaller& a, const report::Signaller& b) {
                       return a.last_ns > b.last_ns;
                     });
    if (lock.signallers.size() <= kMostSignallers) continue;
    report_.notes.push_back("Of " + std::to_string(lock.signallers.size()) +
                            " signallers of one object the newest " +
                            std::to_string(kMostSignallers) + " are told.");
    lock.signallers.resize(kMostSignallers);
  }
  for (const LockFact& fact : snapshot_.locks) {
    const auto known = locks_.find(fact.address);
    if (fact.gone_signallers_maker == 0 || known == locks_.end()) continue;
    if (is_held(report_.locks[known->second].kind)) continue;
    add_ended_signallers(report_.locks[known->second], fact.gone_signallers_maker);
  }
}

void ReportBuilder::add_ended_signallers(report::Lock& lock, std::uint32_t maker) const {
  lock.signallers_ended = true;
  if (maker == kSeveralMakers) return;
  for (std::uint32_t i = 0; i < snapshot_.threads.size(); ++i) {
    if (snapshot_.threads[i].number == maker) lock.signallers_maker = i;
  }
}

std::uint32_t ReportBuilder::gone_thread(std::uint32_t departure) {
  const auto next = static_cast<std::uint32_t>(report_.threads.size());
  const auto [place, is_new] = gone_.emplace(departure, next);
  if (!is_new) return place->second;
  const DepartureFact& fact = snapshot_.departures[departure];
  report::Thread thread;
  thread.tid = fact.tid;
  thread.name = fact.name;
  thread.involved = true;
  thread.ended_ns = fact.when_ns;
  thread.activity.kind = fact.reason == DepartureReason::kForked ? system::ActivityKind::kLeftBehind
                                                                 : system::ActivityKind::kGone;
  for (const DepartureFact& other : snapshot_.departures) {
    if (other.tid == fact.tid && other.when_ns == fact.when_ns) {
      thread.holds.push_back(hold_from(other.hold));
      // Taken before this process's clock began to run.
      if (fact.reason == DepartureReason::kForked) thread.holds.back().since_ns = 0;
    }
  }
  report_.threads.push_back(std::move(thread));
  return next;
}

report::Link ReportBuilder::link_from(const VerdictLink& fact) {
  report::Link link;
  link.waiter = fact.waiter;
  link.reason = fact.reason;
  if (fact.blocker != kNoOne) {
    link.blocker = fact.reason == LinkReason::kGone ? gone_thread(fact.blocker) : fact.blocker;
  }
  if (fact.lock != 0) {
    const auto known = locks_.find(fact.lock);
    if (known != locks_.end()) link.lock = known->second;
  }
  return link;
}

void ReportBuilder::add_finding(const Telling& telling, const Thresholds& thresholds) {
  const Verdict& verdict = *telling.verdict;
  report::Finding& finding = report_.finding;
  finding.kind = verdict.kind;
  if (verdict.kind == FindingKind::kMisuse) finding.misuse = MisuseKind::kExitWhileHolding;
  finding.certain = verdict.certain;
  finding.update = telling.update;
  finding.found_ns = telling.found_ns;
  for (const VerdictLink& link : verdict.cycle) finding.cycle.push_back(link_from(link));
  for (const VerdictLink& link : verdict.crowd) finding.crowd.push_back(link_from(link));
  if (verdict.gone_root != kNoOne) {
    finding.root = gone_thread(verdict.gone_root);
  } else if (verdict.root != kNoOne) {
    finding.root = verdict.root;
  }
  if (const auto known = locks_.find(verdict.root_lock); known != locks_.end()) {
    finding.root_lock = known->second;
  }
  if (verdict.kind == FindingKind::kLongWait) {
    finding.threshold_ns = thresholds.wait_ns;
    finding.changed_hands = telling.changed_hands;
  }
  for (const auto* links : {&finding.cycle, &finding.crowd}) {
    for (const report::Link& link : *links) {
      report_.threads[link.waiter].involved = true;
      if (link.blocker != report::kNobody) report_.threads[link.blocker].involved = true;
    }
  }
  if (finding.root != report::kNobody) report_.threads[finding.root].involved = true;
}

// Also one that has ended meanwhile.
std::uint32_t ReportBuilder::thread_of(std::uint32_t tid) {
  for (std::uint32_t i = 0; i < report_.threads.size(); ++i) {
    if (report_.threads[i].tid == tid) return i;
  }
  report::Thread thread;
  thread.tid = tid;
  thread.activity.kind = system::ActivityKind::kGone;
  report_.threads.push_back(std::move(thread));
  return static_cast<std::uint32_t>(report_.threads.size() - 1);
}

void ReportBuilder::add_incident(const Incident& incident) {
  const auto kind = static_cast<LockKind>(incident.lock_kind);
  report::Finding& finding = report_.finding;
  finding.misuse = static_cast<MisuseKind>(incident.kind);
  finding.found_ns = incident.when_ns;
  finding.root = thread_of(incident.tid);
  finding.root_lock = lock(incident.lock, kind);
  report_.threads[finding.root].involved = true;
  if (finding.misuse == MisuseKind::kRefusedRelock) {
    finding.kind = FindingKind::kSelfDeadlock;
    finding.cycle.push_back({finding.root, finding.root, finding.root_lock, LinkReason::kHolder});
  } else {
    finding.kind = FindingKind::kMisuse;
  }
  // The call has returned: it is no wait, and nobody waits behind its holder because of it.
  finding.call = site_frame(incident.site);
  finding.call_shared = finding.misuse == MisuseKind::kRefusedRelock && incident.shared != 0;
  if (incident.other != 0 && incident.other != incident.tid) {
    const std::uint32_t holder = thread_of(incident.other);
    report_.threads[holder].involved = true;
  }
  if (incident.held_site != 0) {
    const std::uint32_t holder = incident.other == 0 ? finding.root : thread_of(incident.other);
    add_past_hold(report_.threads[holder], incident);
  }
}

// It may have been given back by now: what the report is about is that it was held then.
void ReportBuilder::add_past_hold(report::Thread& holder, const Incident& incident) {
  for (const report::Hold& hold : holder.holds) {
    if (report_.locks[hold.lock].address == incident.lock) return;
  }
  const auto traits = static_cast<std::uint8_t>(incident.held_site >> kTraitShift);
  HoldFact fact;
  fact.lock = incident.lock;
  fact.kind = static_cast<LockKind>(incident.lock_kind);
  fact.site = incident.held_site & kSiteMask;
  fact.tick = static_cast<std::uint32_t>(incident.held_stamp);
  fact.stack_low = static_cast<std::uint32_t>(incident.held_stamp >> 32);
  fact.shared = (traits & hold_trait::kShared) != 0;
  fact.tried = (traits & hold_trait::kTry) != 0;
  fact.timed = (traits & hold_trait::kTimed) != 0;
  holder.holds.push_back(hold_from(fact));
}

void ReportBuilder::add_modules() {
  for (const symbolize::Module& module : modules_.all()) {
    report_.modules.push_back(
        {module.path, module.base, module.end, module.build_id, module.deleted});
  }
}

void ReportBuilder::add_dropped() {
  const auto texts = counter_texts();
  for (unsigned i = 0; i < kCounters && i < texts.size(); ++i) {
    if (snapshot_.counters[i] != 0) {
      report_.dropped.emplace_back(texts[i].text, snapshot_.counters[i]);
    }
  }
}

}  // namespace impasse::witness
