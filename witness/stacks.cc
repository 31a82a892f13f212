#include "witness/stacks.h"

namespace impasse::witness {
namespace {

// Something of our own to find our own library by.
void here() {}

// A return address further away than this from a call is in another function.
constexpr std::uint64_t kFunctionReach = 64 << 10;

}  // namespace

Stacks::Stacks(Ledger& ledger, symbolize::AddressSpace& space, symbolize::Unwinder& unwinder)
    : ledger_(ledger), unwinder_(unwinder), image_(space) {
  if (const auto own = space.modules().find(reinterpret_cast<std::uint64_t>(&here))) {
    limits_.ours_begin = own->module->base;
    limits_.ours_end = own->module->end;
  }
}

// In the middle of a stack stands what starts the program's threads.
void Stacks::leave_out_ours(symbolize::Stack& stack) const {
  std::erase_if(stack.frames, [this](const symbolize::Frame& frame) {
    return frame.pc >= limits_.ours_begin && frame.pc < limits_.ours_end;
  });
}

void Stacks::copy_and_walk(const symbolize::Registers& registers, const std::function<bool()>& same,
                           report::Thread& thread) {
  image_.copy(registers);
  if (!same()) {
    thread.stack.trouble = "it went on while its stack was copied";
    return;
  }
  image_.allow_more(same);
  thread.stack = unwinder_.walk(image_, limits_);
  leave_out_ours(thread.stack);
  if (image_.changed()) thread.stack.trouble = "it went on while its stack was copied";
}

void Stacks::of_wait(const ThreadFact& fact, report::Thread& thread) {
  const auto& r = fact.wait->registers;
  const std::uint64_t sequence = fact.wait->sequence;
  const WaitRecord& record = ledger_.slot(fact.slot).wait;
  copy_and_walk(
      symbolize::Registers::from_saved(r[kRip], r[kRsp], r[kRbp], r[kRbx], r[kR12], r[kR13],
                                       r[kR14], r[kR15]),
      [&record, sequence] { return record.sequence.load(std::memory_order_acquire) == sequence; },
      thread);
}

void Stacks::of_copy(const symbolize::Registers& registers, std::uint64_t address,
                     const void* bytes, std::size_t size, report::Thread& thread) {
  image_.adopt(registers, address, bytes, size);
  thread.stack = unwinder_.walk(image_, limits_);
  leave_out_ours(thread.stack);
}

// A hold keeps the stack pointer of the frame that took it: while that frame is there, it is the
// one in which the lock was taken.
void Stacks::find_hold_frames(const ThreadFact& fact, report::Thread& thread) {
  for (report::Hold& hold : thread.holds) {
    for (const HoldFact& known : fact.holds) {
      if (known.site != hold.site.pc || known.stack_low == 0) continue;
      for (std::uint32_t i = 0; i < thread.stack.frames.size(); ++i) {
        const symbolize::Frame& frame = thread.stack.frames[i];
        const std::uint64_t apart =
            frame.pc > hold.site.pc ? frame.pc - hold.site.pc : hold.site.pc - frame.pc;
        if (static_cast<std::uint32_t>(frame.stack_pointer) == known.stack_low &&
            apart < kFunctionReach) {
          hold.frame = i;
          break;
        }
      }
    }
  }
}

}  // namespace impasse::witness
