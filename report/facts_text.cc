#include "report/facts_text.h"

#include <algorithm>

#include "report/ages.h"
#include "report/fact_names.h"
#include "report/roster.h"
#include "report/words.h"
#include "system/system_calls.h"

namespace impasse::report {
namespace {

constexpr std::size_t kHoldersShown = 8;
constexpr std::size_t kHoldsShown = 64;
constexpr std::size_t kColumns = 88;
constexpr std::size_t kContendedLocksShown = 10;

std::string plural(std::uint64_t n, const char* one, const char* many) {
  return std::to_string(n) + " " + (n == 1 ? one : many);
}

class Writer {
 public:
  explicit Writer(const Facts& facts)
      : facts_(facts), ages_(facts), roster_(facts), holders_(facts.snapshot), names_(facts) {}

  std::string all() {
    heading();
    for (const std::size_t i : roster_.order()) thread(facts_.snapshot.threads[i]);
    unlisted();
    departures();
    locks();
    small_print();
    return std::move(out_);
  }

 private:
  void heading();
  void summary();
  void thread(const ThreadFact& thread);
  std::string state(const ThreadFact& thread, const std::optional<Waiting>& waiting) const;
  std::string waited_object(const Waiting& waiting) const;
  void wait(const ThreadFact& thread, const Waiting& waiting);
  void holders_of(const ThreadFact& waiting, std::uint64_t lock);
  void signallers_of(std::uint64_t object);
  void holds(const ThreadFact& thread, const HoldFact* said);
  void hold(const HoldFact& hold);
  void unlisted();
  void departures();
  void locks();
  void small_print();

  // `thread 4711 "sync-2"`
  std::string who(const ThreadFact& thread) const { return who(thread.tid, roster_.name(thread)); }
  static std::string who(std::uint32_t tid, const std::string& name) {
    std::string text = tid == 0 ? "thread not yet numbered" : "thread " + std::to_string(tid);
    return name.empty() ? text : text + " \"" + printable(name) + "\"";
  }
  std::string at(std::uint64_t address) const { return names_.place(address); }
  std::string lock_name(const HoldFact& hold) const {
    return names_.lock(lock_word(hold.kind), hold.lock);
  }

