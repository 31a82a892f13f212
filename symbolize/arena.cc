#include "symbolize/arena.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "symbolize/block_heap.h"

// NOLINTBEGIN(readability-identifier-naming): the linker's names
extern "C" {
void* __real_malloc(std::size_t bytes);
void* __real_calloc(std::size_t count, std::size_t bytes);
void* __real_realloc(void* block, std::size_t bytes);
void __real_free(void* block);
void* __real_aligned_alloc(std::size_t alignment, std::size_t bytes);
void* __real_memalign(std::size_t alignment, std::size_t bytes);
int __real_posix_memalign(void** block, std::size_t alignment, std::size_t bytes);
}
// NOLINTEND(readability-identifier-naming)

namespace impasse::symbolize {
namespace {

constexpr std::size_t kWantedBytes = std::size_t{1} << 30;
constexpr std::size_t kLeastBytes = std::size_t{4} << 20;
constexpr std::size_t kShareOfLimit = 16;  // at most this part of RLIMIT_AS
constexpr std::size_t kSlots = 16;         // threads of ours, those that crashed included
constexpr std::size_t kNaturalAlignment = 16;

struct Returned {
  Returned* next;
};

// Where an arena is. A range that was reserved stays so for ever: a pointer into it is ours
// whenever it is freed.
struct Slot {
  std::atomic<std::uint32_t> owner{0};  // pid of the process whose thread uses it; 0: nobody
  std::atomic<unsigned char*> base{nullptr};
  std::atomic<std::size_t> bytes{0};
  std::atomic<Returned*> returned{nullptr};  // freed by other threads
  std::atomic<std::uint64_t> freed_by_others{0};
  std::uint64_t refused_frees = 0;
  BlockHeap heap;

