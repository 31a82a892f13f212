// Findings that become more than they were: each first step is told, and the second one makes it
// grow.
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "actor.h"
#include "blocked_thread.h"

namespace actor {
namespace {

template <typename Object>
void wait_until_blocked(const std::atomic<pid_t>& tid, const Object& object) {
  samples::wait_until(
      [&] { return tid != 0 && samples::is_blocked_on(tid, &object, sizeof object); });
}

// ---- a lock left behind

std::mutex left_mutex;

[[gnu::noinline]] void leave_locked() {
  left_mutex.lock();
}

[[gnu::noinline]] void want_what_was_left(std::atomic<pid_t>& tid) {
  tid = gettid();
  left_mutex.lock();
}

// ---- two that play with each other, until the ball is lost

constexpr int kStrokes = 100;
// Not of the C++ library: its destructor would wait for the players when the process ends.
pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t ball_moved = PTHREAD_COND_INITIALIZER;
std::array<std::atomic<pid_t>, 2> player_tids;
std::array<pthread_t, 2> players;
std::atomic<int> strokes{0};

[[gnu::noinline]] void await_ball(int player) {
  while (strokes % 2 != player || strokes >= kStrokes) pthread_cond_wait(&ball_moved, &table);
}

void* play(void* argument) {
  const auto player = reinterpret_cast<std::size_t>(argument);
  player_tids[player] = gettid();
  pthread_mutex_lock(&table);
  for (;;) {
    await_ball(static_cast<int>(player));
    ++strokes;
    pthread_cond_broadcast(&ball_moved);
  }
  return nullptr;
}

[[gnu::noinline]] void look_on_for_ever() {
  pthread_join(players[0], nullptr);
}

// ---- a long wait, and the way back

std::mutex front;
std::mutex back;
std::atomic<pid_t> host_tid{0};
std::atomic<pid_t> guest_tid{0};
std::atomic<bool> host_goes_back{false};
std::atomic<bool> host_is_in{false};

[[gnu::noinline]] void receive_guests() {
  const std::lock_guard mine(front);
  host_is_in = true;
  host_tid = gettid();
  while (!host_goes_back) usleep(1'000);
  const std::lock_guard other(back);
}

[[gnu::noinline]] void come_to_front() {
  while (!host_is_in) usleep(1'000);
  const std::lock_guard mine(back);
  guest_tid = gettid();
  const std::lock_guard other(front);
}

[[gnu::noinline]] void want_front_too(std::atomic<pid_t>& tid) {
  tid = gettid();
  const std::lock_guard hold(front);
}

}  // namespace

void leave_lock(const char*) {
  std::thread(leave_locked).join();
}

void want_left_lock(const char*) {
  static std::atomic<pid_t> tid{0};
  std::thread([] { want_what_was_left(tid); }).detach();
  wait_until_blocked(tid, left_mutex);
}

void lose_ball(const char*) {
  for (std::size_t i = 0; i < players.size(); ++i) {
    pthread_create(&players[i], nullptr, play, reinterpret_cast<void*>(i));
  }
  samples::wait_until([] { return strokes == kStrokes; });
  for (const auto& tid : player_tids) wait_until_blocked(tid, ball_moved);
}

void look_on(const char* status) {
  static int wanted = 0;
  wanted = std::atoi(status);
  struct sigaction action {};
  action.sa_handler = [](int) { std::exit(wanted); };
  sigaction(SIGUSR1, &action, nullptr);
  look_on_for_ever();
}

void wait_long(const char*) {
  std::thread(receive_guests).detach();
  std::thread(come_to_front).detach();
  wait_until_blocked(guest_tid, front);
}

void close_circle(const char*) {
  host_goes_back = true;
  wait_until_blocked(host_tid, back);
}

void come_late(const char*) {
  static std::atomic<pid_t> tid{0};
  std::thread([] { want_front_too(tid); }).detach();
  wait_until_blocked(tid, front);
}

}  // namespace actor