  const Facts& facts_;
  const Ages ages_;
  const Roster roster_;
  const HolderIndex holders_;
  const FactNames names_;
  std::string out_;
};

void Writer::heading() {
  const Snapshot& s = facts_.snapshot;
  const std::string start = "==== impasse: FACTS ";
  const std::string end = " " + printable(s.program) + "[" + std::to_string(s.pid) + "] ====";
  const std::size_t used = start.size() + end.size();
  out_ += start + std::string(used < kColumns ? kColumns - used : 4, '=') + end + "\n";

  out_ += wall_time(facts_.wall_ns);
  if (facts_.alive()) {
    if (const auto age = ages_.since(s.started_ns)) out_ += " · watched for " + duration(*age);
  } else if (const auto ran = ages_.since(s.started_ns)) {
    const std::uint64_t last = s.started_wall + *ran;
    out_ += facts_.origin == Origin::kLeftBehind
                ? " · left behind by a process that is gone, last sign of life "
                : " · from a file, as of ";
    out_ += wall_time(last);
  }
  out_ += " · impasse " + printable(s.library_version);
  if (facts_.version != s.library_version) out_ += ", printed by " + facts_.version;
  out_ += "\n";
  if (const auto still = ages_.standstill()) {
    out_ += "impasse's own thread has not run for " + duration(*still) +
            " (stopped?): ages of holds are those of then.\n";
  }
  summary();
}

void Writer::summary() {
  std::size_t for_locks = 0;
  std::size_t otherwise = 0;
  std::size_t held = 0;
  for (const ThreadFact& thread : facts_.snapshot.threads) {
    if (const auto waiting = roster_.waiting(thread)) {
      ++(waits_for_lock(waiting->kind) ? for_locks : otherwise);
    }
    held += static_cast<std::size_t>(
        std::count_if(thread.holds.begin(), thread.holds.end(),
                      [](const HoldFact& h) { return h.phase == hold_phase::kHeld; }));
  }
  out_ += plural(facts_.snapshot.threads.size(), "thread", "threads") + ": " +
          std::to_string(for_locks) + (for_locks == 1 ? " waits" : " wait") + " for a lock, " +
          std::to_string(otherwise) + " for a condition or a thread; " +
          plural(held, "hold", "holds") + ".\n";
}

std::string Writer::waited_object(const Waiting& waiting) const {
  switch (waiting.kind) {
    case WaitKind::kMutex:
      return "for " + names_.lock("mutex", waiting.object);
    case WaitKind::kRead:
      return "to read " + names_.lock("rwlock", waiting.object);
    case WaitKind::kWrite:
      return "to write " + names_.lock("rwlock", waiting.object);
    case WaitKind::kSpin:
      return "for " + names_.lock("spinlock", waiting.object);
    case WaitKind::kCondition:
      return "on " + names_.lock("condition", waiting.object);
    case WaitKind::kSemaphore:
      return "for " + names_.lock("semaphore", waiting.object);
    case WaitKind::kBarrier:
      return "at " + names_.lock("barrier", waiting.object);
    case WaitKind::kOnce:
      return "for the initializer of " + names_.lock("once", waiting.object);
    case WaitKind::kJoin: {
      const ThreadFact* awaited = roster_.by_handle(waiting.object);
      return "for " + (awaited ? who(*awaited) : "a thread that is not in the ledger") + " to end";
    }
    case WaitKind::kNone:
      break;
  }
  return "for " + hex(waiting.object);
}

std::string Writer::state(const ThreadFact& thread, const std::optional<Waiting>& waiting) const {
  if (waiting) {
    std::string text = "waiting " + waited_object(*waiting);
    if (waiting->age_ns) {
      text += ", " + (waiting->exact ? duration(*waiting->age_ns) : about(*waiting->age_ns));
    }
    return text;
  }
  if (thread.life == ThreadLife::kStarting) {
    return "being created by thread " + std::to_string(thread.creator);
  }
  if (!facts_.alive()) return "was in no wait";
  if (roster_.is_gone(thread)) return "ended meanwhile";
  const LiveThread* live = roster_.live(thread.tid);
  if (live == nullptr) return "state unknown";
  if (thread.life == ThreadLife::kLeaving) return "ending";
  if (live->system_call) return "in " + system::system_call_name(*live->system_call) + "()";
  return std::string(state_word(live->state));
}

void Writer::thread(const ThreadFact& thread) {
  const std::optional<Waiting> waiting = roster_.waiting(thread);
  out_ += "\n" + who(thread) + " [" + state(thread, waiting) + "]:\n";
  if (thread.changing) {
    out_ += "  went on while it was looked at: shown is what stayed in every look\n";
  }
  if (waiting) wait(thread, *waiting);
  holds(thread, waiting ? waiting->intent : nullptr);
}

void Writer::wait(const ThreadFact& thread, const Waiting& waiting) {
  out_ += "  asked at " + at(waiting.site) + (waiting.timed ? ", with a time limit" : "") + "\n";
  if (waiting.outer != 0) {
    out_ += "  in a signal handler that interrupted " +
            plural(waiting.outer, "other wait", "other waits") + "\n";
  }
  if (waits_for_lock(waiting.kind)) holders_of(thread, waiting.object);
  if (waiting.kind == WaitKind::kCondition || waiting.kind == WaitKind::kSemaphore) {
    signallers_of(waiting.object);
  }
}

// Who woke its waiters, the newest first.
void Writer::signallers_of(std::uint64_t object) {
  const auto signals = roster_.signals_of(object);
  for (std::size_t i = 0; i < signals.size() && i < kHoldersShown; ++i) {
    const auto& [thread, signal] = signals[i];
    const auto age = ages_.since_tick(signal->tick);
    const char* const verb = signal->kind == SignalKind::kPost        ? "posted"
                             : signal->kind == SignalKind::kBroadcast ? "broadcast"
                                                                      : "signalled";
    out_ += std::string("  ") + verb + " by " + who(*thread) + " at " + at(signal->site) + ", " +
            plural(signal->count, "time", "times") + (age ? ", last " + about(*age) + " ago" : "") +
            "\n";
  }
  if (signals.size() > kHoldersShown) {
    out_ +=
        "  and from " + plural(signals.size() - kHoldersShown, "more place", "more places") + "\n";
  }
}

void Writer::holders_of(const ThreadFact& waiting, std::uint64_t lock) {
  const auto holders = holders_.of(lock);
  for (std::size_t i = 0; i < holders.size() && i < kHoldersShown; ++i) {
    const ThreadFact& holder = facts_.snapshot.threads[holders[i].thread];
    const HoldFact& hold = holder.holds[holders[i].hold];
    out_ += "  held by " + (&holder == &waiting ? "this same thread" : who(holder)) + ", " +
            std::string(mode_word(hold)) + for_about(ages_.since_tick(hold.tick)) + ", taken at " +
            at(hold.site) + "\n";
  }
  if (holders.size() > kHoldersShown) {
    out_ +=
        "  and by " + plural(holders.size() - kHoldersShown, "more thread", "more threads") + "\n";
  }
  bool departed = false;
  for (const DepartureFact& gone : facts_.snapshot.departures) {
    if (gone.hold.lock != lock) continue;
    departed = true;
    out_ += "  held by " + who(gone.tid, gone.name) + ", which is gone, taken at " +
            at(gone.hold.site) + "\n";
  }
  if (holders.empty() && !departed) {
    out_ += "  held by no thread that is in the ledger";
    const auto& locks = facts_.snapshot.locks;
    const auto known = std::find_if(locks.begin(), locks.end(),
                                    [lock](const LockFact& l) { return l.address == lock; });
    if (known != locks.end() && known->last_holder != 0) {
      out_ += "; the last to get it after a wait was thread " + std::to_string(known->last_holder);
    }
    out_ += "\n";
  }
}

// `said`: what stands in the line about the wait already.
void Writer::holds(const ThreadFact& thread, const HoldFact* said) {
  std::size_t shown = 0;
  std::size_t left = 0;
  for (const HoldFact& one : thread.holds) {
    if (&one == said) continue;
    if (shown == kHoldsShown) {
      ++left;
    } else {
      hold(one);
      ++shown;
    }
  }
  if (left != 0) out_ += "  … " + std::to_string(left) + " more\n";
  if (thread.holds_unread != 0) {
    out_ +=
        "  holds up to " + std::to_string(thread.holds_unread) + " more, which could not be read\n";
  }
  if (shown == 0 && thread.holds_unread == 0) out_ += "  holds nothing\n";
}

void Writer::hold(const HoldFact& hold) {
  const std::string what = lock_name(hold) + " " + std::string(mode_word(hold));
  const std::string age = for_about(ages_.since_tick(hold.tick));
  if (hold.phase == hold_phase::kGivenBack) {
    out_ += "  gave back " + what + " for the time of its wait, taken at " + at(hold.site);
  } else if (hold.phase == hold_phase::kAcquiring) {
    out_ += "  is acquiring " + what + age + ", asked at " + at(hold.site);
  } else {
    out_ += "  holds " + what + age + ", taken at " + at(hold.site);
  }
  if (hold.levels > 1) out_ += " (" + std::to_string(hold.levels) + " levels)";
  out_ += "\n";
}

void Writer::unlisted() {
  if (roster_.unlisted().empty()) return;
  out_ += "\nTHREADS THAT ARE NOT IN THE LEDGER\n";
  for (const LiveThread* live : roster_.unlisted()) {
    out_ += "  " + who(live->tid, live->name) + ", " + std::string(state_word(live->state));
    if (live->system_call) out_ += " in " + system::system_call_name(*live->system_call) + "()";
    if (live->name == kWatchdogName || live->name == kSideThreadName) out_ += " (impasse's own)";
    out_ += "\n";
  }
}

void Writer::departures() {
  if (facts_.snapshot.departures.empty()) return;
  out_ += "\nHELD BY THREADS THAT ARE GONE\n";
  for (const DepartureFact& gone : facts_.snapshot.departures) {
    const auto age = ages_.since(gone.when_ns);
    const std::string ago = age ? " " + duration(*age) + " ago" : "";
    out_ += "  " + lock_name(gone.hold) + " " + std::string(mode_word(gone.hold)) + ", taken at " +
            at(gone.hold.site) + ": ";
    if (gone.reason == DepartureReason::kForked) {
      out_ +=
          who(gone.tid, gone.name) + " of the parent held it when this process was forked" + ago;
    } else {
      out_ += who(gone.tid, gone.name) + " ended" + ago + " while it held it";
    }
    out_ += "\n";
  }
}

void Writer::locks() {
  std::vector<const LockFact*> contended;
  for (const LockFact& lock : facts_.snapshot.locks) {
    if (lock.contended != 0) contended.push_back(&lock);
  }
  if (contended.empty()) return;
  std::stable_sort(contended.begin(), contended.end(), [](const LockFact* a, const LockFact* b) {
    return a->contended > b->contended;
  });
  if (contended.size() > kContendedLocksShown) contended.resize(kContendedLocksShown);
  out_ += "\nLOCKS MOST WAITED FOR\n";
  for (const LockFact* lock : contended) {
    out_ += "  " + names_.lock(lock_word(lock->kind), lock->address) + ": " +
            plural(lock->contended, "wait", "waits");
    // Waits that go on, and very short ones, are counted but not in the sum.
    if (lock->waited_ns != 0) out_ += ", at least " + duration(lock->waited_ns) + " in all";
    out_ += ", first mattered at " + at(lock->first_site) + "\n";
  }
}

void Writer::small_print() {
  const Snapshot& s = facts_.snapshot;
  out_ += "\n" + plural(s.locks_known, "lock matters", "locks matter") +
          " (contended, or taken together with another)\n";
  bool dropped = false;
  for (std::size_t i = 0; i < s.counters.size(); ++i) {
    if (s.counters[i] == 0) continue;
    dropped = true;
    out_ += "dropped: " + std::to_string(s.counters[i]) + " " + counter_texts()[i].text + "\n";
  }
  if (s.senseless != 0) {
    dropped = true;
    out_ += "left out: " + plural(s.senseless, "record", "records") +
            " of the ledger that made no sense\n";
  }
  if (!dropped) out_ += "nothing dropped\n";
}

}  // namespace

std::string facts_text(const Facts& facts) {
  return Writer(facts).all();
}

}  // namespace impasse::report
