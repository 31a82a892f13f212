// The stacks of the threads of a report: copied while each is seen standing still, then walked.
//
// Promises: nobody is stopped; a thread that goes on meanwhile gets no stack and a reason. For our
// own thread.
#pragma once

#include "detector/ledger.h"
#include "detector/snapshot.h"
#include "report/report.h"
#include "symbolize/unwinder.h"

namespace impasse::witness {

class Stacks {
 public:
  // `ours`: where our own code lies; its frames are left away.
  Stacks(Ledger& ledger, symbolize::AddressSpace& space, symbolize::Unwinder& unwinder);

  // A thread that wrote down its wait with its registers.
  void of_wait(const ThreadFact& fact, report::Thread& thread);
  // A thread asleep in a system call: of which only this much is known.
  template <typename SameAsBefore>
  void of_sleeper(std::uint64_t pc, std::uint64_t sp, SameAsBefore same, report::Thread& thread) {
    copy_and_walk(symbolize::Registers::from_system_call(pc, sp), same, thread);
  }
  // Registers and bytes that the thread itself gave.
  void of_copy(const symbolize::Registers& registers, std::uint64_t address, const void* bytes,
               std::size_t size, report::Thread& thread);

  // The frames in which its locks were taken, where they are still there.
  static void find_hold_frames(const ThreadFact& fact, report::Thread& thread);

 private:
  void leave_out_ours(symbolize::Stack& stack) const;
  void copy_and_walk(const symbolize::Registers& registers, const std::function<bool()>& same,
                     report::Thread& thread);

  Ledger& ledger_;
  symbolize::Unwinder& unwinder_;
  symbolize::StackImage image_;
  symbolize::WalkLimits limits_;
};

}  // namespace impasse::witness
