#include "interpose/order_notes.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "detector/deep_holds.h"
#include "detector/life_queue.h"
#include "detector/sight_queue.h"
#include "interpose/cold_path.h"
#include "interpose/companions.h"
#include "interpose/kernel_copy.h"
#include "interpose/stack_copy.h"

namespace impasse {

constinit std::atomic<bool> orders_are_wanted{true};

namespace {

// Above this thread's outermost frames: between them and libc's record of the thread lie
// thread-local variables, kilobytes of them. 0: not known.
constinit thread_local std::uint64_t frames_end __attribute__((tls_model("initial-exec"))) = 0;

// What the kernel calls this thread, once it was asked: a call of the kernel for each order would
// be most of what an order costs.
constinit thread_local char own_name[kNameBytes] __attribute__((tls_model("initial-exec"))) = {};

void hurry() {
  if (companions.wake != nullptr) companions.wake();
}

// ---- locks on stacks

// How far below the stack pointer frames that are gone are searched for locks. What was deeper is
// found by the lowest lock that the thread told of itself.
constexpr std::uint64_t kDeadReach = std::uint64_t{64} << 10;
constexpr std::uint64_t kStackReach = std::uint64_t{256} << 10;

// The locks that stood in frames which are gone.
void end_dead_frames(ThreadSlot& slot, LockTable& locks, std::uint64_t stack_pointer) {
  if (!on_stack_of(slot, stack_pointer)) return;
  const std::uint64_t lowest = slot.lowest_stack_lock.load(std::memory_order_relaxed);
  std::uint64_t start = stack_pointer - kDeadReach;
  if (lowest != 0 && lowest < start) start = lowest;
  start = std::max(start, slot.stack_low.load(std::memory_order_relaxed));
  locks.end_range(start, stack_pointer - start);
  if (lowest < stack_pointer) slot.lowest_stack_lock.store(0, std::memory_order_relaxed);
}

void end_stack(const ThreadSlot& slot, Ledger& ledger) {
  const std::uint64_t high = slot.stack_high.load(std::memory_order_relaxed);
  if (high == 0 || slot.number.load(std::memory_order_relaxed) == Ledger::kMainThread) return;
  const std::uint64_t lowest = slot.lowest_stack_lock.load(std::memory_order_relaxed);
  std::uint64_t start = high - kStackReach;
  if (lowest != 0 && lowest < start) start = lowest;
  start = std::max(start, slot.stack_low.load(std::memory_order_relaxed));
  LockTable(ledger).end_range(start, high - start);
}

// ---- what is told of a lock

// A lock that this thread is about to take may be read. One that it holds may be gone, against the
// rules: it is read through the kernel.
bool prefers_writers(std::uint64_t lock, bool about_to_take) {
  pthread_rwlock_t copy;
  const auto* there = reinterpret_cast<const pthread_rwlock_t*>(lock);
  if (!about_to_take) {
    const iovec to{&copy, sizeof copy};
    const iovec from{reinterpret_cast<void*>(lock), sizeof copy};
    if (copy_by_kernel(to, &from, 1) != sizeof copy) return false;
    there = &copy;
  }
  return there->__data.__flags == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;
}

bool told_to_prefer_writers(LockRecord& record, std::uint64_t lock, bool about_to_take) {
  std::uint32_t traits = record.traits.load(std::memory_order_relaxed);
  if ((traits & lock_trait::kAsked) == 0) {
    traits = lock_trait::kAsked |
             (prefers_writers(lock, about_to_take) ? lock_trait::kPrefersWriters : 0);
    record.traits.fetch_or(traits, std::memory_order_relaxed);
  }
  return (traits & lock_trait::kPrefersWriters) != 0;
}

// A lock as this thread has it, or wants it.
struct Taking {
  std::uint64_t lock;
  std::uint64_t site;  // as Hold::site
  std::uint64_t stamp;
  bool about_to_take = false;
};

// False: there is no record for the lock.
bool describe(RawSightedLock& to, ThreadSlot& slot, LockTable& locks, const Taking& taking) {
  const auto kind = static_cast<LockKind>((taking.site >> kTraitShift) & hold_trait::kKindMask);
  LockRecord* const record = locks.matters(taking.lock, kind, taking.site);
  if (record == nullptr) return false;
  std::uint64_t marks = 0;
  if (kind == LockKind::kRwlock &&
      told_to_prefer_writers(*record, taking.lock, taking.about_to_take)) {
    marks |= sight_mark::kPrefersWriters;
  }
  if (on_stack_of(slot, taking.lock)) {
    marks |= sight_mark::kOnStack;
    const std::uint64_t lowest = slot.lowest_stack_lock.load(std::memory_order_relaxed);
    if (lowest == 0 || taking.lock < lowest)
      slot.lowest_stack_lock.store(taking.lock, std::memory_order_relaxed);
  }
  to.address = taking.lock;
  to.record = locks.number_of(*record);
  to.generation = record->generation.load(std::memory_order_acquire);
  to.site = (taking.site & ~(std::uint64_t{0xff} << kPhaseShift)) | marks << kPhaseShift;
  to.stamp = taking.stamp;
  to.birth = record->first_site.load(std::memory_order_relaxed);
  return true;
}

// ---- what this thread has

// Places of a table of deep holds that are looked at; a thread with more holds too many to tell.
constexpr std::size_t kDeepPlaces = 4'096;

// Calls visit(hold, its lock, its site) for one that this thread has now. Not for one that it asks
// for or has given back for a while: a signal handler interrupted that.
template <typename AnyHold, typename Visit>
void visit_held(const AnyHold& hold, Visit& visit) {
  const std::uint64_t lock = hold.lock.load(std::memory_order_relaxed);
  const std::uint64_t site = hold.site.load(std::memory_order_relaxed);
  const bool held = lock > deep::kRemoved && (site >> kPhaseShift) == hold_phase::kHeld;
  if (held && (site >> kTraitShift & hold_trait::kAgain) == 0)
    visit(Taking{lock, site, hold.stamp.load(std::memory_order_relaxed)});
}

// Each lock that this thread has, once, as visit(const Taking&): oldest first, those beyond
// kInlineHolds in no order.
template <typename Visit>
void each_held(const ThreadSlot& slot, const Ledger& ledger, Visit visit) {
  const std::uint64_t depth =
      std::min<std::uint64_t>(depth_of(slot.state.load(std::memory_order_relaxed)), kInlineHolds);
  for (std::uint64_t i = 0; i < depth; ++i) visit_held(slot.holds[i], visit);
  if (slot.deep.load(std::memory_order_relaxed) == 0) return;
  for (const DeepHold& hold : deep::places(slot, ledger)) visit_held(hold, visit);
}

struct Having {
  std::size_t locks = 0;
  bool wanted_already = false;
  bool wanted_exclusively = false;  // ... and not only to read
};

Having look_at_held(const ThreadSlot& slot, const Ledger& ledger, std::uint64_t wanted) {
  Having having;
  each_held(slot, ledger, [&](const Taking& held) {
    ++having.locks;
    if (held.lock != wanted) return;
    having.wanted_already = true;
    if ((held.site >> kTraitShift & hold_trait::kShared) == 0) having.wanted_exclusively = true;
  });
  return having;
}

bool too_deep(Ledger& ledger) {
  ledger.count(k_orders_too_deep);
  return true;
}

// As the thread is called now, which may be another name than an hour ago.
void copy_name(char (&to)[kNameBytes], const ThreadSlot& slot) {
  if (slot.name_known.load(std::memory_order_relaxed) == 0) {
    if (own_name[0] == '\0' && prctl(PR_GET_NAME, own_name) != 0) own_name[0] = '\0';
    std::memcpy(to, own_name, sizeof to);
    return;
  }
  std::uint64_t words[kNameBytes / 8];
  for (unsigned i = 0; i < kNameBytes / 8; ++i)
    words[i] = slot.name[i].load(std::memory_order_relaxed);
  std::memcpy(to, words, sizeof words);
}

struct NewOrder {
  std::uint64_t path;
  const NewHold& wanted;
  bool again;
};

// What the thread has of the very lock that it takes is no order, but for one: a reader who reads
// again is behind a writer who waits for him, where the lock prefers writers.
bool reads_again(const NewHold& wanted, const Having& having) {
  return having.wanted_already && !having.wanted_exclusively &&
         (wanted.traits & hold_trait::kShared) != 0 && prefers_writers(wanted.lock, true);
}

// False: there is nothing to tell.
bool describe_order(RawSight& sight, RawSightedLock* to, ThreadSlot& slot, Ledger& ledger,
                    const NewOrder& order, bool with_wanted) {
  const NewHold& wanted = order.wanted;
  LockTable locks(ledger);
  end_dead_frames(slot, locks, wanted.stack_pointer);
  // Without one of them the others could look as if they had no gate.
  bool whole = true;
  std::uint32_t count = 0;
  each_held(slot, ledger, [&](const Taking& held) {
    if (held.lock == wanted.lock && !with_wanted) return;
    whole = whole && describe(to[count], slot, locks, held);
    if (whole) ++count;
  });
  const std::uint64_t stamp = tick_now() | (wanted.stack_pointer & 0xffff'ffff) << 32;
  const Taking taking{wanted.lock, site_word(wanted.site, wanted.traits, 0), stamp, true};
  if (!whole || count == 0 || !describe(sight.wanted, slot, locks, taking)) return false;
  sight.held_count = count;
  sight.thread = slot.number.load(std::memory_order_relaxed);
  sight.tid = slot.tid.load(std::memory_order_relaxed);
  sight.again = order.again ? 1 : 0;
  sight.path = order.path;
  sight.when_ns = monotonic_ns();
  sight.moment = ledger.next_moment();
  copy_name(sight.name, slot);
  return true;
}

// What is to be copied of the stack.
std::size_t stack_to_tell(const ThreadSlot& slot, std::uint64_t start, const Having& having) {
  const std::size_t bytes = copyable_stack(slot, start, stack_room(having.locks));
  const bool bounded = on_stack_of(slot, start) && start < frames_end;
  return bounded ? std::min(bytes, frames_end - start) : bytes;
}

// False: there is nothing to tell. The registers have been saved.
bool fill_in(SightQueue& queue, RawSight& sight, ThreadSlot& slot, Ledger& ledger,
             const NewOrder& order, const Having& having) {
  const std::size_t locks_bytes = having.locks * sizeof(RawSightedLock);
  const std::uint64_t start = sight.registers[kRsp];
  const std::size_t stack = stack_to_tell(slot, start, having);
  const std::size_t room = queue.ready(sight, locks_bytes + stack);
  const std::span<std::uint8_t> rest = queue.rest_of(sight);
  if (room < locks_bytes ||
      !describe_order(sight, held_in(rest), slot, ledger, order, having.wanted_already)) {
    return false;
  }
  // Those that are not told of leave more room than was asked for.
  const std::size_t begin = sight.held_count * sizeof(RawSightedLock);
  sight.stack_start = start;
  sight.stack_bytes = static_cast<std::uint32_t>(
      copy_own_stack(slot, start, rest.data() + begin, std::min(stack, room - locks_bytes)));
  return true;
}

// Whether the path is to be remembered: it was told, or never will be. Not inlined: its frame is
// where the walk of the copied stack begins.
[[gnu::noinline, gnu::cold]] bool tell_order(ThreadSlot& slot, Ledger& ledger,
                                             const NewOrder& order) {
  SightQueue queue(ledger);
  if (queue.refuses() || deep::changing(slot)) return false;
  if (deep::places(slot, ledger).size() > kDeepPlaces) return too_deep(ledger);
  const ErrnoKept errno_kept;
  Having having = look_at_held(slot, ledger, order.wanted.lock);
  if (having.locks > kSightedLocks) return too_deep(ledger);
  if (order.again) {
    having.wanted_already = false;
  } else if (having.wanted_already && !reads_again(order.wanted, having)) {
    return true;
  }
  std::uint64_t registers[kSavedRegisters];
  IMPASSE_SAVE_REGISTERS(registers);
  RawSight* const sight = queue.claim();
  if (sight == nullptr) return false;
  if (!ledger.known_orders().add(order.path, slot.number.load(std::memory_order_relaxed),
                                 slot.order_phase.load(std::memory_order_relaxed))) {
    queue.discard(*sight);
    ledger.count(k_orders_dropped);
    return false;  // our own thread begins the set anew
  }
  std::copy(std::begin(registers), std::end(registers), sight->registers);
  if (!fill_in(queue, *sight, slot, ledger, order, having)) {
    queue.discard(*sight);
    return true;
  }
  if (queue.tell(*sight)) hurry();
  return true;
}

bool known(const ThreadSlot& slot, Ledger* ledger, std::uint64_t path) {
  return ledger == nullptr || !orders_wanted() ||
         ledger->known_orders().contains(path, slot.number.load(std::memory_order_relaxed),
                                         slot.order_phase.load(std::memory_order_relaxed));
}

void tell_life(Ledger& ledger, const LifeEvent& event) {
  if (orders_wanted() && LifeQueue(ledger).tell(event)) hurry();
}

}  // namespace

void want_orders(bool wanted) {
  orders_are_wanted.store(wanted, std::memory_order_relaxed);
}

void note_order(ThreadSlot& slot, std::uint64_t path, const NewHold& hold) {
  Ledger* const here = ledger();
  if (known(slot, here, path) || tell_order(slot, *here, {path, hold, false}))
    HoldStack(slot, here).remember(path);
}

void note_order_again(ThreadSlot& slot, std::uint64_t mutex, std::uint64_t site,
                      std::uint64_t stack_pointer) {
  constexpr std::uint64_t kAgainSeed = 0xa076'1d64'78bd'642f;
  std::uint64_t path = kAgainSeed;
  std::uint64_t levels = 0;
  bool others = false;
  const std::uint64_t depth =
      std::min<std::uint64_t>(depth_of(slot.state.load(std::memory_order_relaxed)), kInlineHolds);
  for (std::uint64_t i = 0; i < depth; ++i) {
    const std::uint64_t lock = slot.holds[i].lock.load(std::memory_order_relaxed);
    const std::uint64_t traits = slot.holds[i].site.load(std::memory_order_relaxed) >> kTraitShift;
    if (lock == mutex) {
      ++levels;
    } else if ((traits & hold_trait::kAgain) == 0) {
      path = extend_path(path, lock_key(lock, static_cast<std::uint8_t>(traits)));
      others = true;
    }
  }
  Ledger* const here = ledger();
  if (here != nullptr) {
    const DeepHold* const deeply = deep::find(slot, *here, mutex);
    if (deeply != nullptr) levels += deeply->levels.load(std::memory_order_relaxed);
    const std::uint64_t deeper = deep::hash_of_all(slot, *here, mutex);
    if (deeper != 0) {
      path = extend_path(path, deeper);
      others = true;
    }
  }
  // libc gives back one level of a recursive mutex: with more of them it stays this thread's.
  if (!others || levels != 1) return;
  path = extend_path(path, lock_key(mutex, 0));
  if (slot.seen[seen_place(path)].load(std::memory_order_relaxed) == path) return;
  const NewHold hold{mutex, site, stack_pointer, static_cast<std::uint8_t>(LockKind::kMutex)};
  if (known(slot, here, path) || tell_order(slot, *here, {path, hold, true}))
    HoldStack(slot, here).remember(path);
}

void note_birth(const ThreadSlot& slot, Ledger& ledger) {
  // Of a thread that libc made for us, and this is near its beginning: room for what comes before,
  // which is three functions of ours and of libc.
  constexpr std::uint64_t kOutermostFrames = 384;
  if (slot.stack_high.load(std::memory_order_relaxed) != 0 &&
      slot.number.load(std::memory_order_relaxed) != Ledger::kMainThread) {
    frames_end = reinterpret_cast<std::uint64_t>(__builtin_frame_address(0)) + kOutermostFrames;
  }
  tell_life(ledger,
            {LifeEvent::Kind::kBorn, slot.number.load(std::memory_order_relaxed),
             slot.maker.load(std::memory_order_relaxed), slot.born.load(std::memory_order_relaxed),
             pthread_self(), slot.made_at.load(std::memory_order_relaxed)});
}

void note_end(const ThreadSlot& slot, Ledger& ledger) {
  end_stack(slot, ledger);
  tell_life(ledger, {LifeEvent::Kind::kEnded, slot.number.load(std::memory_order_relaxed), 0,
                     ledger.next_moment(), pthread_self()});
}

void note_join(pthread_t handle) {
  Ledger* const here = ledger();
  const ThreadSlot* const slot = current_slot;
  if (here == nullptr || slot == nullptr) return;
  const ErrnoKept errno_kept;
  tell_life(*here, {LifeEvent::Kind::kJoined, 0, slot->number.load(std::memory_order_relaxed),
                    here->next_moment(), handle});
}

}  // namespace impasse
