// What the threads of a report do, and their stacks where they wait in nothing of ours: read from
// /proc; a thread that runs is asked by a signal, if it may be.
//
// Promises: no signal goes to a thread that is in a system call. For our own thread, one report.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "report/report.h"
#include "system/describe.h"
#include "system/memory.h"
#include "system/tasks.h"
#include "witness/stacks.h"

namespace impasse::witness {

// Since when threads have been doing what they do, as far as somebody looked.
class Standstills {
 public:
  // Looks at the thread now.
  void look(const system::ProcFiles& process, std::uint32_t tid, std::uint64_t now_ns);
  // Since when it has been in this very system call at least; 0: not known.
  std::uint64_t since(std::uint32_t tid, const system::TaskLook& now) const;
  // Forgets everybody who was not looked at lately.
  void forget_old(std::uint64_t now_ns);

 private:
  struct Standstill {
    system::TaskLook look;
    std::uint64_t since_ns = 0;
    std::uint64_t looked_ns = 0;
  };
  std::unordered_map<std::uint32_t, Standstill> by_tid_;
};

class Activities {
 public:
  Activities(const symbolize::AddressSpace& space, Stacks& stacks, const Standstills& standstills)
      : memory_(space.memory()),
        stacks_(stacks),
        standstills_(standstills),
        descriptors_(process_) {}

  // Finds out what it does; gives its stack. `may_ask`: should it run, it may be asked for that.
  symbolize::Stack watch(report::Thread& thread, bool may_ask);
  // Threads of the process that the ledger does not have.
  void add_strangers(report::Report& report, bool may_ask);

 private:
  symbolize::Stack ask(std::uint32_t tid);

  system::ProcFiles process_;
  const system::Memory& memory_;
  Stacks& stacks_;
  const Standstills& standstills_;
  system::Descriptors descriptors_;
};

}  // namespace impasse::witness
