// Scenes with waits for what others signal: who signalled, who was woken before, who made whom.
#pragma once

#include <algorithm>

#include "detector/signal_notes.h"
#include "detector/stuck_groups.h"
#include "scene.h"

namespace impasse::test {

inline constexpr std::uint64_t kLasting = 100;  // ticks: a second

class GroupsScene : public Scene {
 public:
  GroupsScene() {
    all_tasks = {};
    tasks_known = true;
    signals_caught = false;
    timer_running = false;
  }

  // Its number is 1 more than its index.
  std::uint32_t thread() {
    const std::uint32_t index = Scene::thread();
    snapshot.threads[index].number = index + 1;
    all_tasks.push_back(tid(index));
    return index;
  }

  // What is known of it, beginning with nothing.
  LockFact& object(std::uint64_t address, LockKind kind = LockKind::kCondition) {
    const auto known = std::find_if(snapshot.locks.begin(), snapshot.locks.end(),
                                    [address](const auto& l) { return l.address == address; });
    if (known != snapshot.locks.end()) return *known;
    LockFact fact;
    fact.address = address;
    fact.kind = kind;
    snapshot.locks.push_back(fact);
    return snapshot.locks.back();
  }

  static constexpr std::uint64_t kDepth = 0x240;

  // As others have waited from the same place before, and were woken.
  WaitFact& waits_for(std::uint32_t thread, std::uint64_t condition, std::uint64_t mutex,
                      std::uint64_t ticks = kLasting) {
    WaitFact& wait = waits(thread, WaitKind::kCondition, condition, ticks);
    wait.partner = mutex;
    locks[mutex].readable = true;
    wait.place = wait_place(wait.site, kDepth);
    object(condition).woken_sites |= site_bit(wait.site) | site_bit(wait.place);
    return wait;
  }
  WaitFact& waits_to_be_posted(std::uint32_t thread, std::uint64_t semaphore,
                               std::uint64_t ticks = kLasting) {
    WaitFact& wait = waits(thread, WaitKind::kSemaphore, semaphore, ticks);
    wait.place = wait_place(wait.site, kDepth);
    object(semaphore, LockKind::kSemaphore).woken_sites |=
        site_bit(wait.site) | site_bit(wait.place);
    return wait;
  }
  void signals(std::uint32_t thread, std::uint64_t condition, std::uint32_t tick = 1) {
    signalled(thread, condition, SignalKind::kSignal, tick);
  }
  void posts(std::uint32_t thread, std::uint64_t semaphore, std::uint32_t tick = 1) {
    signalled(thread, semaphore, SignalKind::kPost, tick);
  }

  // Has had this mutex, or asked for this semaphore.
  void touches(std::uint32_t thread, std::uint64_t object) {
    add_place(snapshot.threads[thread].touched, touched_place(object));
  }

  std::vector<Verdict> judged_groups() const {
    const WaitGraph graph(snapshot, probe, sleep);
    std::vector<Verdict> verdicts = judge(snapshot, graph, {});
    judge_groups(snapshot, graph, probe, process(), verdicts);
    return verdicts;
  }
  // The only group that is stuck.
  Verdict group() const {
    const auto verdicts = judged_groups();
    const auto found = std::find_if(verdicts.begin(), verdicts.end(),
                                    [](const Verdict& v) { return is_of_group(v.kind); });
    return found == verdicts.end() ? Verdict{} : *found;
  }
  bool silent() const {
    const auto verdicts = judged_groups();
    return std::none_of(verdicts.begin(), verdicts.end(),
                        [](const Verdict& v) { return is_of_group(v.kind); });
  }

  static ProcessView process() {
    return {[](std::vector<std::uint32_t>& tids) {
              tids = all_tasks;
              return tasks_known;
            },
            [] { return signals_caught; }, [] { return timer_running; }};
  }
  // Everybody who waits sleeps there.
  void all_sleep() {
    for (std::uint32_t i = 0; i < snapshot.threads.size(); ++i) {
      if (snapshot.threads[i].wait) sleeps_at(i, snapshot.threads[i].wait->object);
    }
  }

  static inline std::vector<std::uint32_t> all_tasks;
  static inline bool tasks_known = true;
  static inline bool signals_caught = false;
  static inline bool timer_running = false;

 private:
  void signalled(std::uint32_t thread, std::uint64_t object, SignalKind kind, std::uint32_t tick) {
    SignalFact fact;
    fact.object = object;
    fact.kind = kind;
    fact.site = 0x5000 + object;
    fact.count = 1;
    fact.tick = tick;
    snapshot.threads[thread].signals.push_back(fact);
  }
};

inline std::vector<std::uint32_t> waiters_of(const Verdict& verdict) {
  std::vector<std::uint32_t> waiters;
  for (const VerdictLink& link : verdict.crowd) waiters.push_back(link.waiter);
  std::sort(waiters.begin(), waiters.end());
  return waiters;
}

}  // namespace impasse::test
