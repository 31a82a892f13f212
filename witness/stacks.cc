#include "witness/stacks.h"

#include <algorithm>

namespace impasse::witness {
namespace {

// Something of our own to find our own library by.
void here() {}

// A return address further away than this from a call is in another function.
constexpr std::uint64_t kFunctionReach = 64 << 10;

constexpr char kWentOn[] = "it went on while its stack was copied";

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

symbolize::Stack Stacks::copy_and_walk(const symbolize::Registers& registers,
                                       const std::function<bool()>& same) {
  symbolize::Stack stack;
  image_.copy(registers);
  if (!same()) {
    stack.trouble = kWentOn;
    return stack;
  }
  image_.allow_more(same);
  stack = unwinder_.walk(image_, limits_);
  leave_out_ours(stack);
  if (image_.changed()) stack.trouble = kWentOn;
  return stack;
}

symbolize::Stack Stacks::of_wait(const ThreadFact& fact) {
  const auto& r = fact.wait->registers;
  const std::uint64_t sequence = fact.wait->sequence;
  const WaitRecord& record = ledger_.slot(fact.slot).wait;
  return copy_and_walk(
      symbolize::Registers::from_saved(r[kRip], r[kRsp], r[kRbp], r[kRbx], r[kR12], r[kR13],
                                       r[kR14], r[kR15]),
      [&record, sequence] { return record.sequence.load(std::memory_order_acquire) == sequence; });
}

symbolize::Stack Stacks::of_copy(const symbolize::Registers& registers, std::uint64_t address,
                                 const void* bytes, std::size_t size) {
  image_.adopt(registers, address, bytes, size);
  symbolize::Stack stack = unwinder_.walk(image_, limits_);
  leave_out_ours(stack);
  return stack;
}

// A hold keeps the stack pointer of the frame that took it: while that frame is there, it is the
// one in which the lock was taken.
std::optional<std::uint32_t> Stacks::frame_of_call(const symbolize::Stack& stack,
                                                   std::uint64_t site, std::uint32_t stack_low) {
  if (stack_low == 0) return std::nullopt;
  for (std::uint32_t i = 0; i < stack.frames.size(); ++i) {
    const symbolize::Frame& frame = stack.frames[i];
    const std::uint64_t apart = frame.pc > site ? frame.pc - site : site - frame.pc;
    if (static_cast<std::uint32_t>(frame.stack_pointer) == stack_low && apart < kFunctionReach) {
      return i;
    }
  }
  return std::nullopt;
}

bool Stacks::in_signal_handler(const symbolize::Stack& stack) {
  return stack.trouble != kWentOn &&
         std::any_of(stack.frames.begin(), stack.frames.end(),
                     [](const symbolize::Frame& frame) { return frame.signal; });
}

void Stacks::find_hold_frames(const ThreadFact& fact, const symbolize::Stack& stack,
                              report::Thread& thread) {
  for (report::Hold& hold : thread.holds) {
    for (const HoldFact& known : fact.holds) {
      if (known.site != hold.site.pc) continue;
      if (const auto frame = frame_of_call(stack, known.site, known.stack_low)) hold.frame = *frame;
    }
  }
}

}  // namespace impasse::witness
