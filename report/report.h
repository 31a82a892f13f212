// A report as a value: one finding and everything that was known of the process when it was made.
//
// Promises: plain data, complete in itself (also read back from its JSON form); times are
// CLOCK_MONOTONIC nanoseconds and become wall-clock times with `moment`; 0 and empty mean "not
// known" unless a field says otherwise. References between parts are indices into the vectors here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "detector/blocking_call.h"
#include "detector/finding_kinds.h"
#include "detector/words.h"
#include "symbolize/stack_depot.h"
#include "system/activity.h"

namespace impasse::report {

inline constexpr std::uint32_t kNobody = 0xffff'ffff;  // instead of an index

using impasse::FindingKind;
using impasse::LinkReason;
using impasse::MisuseKind;

struct Wait {
  WaitKind kind = WaitKind::kNone;
  std::uint64_t object = 0;        // lock, condition, …, or pthread_t
  std::uint32_t lock = kNobody;    // in Report::locks; a join is for none
  std::uint32_t mutex = kNobody;   // in Report::locks: the one that a condition wait gave back
  std::uint32_t thread = kNobody;  // in Report::threads: the one that is joined
  std::uint64_t since_ns = 0;
  bool since_about = false;  // known to the watchdog's clock only (a tenth of a second)
  bool timed = false;
  bool in_signal_handler = false;  // false also where no stack shows it
  symbolize::Frame site;           // the program's call
};

struct Hold {
  std::uint32_t lock = kNobody;  // in Report::locks
  bool shared = false;
  bool tried = false;
  bool timed = false;
  std::uint64_t levels = 1;
  std::uint8_t phase = hold_phase::kHeld;
  std::uint64_t since_ns = 0;  // known to the watchdog's clock: good to a tenth of a second
  symbolize::Frame site;       // the program's call that took it
  // The frame that took it is still on the thread's stack: index into its frames; kNobody: it has
  // returned since (the caller of `site` is then not known), or not known.
  std::uint32_t frame = kNobody;
};

struct Thread {
  std::uint32_t tid = 0;
  std::string name;
  bool involved = false;  // it belongs to the finding
  bool ours = false;      // impasse's own
  system::Activity activity;
  std::optional<Wait> wait;
  std::vector<Hold> holds;
  symbolize::StackId stack = symbolize::kNoStack;  // Report::stack_of()
  std::uint64_t started_ns = 0;
  std::uint64_t ended_ns = 0;  // of a thread that is gone
  symbolize::Frame entry;      // the function that the thread was started with
};

enum class Memory : std::uint8_t { kUnknown, kGlobal, kHeap, kStack, kMapped };

// A thread that woke others, who waited for a condition or a semaphore, from one place.
struct Signaller {
  std::uint32_t thread = kNobody;  // in Report::threads, if it is still there
  std::uint32_t tid = 0;
  std::string name;  // empty: not known
  SignalKind how = SignalKind::kSignal;
  symbolize::Frame site;  // the program's call
  std::uint64_t count = 0;
  std::uint64_t last_ns = 0;  // known to the watchdog's clock: good to a tenth of a second
};

// A lock, or what nobody holds and others give: a condition, a semaphore, a barrier.
struct Lock {
  std::uint64_t address = 0;
  LockKind kind = LockKind::kMutex;
  std::string variety;  // "recursive", "prefers writers", "robust", …; empty: plain
  std::string name;     // symbol, or symbol+0x… ; empty: none to be had
  Memory memory = Memory::kUnknown;
  std::uint32_t stack_of = kNobody;  // in Report::threads, for memory on a thread's stack
  std::uint32_t module = kNobody;    // in Report::modules, for a global
  std::uint64_t contended = 0;       // waits for it so far
  std::uint64_t waited_ns = 0;       // in those that lasted 10 ms or more and have ended
  // libc's own word says so: tid of the owner of a mutex or of the writer, 0 when none or not known
  std::uint32_t owner_word = 0;
  std::vector<Signaller> signallers;         // of a condition or a semaphore: the newest first
  bool signallers_ended = false;             // threads that have ended woke its waiters, too
  std::uint32_t signallers_maker = kNobody;  // in Report::threads: who had made all of those
};

// Who waits behind whom.
struct Link {
  std::uint32_t waiter = kNobody;   // in Report::threads
  std::uint32_t blocker = kNobody;  // in Report::threads; kNobody: not known
  std::uint32_t lock = kNobody;     // in Report::locks; kNobody for a join
  LinkReason reason = LinkReason::kHolder;
};

// lock_order: one thread took `to` while it held `from`. The next one's `from` is this one's `to`.
struct Order {
  std::uint32_t from = kNobody;  // in Report::locks
  std::uint32_t to = kNobody;    // in Report::locks
  bool from_shared = false;
  bool to_shared = false;
  bool to_timed = false;
  bool again = false;              // `to` is the mutex of a condition wait, taken again at its end
  std::uint32_t tid = 0;           // who was seen doing it
  std::string thread_name;         // empty: not known
  std::uint32_t thread = kNobody;  // in Report::threads, if it is still there
  symbolize::Frame from_site;      // the program's call that took `from`
  symbolize::Frame to_site;        // ... and `to`
  symbolize::StackId stack = symbolize::kNoStack;  // of the thread when it took `to`
  std::uint32_t from_frame =
      kNobody;  // the frame in it that took `from`; kNobody: it had returned, or not known
  struct Held {
    std::uint32_t lock = kNobody;  // in Report::locks
    bool shared = false;
    symbolize::Frame site;
  };
  std::vector<Held> others;    // what it held besides
  std::uint64_t seen = 1;      // sights: by different threads, or with other locks held; at least
  std::uint64_t threads = 1;   // different threads among them; at least
  std::uint64_t first_ns = 0;  // CLOCK_MONOTONIC of the first and the last of them
  std::uint64_t last_ns = 0;
};

struct Finding {
  FindingKind kind = FindingKind::kDump;
  // The word of a kind that this version does not know, in a report that was read: `kind` says dump
  // then. Empty: it knows the kind.
  std::string foreign_kind;
  MisuseKind misuse = MisuseKind::kNone;
  std::uint32_t number = 0;  // of the report, from 1
  std::uint32_t update =
      0;                    // 0: the first report of this finding; then how often it was told again
  std::string fingerprint;  // stable from run to run
  std::uint64_t found_ns = 0;  // CLOCK_MONOTONIC of the first confirmation
  bool certain = true;         // false: likely, but somebody could still act
  // The cycle, in order: each link's blocker is the next one's waiter; one link for a thread that
  // waits for itself. Empty when there is none.
  std::vector<Link> cycle;
  // Everybody else who waits behind it, directly or not; those nearest to the root first. Of a
  // stuck condition and of all asleep: everybody, each with one of those that could end its wait.
  std::vector<Link> crowd;
  // misuse, also a refused relock: the program's call that broke the rule. It has returned: the
  // root's stack is of it, whatever the root waits for since.
  symbolize::Frame call;
  bool call_shared = false;      // a refused relock: to read
  std::uint32_t root = kNobody;  // in threads: whom all wait for (long_wait, orphaned_lock, misuse)
  std::uint32_t root_lock = kNobody;  // in locks: the lock that they wait for nearest to the root
  // long_wait: how often the root lock changed hands while the longest waiter waited; nothing: not
  // known.
  std::optional<std::uint64_t> changed_hands;
  std::uint64_t threshold_ns = 0;  // of a long wait
  // lock_order: the circle of orders; every other kind: empty.
  std::vector<Order> orders;
  OrderDoubt doubt = OrderDoubt::kNone;
};

// From one place of the program, a call that may block was made while a lock was held; what goes on
// now is not counted yet.
struct CallTally {
  std::uint32_t lock = kNobody;  // in Report::locks
  BlockingCall call{};
  symbolize::Frame site;
  symbolize::Frame held_site;  // where the lock had been taken, the last time
  std::uint64_t count = 0;
  std::uint64_t sum_ns = 0;
  std::uint64_t most_ns = 0;
  std::uint64_t last_ns = 0;  // when the last one ended
};

struct Module {
  std::string path;
  std::uint64_t base = 0;
  std::uint64_t end = 0;
  std::string build_id;  // hexadecimal
  bool deleted = false;
};

struct Process {
  std::uint32_t pid = 0;
  std::string program;     // its short name
  std::string executable;  // its path
  std::string host;
  std::string version;           // of impasse
  std::uint64_t started_ns = 0;  // when impasse began to watch
};

// An instant on both clocks.
struct Moment {
  std::uint64_t monotonic_ns = 0;
  std::uint64_t wall_ns = 0;
  std::uint64_t wall_of(std::uint64_t ns) const { return wall_ns - (monotonic_ns - ns); }
};

struct Report {
  Process process;
  Moment moment;  // when the facts were gathered
  Finding finding;
  std::vector<Thread> threads;
  std::vector<Lock> locks;
  std::vector<CallTally> calls;  // of a long wait: by lock, the root lock first; the longest first
  symbolize::StackDepot stacks;  // equal ones are there once
  std::vector<Module> modules;
  std::vector<std::pair<std::string, std::string>>
      options;  // those that differ from their defaults
  std::vector<std::pair<std::string, std::uint64_t>>
      dropped;                     // counters (detector/counters.def) that are not 0
  bool named = false;              // names were looked up
  std::string names_trouble;       // why they are missing or incomplete; a clause
  std::vector<std::string> notes;  // what else a reader must know to judge the facts, in sentences
  std::uint64_t threads_not_looked_at = 0;  // beyond what a report keeps

  const symbolize::Stack& stack_of(const Thread& thread) const { return stacks.at(thread.stack); }
  const symbolize::Stack& stack_of(const Order& order) const { return stacks.at(order.stack); }
};

}  // namespace impasse::report
