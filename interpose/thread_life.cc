#include "interpose/thread_life.h"

#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>

#include <new>
#include <utility>

#include "detector/departures.h"
#include "detector/order_phase.h"
#include "detector/signal_notes.h"
#include "interpose/companions.h"
#include "interpose/current.h"
#include "interpose/order_notes.h"
#include "interpose/session.h"
#include "interpose/stack_copy.h"

namespace impasse {
namespace {

constinit pthread_key_t end_key = 0;
constinit std::atomic<bool> end_key_made{false};
constinit std::atomic<long> threads{1};
thread_local constinit bool counted __attribute__((tls_model("initial-exec"))) = false;

void give_back(ThreadSlot& slot, Ledger& ledger) {
  leave_holds_behind(slot, ledger, monotonic_ns());
  leave_signals_behind(slot, ledger);
  note_end(slot, ledger);
  ledger.leave_tid(slot.tid.load(std::memory_order_relaxed));
  ledger.release_slot(slot);
}

void at_thread_end(void* round) {
  // Other destructors may still lock: come back in every round that libc grants, and act in the
  // last.
  const auto n = reinterpret_cast<std::uintptr_t>(round);
  if (n < PTHREAD_DESTRUCTOR_ITERATIONS) {
    pthread_setspecific(end_key, reinterpret_cast<void*>(n + 1));
    return;
  }
  const ErrnoKept errno_kept;
  ThreadSlot* const slot = detach_current();
  if (Ledger* const here = ledger(); here != nullptr && slot != nullptr) give_back(*slot, *here);
  if (threads.fetch_sub(1, std::memory_order_acq_rel) == 1 && companions.dismiss != nullptr) {
    companions.dismiss();
  }
}

}  // namespace

void prepare_thread_ends() {
  end_key_made.store(pthread_key_create(&end_key, at_thread_end) == 0, std::memory_order_release);
}

void watch_thread_end() {
  if (end_key_made.load(std::memory_order_acquire))
    pthread_setspecific(end_key, reinterpret_cast<void*>(1));
}

void count_this_thread() {
  if (!counted) thread_is_made();
  counted = true;
}

void thread_is_made() {
  threads.fetch_add(1, std::memory_order_acq_rel);
}
void thread_was_not_made() {
  threads.fetch_sub(1, std::memory_order_acq_rel);
}
void forget_thread_count() {
  threads.store(1, std::memory_order_relaxed);
}

// A page is told from a slot by the lowest bit of its address.
namespace {
Start* as_page(void* packed) {
  const auto bits = reinterpret_cast<std::uintptr_t>(packed);
  return (bits & 1) == 0 ? nullptr : reinterpret_cast<Start*>(bits - 1);
}
}  // namespace

void* pack_start(const Start& start, const void* attributes, std::uint64_t stack_pointer) {
  Ledger* const here = ledger();
  if (ThreadSlot* const slot = here == nullptr ? nullptr : here->claim_slot()) {
    slot->started_ns.store(monotonic_ns(), std::memory_order_relaxed);
    slot->creator.store(
        current_slot == nullptr ? 0 : current_slot->tid.load(std::memory_order_relaxed),
        std::memory_order_relaxed);
    slot->entry.store(reinterpret_cast<std::uint64_t>(start.function), std::memory_order_relaxed);
    slot->argument.store(reinterpret_cast<std::uint64_t>(start.argument),
                         std::memory_order_relaxed);
    slot->number.store(here->next_thread_number(), std::memory_order_relaxed);
    slot->maker.store(
        current_slot == nullptr ? 0 : current_slot->number.load(std::memory_order_relaxed),
        std::memory_order_relaxed);
    slot->made_at.store(stack_pointer, std::memory_order_relaxed);
    slot->born.store(here->next_moment(), std::memory_order_relaxed);
    if (current_slot != nullptr) begin_own_order_phase(*current_slot);
    plan_stack(*slot, attributes);
    return slot;
  }
  void* const page =
      mmap(nullptr, sizeof(Start), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page == MAP_FAILED
             ? nullptr
             : static_cast<std::byte*>(static_cast<void*>(new (page) Start(start))) + 1;
}

void discard_start(void* packed) {
  const ErrnoKept errno_kept;
  if (Start* const page = as_page(packed)) {
    munmap(page, sizeof(Start));
  } else {
    ledger()->release_slot(*static_cast<ThreadSlot*>(packed));
  }
}

Start unpack_start(void* packed) {
  // By its creator; and by a signal handler, if one has locked already.
  if (std::exchange(counted, true)) thread_was_not_made();
  if (Start* const page = as_page(packed)) {
    const Start start = *page;
    munmap(page, sizeof(Start));
    watch_thread_end();
    return start;
  }
  auto& slot = *static_cast<ThreadSlot*>(packed);
  // Two of one number, and the watchdog would take one of them for that of a thread that is gone.
  if (ThreadSlot* const of_handler = detach_current()) give_back(*of_handler, *ledger());
  enter_slot(slot);
  enter_stack(slot);
  if (Ledger* const here = ledger()) note_birth(slot, *here);
  return {reinterpret_cast<void*>(slot.entry.load(std::memory_order_relaxed)),
          reinterpret_cast<void*>(slot.argument.load(std::memory_order_relaxed))};
}

void thread_leaves() {
  if (ThreadSlot* const slot = current_slot) {
    slot->life.store(static_cast<std::uint32_t>(ThreadLife::kLeaving), std::memory_order_relaxed);
  }
}

}  // namespace impasse
