// The stacks of the threads of a report: copied while each is seen standing still, then walked.
//
// Promises: nobody is stopped; a thread that goes on meanwhile gets no stack and a reason. For our
// own thread.
#pragma once

#include <optional>

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
  symbolize::Stack of_wait(const ThreadFact& fact);
  // A thread asleep in a system call: of which only this much is known.
  template <typename SameAsBefore>
  symbolize::Stack of_sleeper(std::uint64_t pc, std::uint64_t sp, SameAsBefore same) {
    return copy_and_walk(symbolize::Registers::from_system_call(pc, sp), same);
  }
  // Registers and bytes that the thread itself gave.
  symbolize::Stack of_copy(const symbolize::Registers& registers, std::uint64_t address,
                           const void* bytes, std::size_t size);

  // The frame that made this call with the stack pointer at this place, if it is still there.
  static std::optional<std::uint32_t> frame_of_call(const symbolize::Stack& stack,
                                                    std::uint64_t site, std::uint32_t stack_low);
  // The stack shows that a signal handler has come to where it stands.
  static bool in_signal_handler(const symbolize::Stack& stack);
  // The frames in which its locks were taken, where they are still there. Before the stack is kept
  // in the report, where stack pointers are not.
  static void find_hold_frames(const ThreadFact& fact, const symbolize::Stack& stack,
                               report::Thread& thread);

 private:
  void leave_out_ours(symbolize::Stack& stack) const;
  symbolize::Stack copy_and_walk(const symbolize::Registers& registers,
                                 const std::function<bool()>& same);

  Ledger& ledger_;
  symbolize::Unwinder& unwinder_;
  symbolize::StackImage image_;
  symbolize::WalkLimits limits_;
};

}  // namespace impasse::witness
