// The thread's side of a question for its stack: the signal handler, and the mailbox that it fills.
//
// Promises of the handler: no lock, no thread-local memory, no errno, no function of libc but
// memcpy; system calls only where the thread has no filter of system calls.
//
// INV-MAILBOX-1: only who moved `word` into its present phase touches the rest of the mailbox: the
// asker in kFree (which it stored or withdrew to), the handler of thread `tid` in kCopying. In
// kAsked and kGiven nobody writes. kFree → kAsked, kAsked → kFree and kGiven → kFree are the
// asker's moves, kAsked → kCopying → kGiven the handler's; both leave kAsked by compare-and-swap,
// so that one of them fails. A handler that comes late finds no question to its thread and writes
// nothing; one that copies for very long keeps the mailbox, and nobody is asked meanwhile.
// INV-MAILBOX-2: a handler that cannot ask for its own tid (its thread has a filter) takes the
// question without looking whose it is: such a thread is asked only while no other signal of ours
// is on its way, and nobody else while its signal is.
#pragma once

#include <signal.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "witness/running_stack.h"

namespace impasse::witness {

enum class Phase : std::uint32_t { kFree, kAsked, kCopying, kGiven };

constexpr std::uint64_t mailbox_word(std::uint32_t tid, Phase phase) {
  return std::uint64_t{tid} << 32 | static_cast<std::uint32_t>(phase);
}

struct Area {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
};

struct Mailbox {
  std::atomic<std::uint64_t> word{mailbox_word(0, Phase::kFree)};
  std::atomic<std::uint64_t> answered{0};  // handlers that are done with the mailbox
  int pid = 0;                             // whose signals count: ours

  // The question.
  std::atomic<bool> filtered{false};  // the thread has a filter of system calls
  Area main_stack{};                  // then: the stack of the process's first thread,
  std::size_t areas_used = 0;         // and other writable memory as mapped, sorted
  std::array<Area, 4096> areas{};

  // The answer.
  std::array<long long, 17> registers{};
  std::uint64_t address = 0;
  std::size_t size = 0;
  alignas(64) std::array<unsigned char, kRunningStackBytes> bytes{};
};

extern Mailbox mailbox;

void answer(int number, siginfo_t* info, void* context);

}  // namespace impasse::witness
