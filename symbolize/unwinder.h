// Walks the copied stacks of a process: ours, from the watchdog's thread, or another one, from the
// command.
//
// Promises: no thread is stopped or signalled; no malloc of the program's, no dl_iterate_phdr, no
// lock that the program can hold; every loop is bounded; a wrong stack, wrong registers, vanishing
// memory end a walk and say why (Stack::trouble), they crash nothing. Where the frame pointer had
// to be recovered, the frames from there on are graded so (Frame::grade). Cost: 0.7 to 2 µs a
// frame; 0.2 to 0.5 ms for the mappings, once a snapshot; 2 MiB for pages of code, 64 KiB for the
// image, libunwind's 200 KiB. For one thread at a time.
//
// Once, at the start of watching (static storage or our own heap; objects are large):
//
//   AddressSpace space;                       // or AddressSpace space(pid) for another process
//   Unwinder unwinder(space);
//   StackImage image(space);                  // used again for each thread
//
//   unwinder.load();                          // on a small thread of its own: it may hang for ever
//                                             // (the loader's lock). Until it is through,
//                                             // walks give frame 0 and say why.
//                                             // The command just calls it.
// In a forked child:
//
//   space.reset();
//   image.reset();
//   unwinder.reset();                         // and load() again, on a new thread
//
// For each snapshot:
//
//   space.refresh();                          // mappings, modules; flushes what is no longer true
//   for each thread:
//     const auto registers = Registers::from_saved(rip, rsp, rbp, rbx, r12, r13, r14, r15);
//                                             // blocked in a wait of ours
//     const auto registers = Registers::from_system_call(pc, sp);
//                                             // /proc/PID/task/TID/syscall, in both of its forms
//     const auto registers = Registers::from_signal(uc_mcontext.gregs);
//     image.copy(registers);                  // or image.adopt(registers, address, bytes, size)
//     if (!unchanged()) continue;             // sequence number, or the same line of `syscall`
//     image.allow_more(unchanged);            // or not: then only what was copied is walked
//     const Stack stack = unwinder.walk(image, {.ours_begin = …, .ours_end = …});
//
// allow_more(): the callback is called on the walking thread, after each further copy; what it
// refers to must live until the walk is over. image.changed() tells that it has said no.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "symbolize/address_space.h"
#include "symbolize/registers.h"
#include "symbolize/stack.h"
#include "symbolize/stack_image.h"

namespace impasse::symbolize {

struct WalkLimits {
  // The innermost frames that lie in here are left away: our own library's.
  std::uint64_t ours_begin = 0;
  std::uint64_t ours_end = 0;
  // Of a deep stack these are kept.
  std::size_t first = 64;
  std::size_t last = 64;
  std::size_t most = 200'000;  // walked at all
};

class Unwinder {
 public:
  explicit Unwinder(AddressSpace& space);
  ~Unwinder();
  Unwinder(const Unwinder&) = delete;
  Unwinder& operator=(const Unwinder&) = delete;

  // The only function that another thread may call at the same time. Once, until reset().
  void load();
  bool ready() const;
  // In a forked child, before load() is called there. Leaks what libunwind had for the old process:
  // its locks may be held. Some of them it has only once: if another thread was in the middle of a
  // walk when the process was forked, the child cannot walk, and says so.
  void reset();

  Stack walk(StackImage& image, const WalkLimits& limits = {});

 private:
  struct Engine;  // libunwind and what it keeps for this process
  enum class State : std::uint8_t { kNotLoaded, kReady, kMissing };

  AddressSpace& space_;
  std::unique_ptr<Engine> engine_;
  std::atomic<State> state_{State::kNotLoaded};
  std::atomic<bool> walking_{false};
  std::uint64_t generation_ = 0;  // of the address space that libunwind's cached rows are of
};

}  // namespace impasse::symbolize
