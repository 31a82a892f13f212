// By what a thread knows that its notes of signals are still as they were when it looked last.
#pragma once

#include <atomic>
#include <cstdint>

namespace impasse {

// Another one as soon as what a thread knows of its own notes may no longer be so: the life of a
// condition or a semaphore has ended, the tick has moved on, there is another ledger. Alone in its
// line, because every signal of every thread reads it.
struct alignas(64) SignalMoment {
  std::atomic<std::uint64_t> value{0};
};
extern constinit SignalMoment signal_moment __attribute__((visibility("hidden")));
// After the change. So far apart that no distance of two objects or places makes up for it.
inline void renew_signal_moment() {
  signal_moment.value.fetch_add(0xd6e8'feb8'6659'fd93, std::memory_order_release);
}

}  // namespace impasse
