#include "interpose/session.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <ctime>
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
#include "interpose/luggage.h"
#include "interpose/order_notes.h"
#include "interpose/signals_blocked.h"
#include "interpose/slot_facts.h"
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
  passive = false;
  watch_thread_end();
}

ThreadSlot* detach_current() {
  passive = true;
  // A signal handler before this may have taken a place, one after it takes none.
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return std::exchange(current_slot, nullptr);
}

ThreadSlot* attach_current() {
  if (current_slot != nullptr || passive) return current_slot;
  const ErrnoKept errno_kept;
  if (switched_off()) {
    passive = true;
    return nullptr;
  }
  // A signal handler from here on passes straight through: a thread has one place. One that came
  // before this has taken it.
  passive = true;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (current_slot != nullptr) {
    passive = false;
    return current_slot;
  }
  const std::uint32_t tid = own_tid();
  const bool main_thread = tid == static_cast<std::uint32_t>(syscall(SYS_getpid));
  if (ledger() == nullptr && main_thread) {
    solo_slot.tid.store(tid, std::memory_order_relaxed);
    current_slot = &solo_slot;
    passive = false;
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
  unpack_luggage(the_ledger);
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
    forget_signals(solo_slot, address, 1);
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
  forget_hold_in_luggage(lock);
}

void memory_gone(std::uint64_t start, std::uint64_t bytes) {
  Ledger* const here = ledger();
  if (here == nullptr) {
    forget_signals(solo_slot, start, bytes);
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
  pack_luggage(*here, monotonic_ns());
}

void after_fork_in_parent() {
  drop_luggage();
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
    if (current_slot != nullptr) take_own_facts(solo_slot);
    if (current_slot != nullptr) current_slot = &solo_slot;
    stat_block = &nobodys_stats;  // the child begins anew
    leave_ledger_memory(here->base(), here->size());
    lock_pages_inherited = true;
    keep_luggage();
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
