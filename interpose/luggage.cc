#include "interpose/luggage.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/uio.h>

#include <algorithm>
#include <new>

#include "detector/departures.h"
#include "detector/hold_stack.h"
#include "detector/page_filter.h"
#include "detector/signal_notes.h"
#include "interpose/current.h"
#include "interpose/kernel_copy.h"
#include "interpose/slot_facts.h"

namespace impasse {
namespace {

LockKind kind_in(std::uint64_t site) {
  return static_cast<LockKind>((site >> kTraitShift) & hold_trait::kKindMask);
}

struct Luggage {
  std::size_t bytes;
  ThreadSlot own;
  std::size_t lost_count;
  LostHold* lost() { return reinterpret_cast<LostHold*>(this + 1); }
};
thread_local constinit Luggage* luggage __attribute__((tls_model("initial-exec"))) = nullptr;
constinit Luggage* unpacked = nullptr;  // in a child: kept until it has a ledger itself

template <typename Visit>
void each_other_slot(const Ledger& ledger, Visit visit) {
  const std::uint64_t used = ledger.slots_used();
  for (std::uint64_t i = 0; i < used; ++i) {
    ThreadSlot& slot = ledger.slot(i);
    if (&slot != current_slot && slot.life.load(std::memory_order_acquire) !=
                                     static_cast<std::uint32_t>(ThreadLife::kFree)) {
      visit(slot);
    }
  }
}

}  // namespace

// Through the kernel, so that a lock whose memory is gone is an error and not a crash.
bool is_process_shared(std::uint64_t lock, std::uint64_t site) {
  const LockKind kind = kind_in(site);
  union {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
  } copy;
  const std::size_t bytes = kind == LockKind::kMutex ? sizeof copy.mutex : sizeof copy.rwlock;
  const iovec to{&copy, bytes};
  const iovec from{reinterpret_cast<void*>(lock), bytes};
  const bool can_be_asked = kind == LockKind::kMutex || kind == LockKind::kRwlock;
  if (!can_be_asked) return false;
  if (copy_by_kernel(to, &from, 1) != bytes) return false;
  constexpr int kMutexShared = 128;
  return kind == LockKind::kMutex ? (copy.mutex.__data.__kind & kMutexShared) != 0
                                  : copy.rwlock.__data.__shared != 0;
}

void pack_luggage(Ledger& ledger, std::uint64_t now_ns) {
  std::size_t room = current_slot == nullptr
                         ? 0
                         : current_slot->deep_size.load(std::memory_order_relaxed) & 0xffff'ffff;
  each_other_slot(ledger, [&](ThreadSlot& slot) {
    room += slot.state.load(std::memory_order_relaxed) & kDepthMask;
    room += slot.deep_size.load(std::memory_order_relaxed) & 0xffff'ffff;
  });
  room += ledger.header().departures_used.load(std::memory_order_relaxed);
  constexpr std::size_t kMost = 100'000;
  room = std::min(room + 16, kMost);  // some may be taken while we look
  const std::size_t bytes = sizeof(Luggage) + room * sizeof(LostHold);
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  luggage = new (memory) Luggage;
  luggage->bytes = bytes;
  if (current_slot != nullptr) {
    move_facts(luggage->own, *current_slot);
    keep_signals(luggage->own, *current_slot);
    luggage->lost_count =
        look_at_deep_holds(*current_slot, ledger, luggage->lost(), static_cast<unsigned>(room));
  }
  Departures(ledger).each([&](const LostHold& lost) {
    if (luggage->lost_count < room) luggage->lost()[luggage->lost_count++] = lost;
  });
  each_other_slot(ledger, [&](ThreadSlot& slot) {
    LostHold* const first = luggage->lost() + luggage->lost_count;
    const unsigned found = look_at_holds(slot, ledger, DepartureReason::kForked, now_ns, first,
                                         static_cast<unsigned>(room - luggage->lost_count));
    // A lock that processes share is still held by the parent's thread, which can release it; what
    // another thread was initializing, libc begins anew in the child.
    LostHold* const last = std::remove_if(first, first + found, [](const LostHold& lost) {
      return kind_in(lost.site) == LockKind::kOnce || is_process_shared(lost.lock, lost.site);
    });
    luggage->lost_count += static_cast<std::size_t>(last - first);
  });
}

void drop_luggage() {
  if (luggage == nullptr) return;
  const ErrnoKept errno_kept;
  munmap(luggage, luggage->bytes);
  luggage = nullptr;
}

void take_own_facts(ThreadSlot& slot) {
  if (luggage == nullptr) return;
  move_facts(slot, luggage->own);
  keep_signals(slot, luggage->own);
}

void keep_luggage() {
  unpacked = luggage;
  luggage = nullptr;
  // Whoever makes or releases such a lock before there is a ledger comes to look.
  for (std::size_t i = 0; unpacked != nullptr && i < unpacked->lost_count; ++i) {
    lock_pages.add(unpacked->lost()[i].lock);
  }
}

void forget_luggage(std::uint64_t start, std::uint64_t bytes) {
  for (std::size_t i = 0; unpacked != nullptr && i < unpacked->lost_count; ++i) {
    std::uint64_t& lock = unpacked->lost()[i].lock;
    if (lock >= start && lock - start < bytes) lock = 0;
  }
}

void forget_hold_in_luggage(std::uint64_t lock) {
  for (std::size_t i = 0; unpacked != nullptr && i < unpacked->lost_count; ++i) {
    if (unpacked->lost()[i].lock != lock) continue;
    unpacked->lost()[i].lock = 0;
    return;
  }
}

void unpack_luggage(Ledger& ledger) {
  if (unpacked == nullptr) return;
  Departures departures(ledger);
  for (std::size_t i = 0; i < unpacked->lost_count; ++i) {
    const LostHold& lost = unpacked->lost()[i];
    if (lost.lock == 0) continue;
    if (lost.reason != DepartureReason::kNone) {
      departures.add(lost);
    } else if (current_slot !=
               nullptr) {  // the forking thread's own, beyond the places of its slot
      const NewHold own{lost.lock, lost.site & kSiteMask, lost.stamp >> 32,
                        static_cast<std::uint8_t>(lost.site >> kTraitShift)};
      HoldStack(*current_slot, &ledger)
          .push(own, hold_phase::kHeld, static_cast<std::uint32_t>(lost.stamp));
    }
  }
  munmap(unpacked, unpacked->bytes);
  unpacked = nullptr;
}

}  // namespace impasse
