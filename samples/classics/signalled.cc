#include <chrono>
#include <condition_variable>
#include <mutex>

#include "classics/classics.h"

namespace classics {

// ---- woken up, but the one who signalled keeps the mutex and wants what the sleeper never gave
// back

std::mutex stage_mutex;
std::mutex curtain_mutex;
std::condition_variable cue_given;
bool cue = false;
bool waiting = false;
int scenes = 0;

template <typename Wait>
[[gnu::noinline]] void waitForCue(Wait wait) {
  std::lock_guard curtain(curtain_mutex);
  std::unique_lock stage(stage_mutex);
  waiting = true;
  while (!cue) wait(stage);
  ++scenes;
}

// The actor is at its condition, with the stage's mutex given back.
void takeStage(std::unique_lock<std::mutex>& stage) {
  for (;;) {
    stage.lock();
    if (waiting) return;
    stage.unlock();
    std::this_thread::yield();
  }
}

[[gnu::noinline]] void giveCue(bool repaired) {
  std::unique_lock stage(stage_mutex, std::defer_lock);
  takeStage(stage);
  cue = true;
  cue_given.notify_one();
  if (repaired) stage.unlock();
  std::lock_guard curtain(curtain_mutex);
  ++scenes;
}

template <typename Wait>
int signalled(const samples::Arguments& arguments, bool repaired, Wait wait) {
  samples::Actor actor("actor", [wait] { waitForCue(wait); });
  samples::Actor prompter("prompter", [repaired] { giveCue(repaired); });
  if (!repaired) {
    samples::stay_stuck_when(
        arguments,
        [&] { return actor.is_blocked_on(stage_mutex) && prompter.is_blocked_on(curtain_mutex); },
        {&actor, &prompter});
  }
  actor.join();
  prompter.join();
  return scenes == 2 ? 0 : 1;
}

int signalled_holding(const samples::Arguments& arguments, bool repaired) {
  return signalled(arguments, repaired,
                   [](std::unique_lock<std::mutex>& stage) { cue_given.wait(stage); });
}

// A time limit is one of waiting for the signal: the mutex is taken again without one.
int signalled_in_time(const samples::Arguments& arguments, bool repaired) {
  return signalled(arguments, repaired, [](std::unique_lock<std::mutex>& stage) {
    cue_given.wait_for(stage, std::chrono::seconds(5));
  });
}

// ---- the same through the end of a thread: the one who joins has the mutex

pthread_mutex_t samples_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t more_wanted = PTHREAD_COND_INITIALIZER;
bool enough = false;
bool collecting = false;

[[gnu::noinline]] void collect() {
  pthread_mutex_lock(&samples_mutex);
  collecting = true;
  while (!enough) pthread_cond_wait(&more_wanted, &samples_mutex);
  pthread_mutex_unlock(&samples_mutex);
}

[[gnu::noinline]] void stopCollecting(samples::Actor& collector, bool repaired) {
  pthread_mutex_lock(&samples_mutex);
  while (!collecting) {
    pthread_mutex_unlock(&samples_mutex);
    std::this_thread::yield();
    pthread_mutex_lock(&samples_mutex);
  }
  enough = true;
  pthread_cond_signal(&more_wanted);
  if (repaired) pthread_mutex_unlock(&samples_mutex);
  collector.join();
  if (!repaired) pthread_mutex_unlock(&samples_mutex);
}

int signalled_join(const samples::Arguments& arguments, bool repaired) {
  samples::Actor collector("collector", collect);
  samples::Actor owner("owner", [&] { stopCollecting(collector, repaired); });
  if (!repaired) {
    samples::stay_stuck_when(
        arguments,
        [&] { return collector.is_blocked_on(samples_mutex) && owner.is_joining(collector); },
        {&collector, &owner});
  }
  owner.join();
  return 0;
}

}  // namespace classics
