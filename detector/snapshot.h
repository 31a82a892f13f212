// An immutable copy of a ledger's facts at one instant, as plain values: what is held, who waits,
// what is missing.
//
// Promises: no pointer into the ledger, no atomics, no I/O; whoever has a Snapshot may keep it,
// sort it, print it. May allocate, so it is not for a thread of the watched program.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "detector/ledger_layout.h"
#include "detector/touched.h"
#include "detector/words.h"

namespace impasse {

struct HoldFact {
  std::uint64_t lock = 0;
  std::uint64_t site = 0;       // program counter of the call that took it
  std::uint32_t tick = 0;       // the watchdog's clock then; 0: not known
  std::uint32_t stack_low = 0;  // low half of the stack pointer then
  std::uint64_t levels = 1;     // of a recursive lock
  LockKind kind = LockKind::kMutex;
  std::uint8_t phase = hold_phase::kHeld;
  bool shared = false;
  bool tried = false;  // by a try function
  bool timed = false;  // by a timed function

  friend bool operator==(const HoldFact&, const HoldFact&) = default;
};

struct WaitFact {
  WaitKind kind = WaitKind::kNone;
  std::uint64_t object = 0;   // lock, condition or pthread_t
  std::uint64_t partner = 0;  // the mutex of a condition wait
  std::uint64_t site = 0;     // program counter of the call
  std::uint64_t since_ns = 0;
  std::uint64_t tick = 0;
  std::uint64_t outer = 0;  // waits that this one interrupted
  std::uint64_t place = 0;  // a wait_place(); 0: not known
  std::uint64_t sequence = 0;
  bool timed = false;
  std::array<std::uint64_t, kSavedRegisters> registers{};
};

// This thread woke others from there; `object` is still the same one.
struct SignalFact {
  std::uint64_t object = 0;  // condition or semaphore
  std::uint64_t site = 0;    // program counter of the call
  SignalKind kind = SignalKind::kSignal;
  std::uint32_t count = 0;
  std::uint32_t tick = 0;  // of the last time
};

struct ThreadFact {
  std::uint64_t slot = 0;
  std::uint64_t state = 0;  // ThreadSlot::state: the same in two looks, the same holds (INV-HOLD-2)
  std::uint32_t tid = 0;
  ThreadLife life = ThreadLife::kLive;
  // It went on while it was looked at: `holds` are those that were there in every look, newer ones
  // are missing.
  bool changing = false;
  std::string name;          // empty: not known. Bytes as the program gave them.
  std::uint64_t thread = 0;  // pthread_t
  std::uint64_t contended = 0;
  std::uint64_t started_ns = 0;
  std::uint64_t entry = 0;
  std::uint64_t argument = 0;
  std::uint32_t creator = 0;
  std::vector<HoldFact> holds;  // oldest first, then those of the deep table in no order
  std::uint64_t holds_unread =
      0;  // in the deep table, but beyond what a snapshot keeps, or not readable in one piece
  std::optional<WaitFact> wait;
  std::uint32_t number = 0;  // a ThreadNumber; 0: not known
  std::uint32_t maker = 0;   // its creator's ThreadNumber
  // Of objects that threads wait for in this snapshot.
  std::vector<SignalFact> signals;
  bool signals_lost = false;  // it may have woken anybody
  TouchedPlaces touched{};
};

struct DepartureFact {
  HoldFact hold;
  std::uint32_t tid = 0;
  DepartureReason reason = DepartureReason::kNone;
  std::uint64_t when_ns = 0;
  std::string name;
};

struct LockFact {
  std::uint64_t address = 0;
  std::uint32_t generation = 0;
  LockKind kind = LockKind::kMutex;
  std::uint64_t first_site = 0;
  std::uint64_t contended = 0;
  std::uint64_t waited_ns = 0;
  std::uint64_t last_holder = 0;
  std::uint32_t gone_signallers_maker = 0;  // as in LockRecord
  std::uint64_t woken_sites = 0;            // likewise
};

// What another record says of the same life of the same lock: threads that met it at the same
// instant made one each.
void add_life(LockFact& lock, const LockFact& more);

struct Snapshot {
  // The process, as it described itself.
  std::uint32_t pid = 0;
  std::string program;
  std::string library_version;
  std::uint64_t started_ns = 0;     // CLOCK_MONOTONIC
  std::uint64_t started_wall = 0;   // CLOCK_REALTIME
  std::uint64_t process_start = 0;  // clock ticks since boot; 0: not known

  // The watchdog's clock; now_ns is CLOCK_MONOTONIC at that tick.
  std::uint64_t tick = 0;
  std::uint64_t tick_ns = 0;
  std::uint64_t now_ns = 0;

  std::array<std::uint64_t, kCounters> counters{};

  std::vector<ThreadFact> threads;        // in the order of their slots
  std::vector<DepartureFact> departures;  // holds whose holder is gone
  std::vector<LockFact>
      locks;  // those in the facts above, and the most contended others; by address
  std::uint64_t locks_known = 0;  // records of living locks in the ledger, shown or not

  std::uint64_t senseless = 0;  // records that no impasse could have written; they were left out
};

// The counters that say that facts are missing or that something went wrong.
struct CounterText {
  const char* name;
  const char* text;
};
std::span<const CounterText> counter_texts();

// Who holds which lock, by lock.
class HolderIndex {
 public:
  struct Holder {
    std::uint64_t lock;
    std::uint32_t thread;  // index in Snapshot::threads
    std::uint32_t hold;    // index in its holds
  };

  // Only what is held now counts: not what is being asked for, nor what was given back for a
  // condition wait.
  explicit HolderIndex(const Snapshot& snapshot);
  std::span<const Holder> of(std::uint64_t lock) const;

 private:
  std::vector<Holder> holders_;
};

}  // namespace impasse
