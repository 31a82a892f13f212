// What a thread waits for, as a value on its stack while it does.
//
// Promises: the record is whole whenever its sequence is odd (INV-WAIT-1); a signal handler that
// interrupts a wait and waits itself puts the interrupted record back when it is done; leaving the
// scope ends the wait, also when the thread is cancelled. Costs about 40 stores, on the blocking
// path only.
#pragma once

#include <cstdint>

#include "detector/ledger_layout.h"

namespace impasse {

struct WaitFacts {
  WaitKind kind;
  std::uint64_t object;
  std::uint64_t partner;
  std::uint64_t site;
  std::uint8_t traits;
  std::uint64_t since_ns;
  std::uint32_t tick;
  std::uint64_t place = 0;  // a wait_place()
};

class WaitScope {
 public:
  // Writes the facts; the caller then saves its registers into registers() and calls publish().
  WaitScope(WaitRecord& record, const WaitFacts& facts);
  ~WaitScope() { end(); }
  WaitScope(const WaitScope&) = delete;
  WaitScope& operator=(const WaitScope&) = delete;

  std::atomic<std::uint64_t>* registers() { return record_.registers; }
  void publish() { record_.sequence.fetch_add(1, std::memory_order_release); }
  void end();

 private:
  static constexpr unsigned kWords = 7 + kSavedRegisters;

  WaitRecord& record_;
  bool interrupted_;  // another wait was under way
  bool ended_ = false;
  std::uint64_t before_[kWords];
};

}  // namespace impasse
