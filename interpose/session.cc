#include "interpose/session.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <new>
#include <utility>

#include "detector/clock.h"
#include "detector/departures.h"
#include "detector/hold_stack.h"
#include "detector/lock_salt.h"
#include "detector/lock_table.h"
#include "detector/page_filter.h"
#include "detector/signal_notes.h"
#include "interpose/block_size.h"
#include "interpose/companions.h"
#include "interpose/counted_path.h"
#include "interpose/current.h"
#include "interpose/ledger_file.h"
#include "interpose/order_notes.h"
#include "interpose/stack_copy.h"
#include "interpose/thread_life.h"

namespace impasse {

constinit Companions companions;
constinit std::atomic<Ledger*> live_ledger{nullptr};

thread_local constinit ThreadSlot* current_slot __attribute__((tls_model("initial-exec"))) =
    nullptr;

namespace {

thread_local constinit bool passive __attribute__((tls_model("initial-exec"))) = false;

constinit std::atomic<bool> off{false};
constinit std::atomic<bool> begun{false};
constinit bool stats_wanted = false;
constinit Ledger the_ledger;
constinit bool lock_pages_inherited = false;
constinit ThreadSlot solo_slot{};  // the main thread's, as long as there is no ledger
constinit char ledger_directory[kTextBytes] = "/dev/shm";

std::uint32_t own_tid() {
  return static_cast<std::uint32_t>(syscall(SYS_gettid));
}

// Holds and wait of the calling thread go from one slot to another.
void move_facts(ThreadSlot& to, ThreadSlot& from) {
  const std::uint64_t state = from.state.load(std::memory_order_relaxed);
  for (std::uint64_t i = 0; i < (state & kDepthMask); ++i) {
    to.holds[i].site.store(from.holds[i].site.load(std::memory_order_relaxed),
                           std::memory_order_relaxed);
    to.holds[i].stamp.store(from.holds[i].stamp.load(std::memory_order_relaxed),
                            std::memory_order_relaxed);
    to.holds[i].path.store(from.holds[i].path.load(std::memory_order_relaxed),
                           std::memory_order_relaxed);
    to.holds[i].lock.store(from.holds[i].lock.load(std::memory_order_relaxed),
                           std::memory_order_release);
  }
  for (unsigned i = 0; i < kNameBytes / 8; ++i)
    to.name[i].store(from.name[i], std::memory_order_relaxed);
  to.name_known.store(from.name_known, std::memory_order_relaxed);
  // A child that was forked by another thread than the main one runs on that one's stack.
  if (const std::uint64_t high = from.stack_high.load(std::memory_order_relaxed); high != 0) {
    to.stack_low.store(from.stack_low.load(std::memory_order_relaxed), std::memory_order_relaxed);
    to.stack_high.store(high, std::memory_order_relaxed);
  }
  const std::uint64_t marks = to.state.load(std::memory_order_relaxed) & kCounted;
  to.state.store((state & kDepthMask) + kStateStep + marks, std::memory_order_release);
}

// A signal handler that locks must not come between while facts move from one slot to another.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

// From now on the hot path refuses for this thread (counted_path.h).
void begin_counting(ThreadSlot& slot) {
  Ledger* const here = ledger();
  stat_block = here == nullptr ? nullptr : open_stats(*here, slot);
  if (stat_block != nullptr) slot.state.fetch_or(kCounted, std::memory_order_relaxed);
}

// Without touching pages that were never used.
void clear_slot(ThreadSlot& slot) {
  const bool seen_dirty = slot.seen_dirty.load(std::memory_order_relaxed) != 0;
  std::memset(static_cast<void*>(&slot), 0, seen_dirty ? kSlotBytes : offsetof(ThreadSlot, seen));
}

bool make_ledger() {
  const bool anonymous = std::strcmp(ledger_directory, "off") == 0;
  const LedgerMemory memory = map_ledger(anonymous ? nullptr : ledger_directory);
  if (memory.base == nullptr) return false;
  timespec wall{};
  clock_gettime(CLOCK_REALTIME, &wall);
  const ProcessFacts facts{static_cast<std::uint32_t>(syscall(SYS_getpid)),
                           program_invocation_short_name,
                           IMPASSE_VERSION,
                           monotonic_ns(),
                           static_cast<std::uint64_t>(wall.tv_sec) * 1'000'000'000 +
                               static_cast<std::uint64_t>(wall.tv_nsec),
                           process_start()};
  return the_ledger.format(memory.base, memory.geometry, reserve_ledger_memory, facts);
}

// The program may change its directory before the file is removed.
void make_absolute(const char* directory) {
  std::size_t n = 0;
  if (directory[0] != '/' && std::strcmp(directory, "off") != 0) {
    const long bytes = syscall(SYS_getcwd, ledger_directory, sizeof ledger_directory);
    if (bytes > 0 && ledger_directory[0] == '/') {
      n = static_cast<std::size_t>(bytes);
      ledger_directory[n - 1] = '/';
    }
  }
  const std::size_t room = sizeof ledger_directory - 1 - n;
  const std::size_t length = std::min(std::strlen(directory), room);
  std::memcpy(ledger_directory + n, directory, length);
  ledger_directory[n + length] = '\0';
}

ThreadSlot* attach_to(Ledger& ledger, bool main_thread) {
  ThreadSlot* slot = ledger.claim_slot();
  if (slot == nullptr) return nullptr;
  slot->started_ns.store(monotonic_ns(), std::memory_order_relaxed);
  slot->creator.store(0, std::memory_order_relaxed);
  slot->number.store(main_thread ? Ledger::kMainThread : ledger.next_thread_number(),
                     std::memory_order_relaxed);
  if (main_thread) {
    enter_main_stack(*slot);
  } else {
    slot->born.store(ledger.next_moment(), std::memory_order_relaxed);
  }
  enter_slot(*slot);
  note_birth(*slot, ledger);
  return slot;
}

// ---- fork

LockKind kind_in(std::uint64_t site) {
  return static_cast<LockKind>((site >> kTraitShift) & hold_trait::kKindMask);
}

// Asks the lock itself. Through the kernel, so that a lock whose memory is gone is an error and not
// a crash.
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
  if (!can_be_asked || process_vm_readv(static_cast<pid_t>(syscall(SYS_getpid)), &to, 1, &from, 1,
                                        0) != static_cast<ssize_t>(bytes)) {
    return false;
  }
  constexpr int kMutexShared = 128;
  return kind == LockKind::kMutex ? (copy.mutex.__data.__kind & kMutexShared) != 0
                                  : copy.rwlock.__data.__shared != 0;
}

// What a child takes along: its only thread's holds, and those of the threads that stay behind.
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

// The child has made or destroyed these locks before it had a ledger.
void forget_luggage(std::uint64_t start, std::uint64_t bytes) {
  forget_signals(solo_slot, start, bytes);
  for (std::size_t i = 0; unpacked != nullptr && i < unpacked->lost_count; ++i) {
    std::uint64_t& lock = unpacked->lost()[i].lock;
    if (lock >= start && lock - start < bytes) lock = 0;
  }
}

void unpack(Ledger& ledger) {
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

}  // namespace

std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

void start_session(const Options& options) {
  make_absolute(options.ledger.c_str());
  want_orders(options.order != OrderWish::kOff);
  stats_wanted = options.stats;
  if (!options.ledger.is("off")) remove_ledger_of_earlier_image(ledger_directory);
  at_quick_exit(end_session);
}

void switch_off() {
  off.store(true, std::memory_order_relaxed);
  current_slot = nullptr;
}
bool switched_off() {
  return off.load(std::memory_order_relaxed);
}

bool counts_locks() {
  return stats_wanted && !switched_off();
}

void enter_slot(ThreadSlot& slot) {
  const std::uint32_t tid = own_tid();
  slot.tid.store(tid, std::memory_order_relaxed);
  slot.thread.store(pthread_self(), std::memory_order_relaxed);
  if (Ledger* const here = ledger()) here->enter_tid(tid, slot);
  if (stats_wanted) begin_counting(slot);
  slot.life.store(static_cast<std::uint32_t>(ThreadLife::kLive), std::memory_order_release);
  current_slot = &slot;
  watch_thread_end();
}

void detach_current() {
  current_slot = nullptr;
  passive = true;
}

ThreadSlot* attach_current() {
  if (current_slot != nullptr || passive) return current_slot;
  const ErrnoKept errno_kept;
  if (switched_off()) {
    passive = true;
    return nullptr;
  }
  const std::uint32_t tid = own_tid();
  const bool main_thread = tid == static_cast<std::uint32_t>(syscall(SYS_getpid));
  if (ledger() == nullptr && main_thread) {
    solo_slot.tid.store(tid, std::memory_order_relaxed);
    current_slot = &solo_slot;
    return current_slot;
  }
  begin_watching();
  Ledger* const here = ledger();
  if (here == nullptr || attach_to(*here, main_thread) == nullptr) {
    // Nobody's turn to grow comes to everybody at once: then the next lock tries again.
    passive = here == nullptr || here->header().growing.load(std::memory_order_relaxed) == 0;
  } else if (!main_thread) {
    count_this_thread();
  }
  return current_slot;
}

void begin_watching() {
  if (switched_off() || begun.exchange(true, std::memory_order_acq_rel)) return;
  const ErrnoKept errno_kept;
  const SignalsBlocked signals_blocked;
  recognize_allocator();
  register_fork_handlers();
  if (!make_ledger()) return;
  if (std::exchange(lock_pages_inherited, false))
    std::memset(static_cast<void*>(&lock_pages), 0, sizeof lock_pages);
  const bool solo = current_slot == &solo_slot;
  const bool main_thread = solo || own_tid() == static_cast<std::uint32_t>(syscall(SYS_getpid));
  // 0 is for "not known": a thread may wait before the watchdog has had its first turn.
  std::uint32_t unknown = 0;
  published_tick.value.compare_exchange_strong(unknown, 1, std::memory_order_relaxed);
  live_ledger.store(&the_ledger, std::memory_order_release);
  note_lives_in(&the_ledger);
  if (main_thread) {
    current_slot = nullptr;
    ThreadSlot* slot = attach_to(the_ledger, true);
    if (slot == nullptr) {
      passive = true;
    } else if (solo) {
      move_facts(*slot, solo_slot);
      bring_signals(*slot, solo_slot, the_ledger);
    }
    clear_slot(solo_slot);
  }
  unpack(the_ledger);
  if (companions.start != nullptr && !companions.start(the_ledger)) {
    the_ledger.count(k_watchdog_missing);
  }
}

void end_session() {
  remove_ledger_file();
}

void lock_gone(std::uint64_t address) {
  Ledger* const here = ledger();
  if (here == nullptr) {
    forget_luggage(address, 1);
    return;
  }
  LockTable(*here).end(address);
  if (Departures departures(*here); departures.any()) departures.forget_range(address, 1);
}

void hold_gone(std::uint64_t lock) {
  if (Ledger* const here = ledger()) {
    Departures(*here).forget(lock);
    return;
  }
  for (std::size_t i = 0; unpacked != nullptr && i < unpacked->lost_count; ++i) {
    if (unpacked->lost()[i].lock != lock) continue;
    unpacked->lost()[i].lock = 0;
    return;
  }
}

void memory_gone(std::uint64_t start, std::uint64_t bytes) {
  Ledger* const here = ledger();
  if (here == nullptr) {
    forget_luggage(start, bytes);
    return;
  }
  LockTable(*here).end_range(start, bytes);
  if (Departures departures(*here); departures.any()) departures.forget_range(start, bytes);
}

void before_fork() {
  Ledger* const here = ledger();
  if (here == nullptr) return;
  const ErrnoKept errno_kept;
  const SignalsBlocked signals_blocked;  // a handler that forks itself has luggage of its own
  std::size_t room = current_slot == nullptr
                         ? 0
                         : current_slot->deep_size.load(std::memory_order_relaxed) & 0xffff'ffff;
  each_other_slot(*here, [&](ThreadSlot& slot) {
    room += slot.state.load(std::memory_order_relaxed) & kDepthMask;
    room += slot.deep_size.load(std::memory_order_relaxed) & 0xffff'ffff;
  });
  room += here->header().departures_used.load(std::memory_order_relaxed);
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
        look_at_deep_holds(*current_slot, *here, luggage->lost(), static_cast<unsigned>(room));
  }
  Departures(*here).each([&](const LostHold& lost) {
    if (luggage->lost_count < room) luggage->lost()[luggage->lost_count++] = lost;
  });
  const std::uint64_t now = monotonic_ns();
  each_other_slot(*here, [&](ThreadSlot& slot) {
    LostHold* const first = luggage->lost() + luggage->lost_count;
    const unsigned found = look_at_holds(slot, *here, DepartureReason::kForked, now, first,
                                         static_cast<unsigned>(room - luggage->lost_count));
    // A lock that processes share is still held by the parent's thread, which can release it; what
    // another thread was initializing, libc begins anew in the child.
    LostHold* const last = std::remove_if(first, first + found, [](const LostHold& lost) {
      return kind_in(lost.site) == LockKind::kOnce || is_process_shared(lost.lock, lost.site);
    });
    luggage->lost_count += static_cast<std::size_t>(last - first);
  });
}

