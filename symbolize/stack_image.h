// A thread's registers and a copy of its stack: what a walk reads, while the thread goes its way.
//
// Promises: the first copy is min(64 KiB, up to the end of the stack's mapping) and is all that is
// copied before the caller says so; at most 16 MiB in at most 32 windows. No malloc, no lock;
// memory that vanishes is a miss. Cost: 7 µs for the first 64 KiB, once its memory is there: use
// one image again for the next thread.
//
// Copying and walking are apart, because a copy proves nothing until its thread was seen standing
// still before and after:
//
//   image.copy(registers);                    // 1. the registers, the first window
//   if (!same_as_before()) …                  // 2. the caller: sequence number, SP and PC, …
//   image.allow_more(same_as_before);         // 3. only for a thread that may still stand there
//   unwinder.walk(image, …);                  // 4. copies more where it must, and asks after each
//
// Deep recursion and a second stack (sigaltstack, fibres) need more windows. A window after whose
// copying same_as_before() says no is thrown away, and no further one is made: changed().
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "symbolize/address_space.h"
#include "symbolize/registers.h"

namespace impasse::symbolize {

class StackImage {
 public:
  static constexpr std::size_t kFirstBytes = std::size_t{64} << 10;
  static constexpr std::size_t kMostBytes = std::size_t{16} << 20;

  explicit StackImage(AddressSpace& space) : space_(space) {}
  ~StackImage();
  StackImage(const StackImage&) = delete;
  StackImage& operator=(const StackImage&) = delete;

  // Forgets what was there; copies the first window. False: there is nothing at the stack pointer
  // (a walk gives frame 0 then). Looks at the process's mappings again when there is none yet.
  bool copy(const Registers& registers, std::size_t most = kFirstBytes);
  // The same with bytes that somebody else has copied (the thread itself, in a signal handler).
  bool adopt(const Registers& registers, std::uint64_t address, const void* bytes,
             std::size_t size);
  void allow_more(std::function<bool()> same_as_before);
  void clear();
  void reset();  // in a forked child: leaks what another thread may have been changing

  const Registers& registers() const { return registers_; }
  bool changed() const { return changed_; }     // the thread went on: the copy ends early
  bool full() const { return full_; }           // a limit of this image was reached
  std::size_t bytes() const { return bytes_; }  // copied
  std::size_t windows() const { return windows_used_; }

  // For walks. What is neither copied nor to be had is a miss.
  bool read_word(std::uint64_t address, std::uint64_t& word);
  bool holds_word(std::uint64_t address, std::uint64_t& word) const;  // copies nothing more
  // Windows that a trial asked for can be given up again.
  void give_up_windows_after(std::size_t count);

 private:
  static constexpr std::size_t kMostWindows = 32;
  static constexpr std::size_t kMostElsewhere = 4;  // of these in memory without another one
  struct Window {
    std::uint64_t low = 0;
    std::size_t size = 0;
    unsigned char* bytes = nullptr;  // a mapping of our own; kept for the next stack
    std::size_t room = 0;
    bool elsewhere = false;
  };

  bool copy_another(std::uint64_t missed);
  bool add_window(std::uint64_t low, std::size_t size, bool elsewhere);
  bool make_room(Window& window, std::size_t size);
  std::size_t windows_elsewhere() const;

  AddressSpace& space_;
  Registers registers_;
  std::array<Window, kMostWindows> windows_;
  std::size_t windows_used_ = 0;
  std::size_t bytes_ = 0;
  std::function<bool()> same_as_before_;
  bool changed_ = false;
  bool full_ = false;
};

}  // namespace impasse::symbolize
