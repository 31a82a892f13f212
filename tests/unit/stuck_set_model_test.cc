// The set of stuck threads against its definition, taken literally, in random scenes.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "detector/stuck_set.h"
#include "groups_scene.h"

namespace impasse {
namespace {

using test::GroupsScene;
using Set = std::set<std::uint32_t>;

constexpr std::uint64_t kLocks = 1, kConditions = 0x100, kSemaphores = 0x200, kPartners = 0x300;

class Model {
 public:
  Model(const GroupsScene& scene, const WaitGraph& graph)
      : snapshot_(scene.snapshot), locks_(scene.locks), graph_(graph) {}

  Set stuck() const {
    Set set;
    for (std::uint32_t i = 0; i < snapshot_.threads.size(); ++i) {
      if (waits_long(i)) set.insert(i);
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (const std::uint32_t i : Set(set)) {
        if (!stays(i, set)) changed = set.erase(i) != 0;
      }
    }
    return set;
  }

 private:
  bool waits_long(std::uint32_t thread) const {
    const auto& wait = graph_.wait(thread);
    if (!wait || wait->timed || wait->in_handler || snapshot_.threads[thread].changing)
      return false;
    return (snapshot_.tick - wait->tick) * snapshot_.tick_ns >= kLastingNs;
  }

  bool stays(std::uint32_t thread, const Set& set) const {
    const CurrentWait& wait = *graph_.wait(thread);
    if (wait.for_lock() || wait.kind == WaitKind::kJoin) return is_blocked(thread, set);
    return wait.for_signal() && waits_in_vain(thread, wait, set);
  }

  bool is_blocked(std::uint32_t thread, const Set& set) const {
    const Obstacle* const obstacle = graph_.before(thread);
    if (obstacle == nullptr) return false;
    for (const Blocker& blocker : obstacle->blockers) {
      if (blocker.departure != kNoOne && !obstacle->state.robust) return true;
      if (blocker.thread != kNoOne && !blocker.above_wait && set.contains(blocker.thread)) {
        return true;
      }
    }
    return false;
  }

  LockState state(std::uint64_t object) const {
    const auto known = locks_.find(object);
    return known == locks_.end() ? LockState{} : known->second;
  }

  const LockFact* fact(const CurrentWait& wait) const {
    for (const LockFact& one : snapshot_.locks) {
      if (one.address == wait.object && one.kind == lock_kind(wait.kind)) return &one;
    }
    return nullptr;
  }

  bool waits_in_vain(std::uint32_t waiter, const CurrentWait& wait, const Set& set) const {
    const LockState object = state(wait.object);
    const LockFact* const known = fact(wait);
    if (!object.readable || object.between_processes || object.tokens != 0) return false;
    if (known == nullptr || (known->woken_sites & site_bit(wait.site)) == 0) return false;
    const bool place = wait.place != 0 && (known->woken_sites & site_bit(wait.place)) != 0;
    if (!place && !(signals(waiter, wait.object) && is_signalled_often(wait.object))) return false;
    if (snapshot_.counters[k_threads_without_slot] != 0) return false;
    bool any = false;
    for (std::uint32_t i = 0; i < snapshot_.threads.size(); ++i) {
      const ThreadFact& thread = snapshot_.threads[i];
      if (thread.signals_lost && !set.contains(i)) return false;
      for (const SignalFact& signal : thread.signals) {
        if (signal.object != wait.object) continue;
        any = true;
        if (!set.contains(i)) return false;
      }
      if (!set.contains(i) && is_like_a_signaller(thread, wait.object, *known)) return false;
      if (!set.contains(i) && has_touched(thread, wait)) return false;
    }
    if (const std::uint32_t maker = known->gone_signallers_maker) {
      any = true;
      bool stands_still = false;
      for (const std::uint32_t i : set)
        stands_still = stands_still || snapshot_.threads[i].number == maker;
      if (!stands_still) return false;
    }
    return any && !is_in_use(wait.partner, set);
  }

