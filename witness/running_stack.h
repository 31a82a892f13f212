// The registers and the stack of a thread that RUNS, asked for with a signal. A thread that sleeps
// is never asked: /proc tells where it stands.
//
// Promises: a real-time signal that the program neither catches nor ignores, and that the thread
// does not block; its handler, once installed, stays (a late signal must not meet the default
// action, which ends the program). A system call that the thread entered in between is restarted,
// not interrupted: the handler takes its own EINTR back. Thread, errno, locks: as before. Nothing
// that a filter of system calls might punish is done on the thread that has one.
// What remains: EINTR out of syscall(2), whose number the handler cannot see; a long write or read
// that has moved some bytes and then has to wait returns these, as with any signal; and a fibre
// with no room for a signal frame (4 KiB) would overflow.
// Cost: 110 to 160 µs for the asker, of which the thread itself loses about 10. For one asking
// thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace impasse::witness {

enum class Asked : std::uint8_t {
  kGiven,
  kNotRunning,     // it sleeps, is stopped, or went to sleep before the signal was sent
  kGone,           // it has ended
  kBlocked,        // it blocks the signal
  kNoSignal,       // the program uses every real-time signal
  kNotTold,        // /proc does not say what would have to be known first
  kNoAnswer,       // within the time
  kStillAnswering  // an earlier one does not answer to its end; try again later
};

// "it blocks signals"; a clause, for Stack::trouble. Empty for kGiven.
const char* trouble_words(Asked asked);

struct RunningStack {
  std::array<long long, 17> registers{};  // in the order of gregs: REG_R8 … REG_RIP
  std::uint64_t address = 0;              // what `bytes` is a copy of: from the stack pointer on
  const void* bytes = nullptr;            // until the next question
  std::size_t size = 0;
};

inline constexpr std::size_t kRunningStackBytes = std::size_t{64} << 10;
inline constexpr std::uint64_t kAnswerWithinNs = 50'000'000;

// A thread of this process.
Asked ask_running_thread(std::uint32_t tid, RunningStack& stack,
                         std::uint64_t within_ns = kAnswerWithinNs);

// The signal that is in use; 0: none was needed so far.
int running_stack_signal();

}  // namespace impasse::witness