  bool holds(const void* pointer) const {
    const auto offset = reinterpret_cast<std::uintptr_t>(pointer) -
                        reinterpret_cast<std::uintptr_t>(base.load(std::memory_order_relaxed));
    return offset < bytes.load(std::memory_order_acquire);
  }
};

constinit Slot slots[kSlots];
constinit std::atomic<std::size_t> slots_seen{0};
constinit std::atomic<std::uint64_t> late{0};
constinit thread_local Slot* own __attribute__((tls_model("initial-exec"))) = nullptr;

// The first block that is asked for, before any thread of ours: what the C++ runtime keeps for
// exceptions that find no memory. Not of the program's heap, which begins as it does without us.
alignas(kNaturalAlignment) constinit unsigned char first_block[std::size_t{80} << 10] = {};
constinit std::atomic<bool> first_block_taken{false};

void* take_first_block(std::size_t bytes) {
  if (first_block_taken.load(std::memory_order_relaxed) || bytes > sizeof first_block ||
      first_block_taken.exchange(true, std::memory_order_relaxed)) {
    return nullptr;
  }
  return first_block;
}

std::uint32_t process() {
  return static_cast<std::uint32_t>(syscall(SYS_getpid));
}

std::size_t wanted_bytes() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kWantedBytes;
  return std::clamp<std::size_t>(limit.rlim_cur / kShareOfLimit, kLeastBytes, kWantedBytes);
}

// Aligned to a page of the heap; smaller than wanted where the process may not have so much.
bool reserve(Slot& slot) {
  for (std::size_t bytes = wanted_bytes(); bytes >= kLeastBytes; bytes /= 2) {
    bytes &= ~(BlockHeap::kPageBytes - 1);
    const std::size_t more = bytes + BlockHeap::kPageBytes;
    void* const memory =
        mmap(nullptr, more, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) continue;
    auto* const start = static_cast<unsigned char*>(memory);
    const std::size_t past = reinterpret_cast<std::uintptr_t>(memory) & (BlockHeap::kPageBytes - 1);
    unsigned char* const base = start + (BlockHeap::kPageBytes - past);
    munmap(start, static_cast<std::size_t>(base - start));
    const std::size_t rest = more - static_cast<std::size_t>(base - start) - bytes;
    if (rest != 0) munmap(base + bytes, rest);
    slot.base.store(base, std::memory_order_relaxed);
    slot.bytes.store(bytes, std::memory_order_release);
    return true;
  }
  return false;
}

bool claim(Slot& slot, std::uint32_t pid) {
  std::uint32_t owner = slot.owner.load(std::memory_order_acquire);
  // A parent's: its thread does not exist here.
  return owner != pid && slot.owner.compare_exchange_strong(owner, pid, std::memory_order_acq_rel);
}

bool begin(Slot& slot) {
  if (slot.base.load(std::memory_order_relaxed) == nullptr && !reserve(slot)) return false;
  unsigned char* const base = slot.base.load(std::memory_order_relaxed);
  const std::size_t bytes = slot.bytes.load(std::memory_order_relaxed);
  // What a parent's thread left there is not wanted.
  if (!BlockHeap::empty(base, bytes)) return false;
  slot.returned.store(nullptr, std::memory_order_relaxed);
  slot.freed_by_others.store(0, std::memory_order_relaxed);
  slot.refused_frees = 0;
  return slot.heap.begin(base, bytes);
}

Slot* slot_of(const void* pointer) {
  const std::size_t seen = slots_seen.load(std::memory_order_acquire);
  for (std::size_t i = 0; i < seen; ++i) {
    if (slots[i].holds(pointer)) return &slots[i];
  }
  return nullptr;
}

void release(Slot& slot, void* block) {
  if (!slot.heap.give_back(block)) ++slot.refused_frees;
}

void take_back(Slot& slot) {
  Returned* block = slot.returned.exchange(nullptr, std::memory_order_acquire);
  while (block != nullptr) {
    Returned* const next = block->next;
    release(slot, block);
    block = next;
  }
}

void leave_to_owner(Slot& slot, void* block) {
  if (slot.owner.load(std::memory_order_acquire) != process()) {
    late.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  slot.freed_by_others.fetch_add(1, std::memory_order_relaxed);
  auto* const returned = static_cast<Returned*>(block);
  returned->next = slot.returned.load(std::memory_order_relaxed);
  while (!slot.returned.compare_exchange_weak(returned->next, returned, std::memory_order_release,
                                              std::memory_order_relaxed)) {
  }
}

void* take(Slot& slot, std::size_t bytes, std::size_t alignment = kNaturalAlignment) {
  if (slot.returned.load(std::memory_order_relaxed) != nullptr) take_back(slot);
  void* const block = slot.heap.take(bytes, alignment);
  if (block == nullptr) errno = ENOMEM;
  return block;
}

bool is_alignment(std::size_t alignment) {
  return alignment != 0 && (alignment & (alignment - 1)) == 0;
}

void* take_aligned(Slot& slot, std::size_t alignment, std::size_t bytes) {
  if (is_alignment(alignment)) return take(slot, bytes, std::max(alignment, kNaturalAlignment));
  errno = EINVAL;
  return nullptr;
}

void* take_anew(void* block, std::size_t had, std::size_t bytes) {
  void* const fresh = own != nullptr ? take(*own, bytes) : __real_malloc(bytes);
  if (fresh != nullptr) std::memcpy(fresh, block, std::min(had, bytes));
  return fresh;
}

}  // namespace

OwnArena::OwnArena() {
  if (own != nullptr) return;
  const std::uint32_t pid = process();
  for (std::size_t i = 0; i < kSlots; ++i) {
    if (!claim(slots[i], pid)) continue;
    if (!begin(slots[i])) {
      slots[i].owner.store(0, std::memory_order_release);
      return;
    }
    std::size_t seen = slots_seen.load(std::memory_order_relaxed);
    while (seen <= i && !slots_seen.compare_exchange_weak(seen, i + 1)) {
    }
    slot_ = static_cast<int>(i);
    own = &slots[i];
    return;
  }
}

OwnArena::~OwnArena() {
  if (!ready()) return;
  Slot& slot = slots[slot_];
  own = nullptr;
  slot.heap = BlockHeap();
  // It stays accessible: another thread may be about to leave a block to its owner.
  BlockHeap::empty(slot.base.load(std::memory_order_relaxed),
                   slot.bytes.load(std::memory_order_relaxed));
  slot.owner.store(0, std::memory_order_release);
}

void OwnArena::trim() {
  if (own == nullptr) return;
  take_back(*own);
  own->heap.trim();
}

ArenaFacts OwnArena::facts() {
  ArenaFacts facts;
  if (own == nullptr) return facts;
  facts.reserved_bytes = own->bytes.load(std::memory_order_relaxed);
  facts.bytes_in_use = own->heap.bytes_in_use();
  facts.most_bytes_in_use = own->heap.most_bytes_in_use();
  facts.blocks_in_use = own->heap.blocks_in_use();
  facts.touched_bytes = own->heap.touched_bytes();
  facts.most_touched_bytes = own->heap.most_touched_bytes();
  facts.freed_by_others = own->freed_by_others.load(std::memory_order_relaxed);
  facts.refused_frees = own->refused_frees;
  return facts;
}

std::uint64_t OwnArena::late_frees() {
  return late.load(std::memory_order_relaxed);
}

}  // namespace impasse::symbolize

