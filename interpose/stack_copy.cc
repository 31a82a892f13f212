#include "interpose/stack_copy.h"

#include <pthread.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "interpose/kernel_copy.h"

namespace impasse {
namespace {

constexpr std::uint64_t kPageMask = kPage - 1;

std::uint64_t copy_through_kernel(std::uint64_t start, std::uint8_t* to, std::size_t bytes) {
  constexpr std::size_t kMostParts = 8;
  const std::uint64_t end = start + std::min(bytes, (kMostParts - 1) * kPage);
  iovec from[kMostParts];
  unsigned parts = 0;
  // A part for each page: the copy ends at the first that is not there.
  for (std::uint64_t at = start; at < end;) {
    const std::uint64_t next = std::min((at | kPageMask) + 1, end);
    from[parts++] = {reinterpret_cast<void*>(at), next - at};
    at = next;
  }
  const iovec into{to, end - start};
  return copy_by_kernel(into, from, parts);
}

}  // namespace

std::size_t copyable_stack(const ThreadSlot& slot, std::uint64_t start, std::size_t bytes) {
  if (!on_stack_of(slot, start)) return bytes;
  std::uint64_t end = slot.stack_high.load(std::memory_order_relaxed);
  // Above all frames: glibc's own record of the thread.
  const std::uint64_t self = slot.thread.load(std::memory_order_relaxed);
  if (self > start && self < end) end = self;
  return std::min(bytes, end - start);
}

std::uint64_t copy_own_stack(const ThreadSlot& slot, std::uint64_t start, std::uint8_t* to,
                             std::size_t bytes) {
  if (!on_stack_of(slot, start)) return copy_through_kernel(start, to, bytes);
  const std::size_t n = copyable_stack(slot, start, bytes);
  std::memcpy(to, reinterpret_cast<const void*>(start), n);
  return n;
}

void plan_stack(ThreadSlot& slot, const void* attributes) {
  pthread_attr_t initial;
  const auto* given = static_cast<const pthread_attr_t*>(attributes);
  if (given == nullptr && pthread_attr_init(&initial) != 0) return;
  void* low = nullptr;
  std::size_t bytes = 0;
  pthread_attr_getstack(given == nullptr ? &initial : given, &low, &bytes);
  if (bytes == 0) pthread_attr_getstacksize(given == nullptr ? &initial : given, &bytes);
  if (given == nullptr) pthread_attr_destroy(&initial);
  // Of a stack that libc is to choose, only the size is known: low is then 0 - size.
  const std::uint64_t start = reinterpret_cast<std::uint64_t>(low);
  const bool chosen = start != 0 && start + bytes > bytes;
  slot.stack_low.store(chosen ? start : bytes, std::memory_order_relaxed);
  slot.stack_high.store(chosen ? start + bytes : 0, std::memory_order_relaxed);
}

void enter_stack(ThreadSlot& slot) {
  const std::uint64_t bytes = slot.stack_low.load(std::memory_order_relaxed);
  if (bytes == 0 || slot.stack_high.load(std::memory_order_relaxed) != 0) return;
  // glibc keeps its own record of a thread in the last page of the memory of its stack.
  const std::uint64_t high = (pthread_self() | kPageMask) + 1;
  slot.stack_low.store(high - bytes, std::memory_order_relaxed);
  slot.stack_high.store(high, std::memory_order_relaxed);
}

void enter_main_stack(ThreadSlot& slot) {
  // Nothing else is mapped so near below the main thread's stack: the kernel keeps 128 MiB for it.
  constexpr std::uint64_t kReach = std::uint64_t{64} << 20;
  const std::uint64_t high = getauxval(AT_RANDOM);  // above the first frame
  const auto here = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0));
  if (high <= here || high - here > kReach) return;
  slot.stack_low.store(high - kReach, std::memory_order_relaxed);
  slot.stack_high.store(high, std::memory_order_relaxed);
}

}  // namespace impasse
