// All threads of a report in one place: those of the ledger and those that only the system knows,
// with one name each and one answer to "what does it wait for?".
//
// Promises: keeps references to the facts it was made from, which must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "detector/snapshot.h"
#include "report/ages.h"
#include "report/facts.h"

namespace impasse::report {

// A wait, whether the thread wrote it down in full or left no more than its intent to take a lock.
struct Waiting {
  WaitKind kind = WaitKind::kNone;
  std::uint64_t object = 0;
  std::uint64_t partner = 0;
  std::uint64_t site = 0;
  std::optional<std::uint64_t> age_ns;
  bool exact = true;  // the age; else it is good to kStampStepNs
  bool timed = false;
  std::uint64_t outer = 0;
  const HoldFact* intent = nullptr;  // the hold that it is to become, if there is one
};

class Roster {
 public:
  explicit Roster(const Facts& facts);

  // As the system sees it; null: not there any more, or the process is gone.
  const LiveThread* live(std::uint32_t tid) const;
  // The thread with this pthread_t; null: none in the ledger.
  const ThreadFact* by_handle(std::uint64_t pthread) const;
  // The ledger's name, else the system's, else empty.
  std::string name(const ThreadFact& thread) const;
  // In the ledger, but not among the threads of the live process.
  bool is_gone(const ThreadFact& thread) const;
  // A lock that was asked for a moment ago is being taken, not waited for.
  std::optional<Waiting> waiting(const ThreadFact& thread) const;

  // Who woke those that wait for a condition or a semaphore, and how: the newest first.
  using Signals = std::vector<std::pair<const ThreadFact*, const SignalFact*>>;
  Signals signals_of(std::uint64_t object) const;

  // Indices into the snapshot's threads: who waits for a lock, longest first; who waits otherwise;
  // who holds; the rest.
  const std::vector<std::size_t>& order() const { return order_; }
  // Threads of the live process that have no slot in the ledger.
  const std::vector<const LiveThread*>& unlisted() const { return unlisted_; }

 private:
  const Facts& facts_;
  const Ages ages_;
  std::unordered_map<std::uint32_t, const LiveThread*> live_;
  std::unordered_map<std::uint64_t, const ThreadFact*> by_handle_;
  std::vector<std::size_t> order_;
  std::vector<const LiveThread*> unlisted_;
};

}  // namespace impasse::report