  // The mutex of anybody who waits for the condition, or the semaphore.
  bool has_touched(const ThreadFact& thread, const CurrentWait& awaited) const {
    for (std::uint32_t i = 0; i < snapshot_.threads.size(); ++i) {
      const auto& wait = graph_.wait(i);
      if (!waits_long(i) || wait->kind != awaited.kind || wait->object != awaited.object) continue;
      const bool posted = wait->kind == WaitKind::kSemaphore;
      const std::uint64_t place = touched_place(posted ? wait->object : wait->partner);
      if ((thread.touched[place / 64] >> (place % 64) & 1) != 0) return true;
    }
    return false;
  }

  bool signals(std::uint32_t thread, std::uint64_t object) const {
    const auto& signals = snapshot_.threads[thread].signals;
    return std::any_of(signals.begin(), signals.end(),
                       [object](const SignalFact& signal) { return signal.object == object; });
  }

  bool is_like_a_signaller(const ThreadFact& thread, std::uint64_t object,
                           const LockFact& known) const {
    for (std::uint32_t i = 0; i < snapshot_.threads.size(); ++i) {
      const std::uint64_t entry = snapshot_.threads[i].entry;
      if (entry != 0 && entry == thread.entry && signals(i, object)) return true;
    }
    return known.gone_signallers_maker != 0 && known.gone_signallers_maker == thread.maker;
  }

  bool is_signalled_often(std::uint64_t object) const {
    for (const ThreadFact& thread : snapshot_.threads) {
      for (const SignalFact& signal : thread.signals) {
        if (signal.object == object && signal.count >= kManySignals) return true;
      }
    }
    return false;
  }

  bool is_in_use(std::uint64_t mutex, const Set& set) const {
    if (mutex == 0) return false;
    bool owner_known = state(mutex).owner == 0;
    for (std::uint32_t i = 0; i < snapshot_.threads.size(); ++i) {
      const ThreadFact& thread = snapshot_.threads[i];
      const bool owner = thread.tid == state(mutex).owner;
      owner_known = owner_known || owner;
      if (set.contains(i)) continue;
      if (owner) return true;
      for (const HoldFact& hold : thread.holds) {
        if (hold.lock == mutex && hold.phase != hold_phase::kGivenBack) return true;
      }
      if (graph_.wait(i) && graph_.wait(i)->for_lock() && graph_.wait(i)->object == mutex) {
        return true;
      }
    }
    for (const DepartureFact& gone : snapshot_.departures) {
      owner_known = owner_known || (gone.hold.lock == mutex && gone.tid == state(mutex).owner);
    }
    return !owner_known;
  }