void after_fork_in_parent() {
  if (luggage == nullptr) return;
  const ErrnoKept errno_kept;
  munmap(luggage, luggage->bytes);
  luggage = nullptr;
}

void after_fork_in_child() {
  if (Ledger* const here = ledger()) {
    const ErrnoKept errno_kept;
    const SignalsBlocked signals_blocked;  // notes, slot and lives change together
    disown_ledger_file();
    live_ledger.store(nullptr, std::memory_order_relaxed);
    note_lives_in(nullptr);
    begun.store(false, std::memory_order_relaxed);
    if (companions.forget != nullptr) companions.forget();
    forget_thread_count();
    clear_slot(solo_slot);
    if (luggage != nullptr && current_slot != nullptr) {
      move_facts(solo_slot, luggage->own);
      keep_signals(solo_slot, luggage->own);
    }
    if (current_slot != nullptr) current_slot = &solo_slot;
    stat_block = &nobodys_stats;  // the child begins anew
    leave_ledger_memory(here->base(), here->size());
    lock_pages_inherited = true;
    unpacked = luggage;
    luggage = nullptr;
    // Whoever makes or releases such a lock before there is a ledger comes to look.
    for (std::size_t i = 0; unpacked != nullptr && i < unpacked->lost_count; ++i) {
      lock_pages.add(unpacked->lost()[i].lock);
    }
  }
  if (current_slot == nullptr) return;
  const ErrnoKept errno_kept;
  solo_slot.tid.store(own_tid(), std::memory_order_relaxed);
  // A lock that processes share is held by the parent's thread, not by this copy of it.
  for (std::uint64_t i = depth_of(solo_slot.state.load(std::memory_order_relaxed)); i-- > 0;) {
    const std::uint64_t lock = solo_slot.holds[i].lock.load(std::memory_order_relaxed);
    if (is_process_shared(lock, solo_slot.holds[i].site.load(std::memory_order_relaxed))) {
      HoldStack(solo_slot, nullptr).remove(lock);
    }
  }
}

}  // namespace impasse