// NOLINTBEGIN(readability-identifier-naming)
extern "C" {

using impasse::symbolize::own;

void* __wrap_malloc(std::size_t bytes) {
  if (own != nullptr) return impasse::symbolize::take(*own, bytes);
  void* const block = impasse::symbolize::take_first_block(bytes);
  return block != nullptr ? block : __real_malloc(bytes);
}

void* __wrap_calloc(std::size_t count, std::size_t bytes) {
  if (own == nullptr) return __real_calloc(count, bytes);
  std::size_t all = 0;
  if (__builtin_mul_overflow(count, bytes, &all)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* const block = impasse::symbolize::take(*own, all);
  if (block != nullptr) std::memset(block, 0, all);
  return block;
}

void __wrap_free(void* block) {
  if (block == nullptr || block == impasse::symbolize::first_block) return;
  auto* const slot = impasse::symbolize::slot_of(block);
  if (slot == nullptr) {
    __real_free(block);
  } else if (slot == own) {
    impasse::symbolize::release(*slot, block);
  } else {
    impasse::symbolize::leave_to_owner(*slot, block);
  }
}

void* __wrap_realloc(void* block, std::size_t bytes) {
  if (block == nullptr) return __wrap_malloc(bytes);
  auto* const slot = impasse::symbolize::slot_of(block);
  if (block == impasse::symbolize::first_block) {
    void* const fresh = __wrap_malloc(bytes);
    if (fresh != nullptr)
      std::memcpy(fresh, block, std::min(bytes, sizeof impasse::symbolize::first_block));
    return fresh;
  }
  if (slot == nullptr) return __real_realloc(block, bytes);
  if (bytes == 0) {
    __wrap_free(block);
    return nullptr;
  }
  const std::size_t room = slot->heap.room(block);
  if (slot == own && bytes <= room && bytes > room / 4) return block;
  void* const fresh = impasse::symbolize::take_anew(block, room, bytes);
  if (fresh != nullptr) __wrap_free(block);
  return fresh;
}

void* __wrap_aligned_alloc(std::size_t alignment, std::size_t bytes) {
  if (own == nullptr) return __real_aligned_alloc(alignment, bytes);
  return impasse::symbolize::take_aligned(*own, alignment, bytes);
}

void* __wrap_memalign(std::size_t alignment, std::size_t bytes) {
  if (own == nullptr) return __real_memalign(alignment, bytes);
  return impasse::symbolize::take_aligned(*own, alignment, bytes);
}

int __wrap_posix_memalign(void** block, std::size_t alignment, std::size_t bytes) {
  if (own == nullptr) return __real_posix_memalign(block, alignment, bytes);
  if (!impasse::symbolize::is_alignment(alignment) || alignment % sizeof(void*) != 0) {
    return EINVAL;
  }
  void* const fresh = impasse::symbolize::take(*own, bytes, std::max<std::size_t>(alignment, 16));
  if (fresh == nullptr) return ENOMEM;
  *block = fresh;
  return 0;
}

}  // extern "C"
// NOLINTEND(readability-identifier-naming)