  const Snapshot& snapshot_;
  const std::map<std::uint64_t, LockState>& locks_;
  const WaitGraph& graph_;
};

class RandomScene : public GroupsScene {
 public:
  explicit RandomScene(std::mt19937& random) : random_(random) {
    const unsigned n = 2 + below(7);
    for (unsigned i = 0; i < n; ++i) thread();
    for (unsigned i = 0; i < n; ++i) {
      if (below(3) == 0) holds(i, kLocks + below(4));
      if (below(6) == 0) holds(i, kPartners + below(2)).phase = any_phase();
      if (below(12) == 0) snapshot.threads[i].signals_lost = true;
      if (below(40) == 0) snapshot.threads[i].changing = true;
      if (below(5) == 0) snapshot.threads[i].entry = 0x900 + below(3);
      if (below(5) == 0) snapshot.threads[i].maker = 1 + below(n);
      if (below(12) == 0) touches(i, kPartners + below(2));
      if (below(12) == 0) touches(i, kSemaphores + below(2));
    }
    for (unsigned i = 0; i < n; ++i) {
      if (below(8) != 0) let_wait(i, n);
      for (unsigned times = below(3); times > 0; --times) {
        if (below(4) != 0) {
          signals(i, kConditions + below(3));
        } else {
          posts(i, kSemaphores + below(2));
        }
      }
      signal_often(i);
    }
    if (below(8) == 0) left(kLocks + below(4), LockKind::kMutex, 4'711);
    for (LockFact& fact : snapshot.locks) spoil(fact, n);
    for (auto& [address, state] : locks) {
      if (below(20) == 0) state.robust = true;
      if (below(30) == 0) state.readable = false;
      if (address < kConditions || address >= kPartners) continue;
      if (below(20) == 0) state.between_processes = true;
      if (address >= kSemaphores && below(10) == 0) state.tokens = 1;
    }
    if (below(10) == 0) locks[kPartners].owner = 100 + below(12);
    if (below(60) == 0) snapshot.counters[k_threads_without_slot] = 1;
  }

 private:
  std::uint32_t below(unsigned n) { return static_cast<std::uint32_t>(random_() % n); }
  std::uint8_t any_phase() { return static_cast<std::uint8_t>(below(3)); }

  void let_wait(std::uint32_t i, unsigned n) {
    const std::uint64_t ticks = below(12) == 0 ? 20 : 30 + below(100);
    switch (below(10)) {
      case 0:
      case 1:
        wants(i, kLocks + below(4), ticks);
        break;
      case 2:
        wants(i, kPartners + below(2), ticks);
        break;
      case 3:
      case 4:
        joins(i, below(n), ticks);
        break;
      case 5:
        waits_to_be_posted(i, kSemaphores + below(2), ticks);
        break;
      case 6:
        if (below(4) == 0) waits(i, WaitKind::kBarrier, 0x400, ticks);
        break;
      default:
        waits_for(i, kConditions + below(3), kPartners + below(2), ticks);
    }
    if (!snapshot.threads[i].wait) return;
    snapshot.threads[i].wait->timed = below(12) == 0;
    snapshot.threads[i].wait->outer = below(40) == 0 ? 1 : 0;
    if (below(6) == 0) snapshot.threads[i].wait->place = below(2) * 0x9999;
  }

  void signal_often(std::uint32_t thread) {
    for (SignalFact& fact : snapshot.threads[thread].signals) {
      if (below(3) == 0) fact.count = kManySignals - 1 + below(2);
    }
  }

  void spoil(LockFact& fact, unsigned n) {
    if (below(9) == 0) fact.woken_sites = std::uint64_t{random_()} << 32 | random_();
    if (below(10) == 0) fact.woken_sites = 0;
    if (below(30) == 0) fact.address += 0x1'000;
    if (below(4) == 0) fact.gone_signallers_maker = 1 + below(n + 1);
    if (below(30) == 0) fact.gone_signallers_maker = kSeveralMakers;
  }

  std::mt19937& random_;
};

TEST(StuckSetModel, IsTheLargestSetInWhichNobodyIsHelped) {
  std::mt19937 random(1'917);
  unsigned stuck_scenes = 0;
  unsigned signalled_in_vain = 0;
  for (int round = 0; round < 20'000; ++round) {
    RandomScene scene(random);
    const WaitGraph graph(scene.snapshot, GroupsScene::probe, GroupsScene::sleep);
    const StuckSet stuck(scene.snapshot, graph, GroupsScene::probe);
    const Set expected = Model(scene, graph).stuck();
    Set got;
    bool in_vain = false;
    for (std::uint32_t i = 0; i < scene.snapshot.threads.size(); ++i) {
      if (!stuck.contains(i)) continue;
      got.insert(i);
      in_vain = in_vain || graph.wait(i)->for_signal();
    }
    ASSERT_EQ(got, expected) << "round " << round;
    if (!got.empty()) ++stuck_scenes;
    if (in_vain) ++signalled_in_vain;
  }
  // The scenes are about something.
  EXPECT_GT(stuck_scenes, 2'000U);
  EXPECT_GT(signalled_in_vain, 500U);
}

}  // namespace
}  // namespace impasse
