// Locks of other kinds, and other ways of taking them.
#include <threads.h>

#include <array>
#include <chrono>
#include <csignal>
#include <ctime>

#include "order_cases/order_cases.h"

namespace order_cases {

using std::chrono::seconds;

std::mutex left_mutex;
std::mutex right_mutex;

// ---- spinlocks and C11's mutexes

pthread_spinlock_t ring_lock;
pthread_spinlock_t stats_lock;
mtx_t inbox_mtx;
mtx_t outbox_mtx;

namespace {

class Spinning {
 public:
  explicit Spinning(pthread_spinlock_t& lock) : lock_(lock) {}
  [[gnu::always_inline]] inline void lock() { pthread_spin_lock(&lock_); }
  [[gnu::always_inline]] inline void unlock() { pthread_spin_unlock(&lock_); }

 private:
  pthread_spinlock_t& lock_;
};

class C11 {
 public:
  explicit C11(mtx_t& lock) : lock_(lock) {}
  [[gnu::always_inline]] inline void lock() { mtx_lock(&lock_); }
  [[gnu::always_inline]] inline void unlock() { mtx_unlock(&lock_); }

 private:
  mtx_t& lock_;
};

}  // namespace

void spin(Stage&) {
  pthread_spin_init(&ring_lock, PTHREAD_PROCESS_PRIVATE);
  pthread_spin_init(&stats_lock, PTHREAD_PROCESS_PRIVATE);
  Spinning ring(ring_lock);
  Spinning stats(stats_lock);
  in_turn({{"receiver", [&] { takeForward(ring, stats); }},
           {"publisher", [&] { takeBackward(stats, ring); }}});
}

void c11_mtx(Stage&) {
  mtx_init(&inbox_mtx, mtx_plain);
  mtx_init(&outbox_mtx, mtx_plain);
  C11 inbox(inbox_mtx);
  C11 outbox(outbox_mtx);
  in_turn({{"sender", [&] { takeForward(inbox, outbox); }},
           {"receiver", [&] { takeBackward(outbox, inbox); }}});
}

// ---- std::scoped_lock

[[gnu::noinline]] void scopedForward() {
  std::scoped_lock one(left_mutex);
  std::scoped_lock other(right_mutex);
  ++taken_forward;
}

[[gnu::noinline]] void scopedBackward() {
  std::scoped_lock one(right_mutex);
  std::scoped_lock other(left_mutex);
  --taken_backward;
}

void scoped(Stage&) {
  in_turn({{"there", scopedForward}, {"back", scopedBackward}});
}

[[gnu::noinline]] void scopedBoth(std::mutex& one, std::mutex& other) {
  std::scoped_lock both(one, other);
  ++taken_forward;
}

void scoped_both(Stage&) {
  const auto many = [](std::mutex& one, std::mutex& other) {
    for (int i = 0; i < 2000; ++i) scopedBoth(one, other);
  };
  in_turn({{"there", [] { scopedBoth(left_mutex, right_mutex); }},
           {"back", [] { scopedBoth(right_mutex, left_mutex); }}});
  together({{"there", [&] { many(left_mutex, right_mutex); }},
            {"back", [&] { many(right_mutex, left_mutex); }}});
}

// ---- a lock that its holder may take again

std::recursive_mutex tree_mutex;

[[gnu::noinline]] void visitTreeAndLog() {
  std::lock_guard tree(tree_mutex);
  std::lock_guard again(tree_mutex);
  std::lock_guard log(left_mutex);
  std::lock_guard once_more(tree_mutex);
  ++taken_forward;
}

[[gnu::noinline]] void logTree() {
  std::lock_guard log(left_mutex);
  std::lock_guard tree(tree_mutex);
  --taken_backward;
}

void recursive_inversion(Stage&) {
  in_turn({{"visitor", visitTreeAndLog}, {"logger", logTree}});
}

void recursive_again(Stage&) {
  in_turn({{"visitor", visitTreeAndLog}, {"other", visitTreeAndLog}});
}

// ---- condition waits, which take their mutex again

pthread_mutex_t queue_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t stats_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t queue_filled = PTHREAD_COND_INITIALIZER;

namespace {

bool is_filled = false;
bool is_waited_for = false;

[[gnu::always_inline]] inline void wait_until_filled() {
  is_waited_for = true;
  while (!is_filled) pthread_cond_wait(&queue_filled, &queue_mutex);
}

void fill_when_waited_for() {
  for (bool filled = false; !filled; std::this_thread::yield()) {
    pthread_mutex_lock(&queue_mutex);
    filled = is_filled = is_waited_for;
    if (filled) pthread_cond_broadcast(&queue_filled);
    pthread_mutex_unlock(&queue_mutex);
  }
}

}  // namespace

// Queue, then stats; at the wait's end it is the queue again, with the stats still held.
[[gnu::noinline]] void waitWithStats() {
  pthread_mutex_lock(&queue_mutex);
  pthread_mutex_lock(&stats_mutex);
  wait_until_filled();
  ++taken_forward;
  pthread_mutex_unlock(&stats_mutex);
  pthread_mutex_unlock(&queue_mutex);
}

[[gnu::noinline]] void countQueue() {
  pthread_mutex_lock(&queue_mutex);
  pthread_mutex_lock(&stats_mutex);
  --taken_backward;
  pthread_mutex_unlock(&stats_mutex);
  pthread_mutex_unlock(&queue_mutex);
}

void condition_keeps_lock(Stage&) {
  samples::Actor filler("filler", fill_when_waited_for);
  in_turn({{"waiter", waitWithStats}, {"counter", countQueue}});
  filler.join();
}

// Takes so many locks first that all the others are beyond those that a slot has places for.
[[gnu::noinline]] void waitHighAbove() {
  static std::array<std::mutex, 70> below;
  for (std::mutex& one : below) one.lock();
  waitWithStats();
  for (std::size_t i = below.size(); i-- > 0;) below[i].unlock();
}

void deep_condition(Stage&) {
  samples::Actor filler("filler", fill_when_waited_for);
  in_turn({{"waiter", waitHighAbove}, {"counter", countQueue}});
  filler.join();
}

[[gnu::noinline]] void waitAlone() {
  pthread_mutex_lock(&queue_mutex);
  wait_until_filled();
  pthread_mutex_lock(&stats_mutex);
  ++taken_forward;
  pthread_mutex_unlock(&stats_mutex);
  pthread_mutex_unlock(&queue_mutex);
}

void condition_alone(Stage&) {
  together({{"waiter-1", waitAlone}, {"waiter-2", waitAlone}, {"filler", fill_when_waited_for}});
}

// ---- tries, and limits of time

std::timed_mutex patient_mutex;
std::timed_mutex other_patient_mutex;

[[gnu::noinline]] void takeAndTry(std::mutex& first, std::mutex& second) {
  std::lock_guard one(first);
  std::unique_lock other(second, std::try_to_lock);
  must_be(other.owns_lock(), "nobody else has it");
  --taken_backward;
}

[[gnu::noinline]] void tryAndTake(std::mutex& first, std::mutex& second) {
  std::unique_lock one(first, std::try_to_lock);
  must_be(one.owns_lock(), "nobody else has it");
  std::lock_guard other(second);
  ++taken_forward;
}

[[gnu::noinline]] void takeAndTryFor(std::timed_mutex& first, std::timed_mutex& second) {
  std::lock_guard one(first);
  std::unique_lock other(second, seconds(5));
  must_be(other.owns_lock(), "nobody else has it");
  --taken_backward;
}

[[gnu::noinline]] void tryForAndTake(std::timed_mutex& first, std::timed_mutex& second) {
  std::unique_lock one(first, seconds(5));
  must_be(one.owns_lock(), "nobody else has it");
  std::lock_guard other(second);
  ++taken_forward;
}

[[gnu::noinline]] void takeAndTimedLock(std::mutex& first, std::mutex& second) {
  std::lock_guard one(first);
  timespec limit{};
  clock_gettime(CLOCK_REALTIME, &limit);
  limit.tv_sec += 5;
  must_be(pthread_mutex_timedlock(second.native_handle(), &limit) == 0, "nobody else has it");
  --taken_backward;
  second.unlock();
}

void try_outer(Stage&) {
  in_turn({{"there", [] { tryAndTake(left_mutex, right_mutex); }},
           {"back", [] { takeBackward(right_mutex, left_mutex); }}});
}

void timed_outer(Stage&) {
  in_turn({{"there", [] { tryForAndTake(patient_mutex, other_patient_mutex); }},
           {"back", [] { takeBackward(other_patient_mutex, patient_mutex); }}});
}

void try_inner(Stage&) {
  in_turn({{"there", [] { takeForward(left_mutex, right_mutex); }},
           {"back", [] { takeAndTry(right_mutex, left_mutex); }}});
}

void try_both(Stage&) {
  in_turn({{"there", [] { takeAndTry(left_mutex, right_mutex); }},
           {"back", [] { takeAndTry(right_mutex, left_mutex); }}});
}

void timed_inner(Stage&) {
  in_turn({{"there", [] { takeForward(left_mutex, right_mutex); }},
           {"back", [] { takeAndTimedLock(right_mutex, left_mutex); }}});
}

void try_for_inner(Stage&) {
  in_turn({{"there", [] { takeForward(patient_mutex, other_patient_mutex); }},
           {"back", [] { takeAndTryFor(other_patient_mutex, patient_mutex); }}});
}

// ---- a signal handler that locks

[[gnu::noinline]] void countSignal(int) {
  pthread_mutex_lock(&stats_mutex);
  ++taken_forward;
  pthread_mutex_unlock(&stats_mutex);
}

[[gnu::noinline]] void takeQueueInterrupted() {
  pthread_mutex_lock(&queue_mutex);
  raise(SIGUSR1);
  pthread_mutex_unlock(&queue_mutex);
}

[[gnu::noinline]] void takeStatsThenQueue() {
  pthread_mutex_lock(&stats_mutex);
  pthread_mutex_lock(&queue_mutex);
  --taken_backward;
  pthread_mutex_unlock(&queue_mutex);
  pthread_mutex_unlock(&stats_mutex);
}

namespace {

void count_signals() {
  struct sigaction action {};
  action.sa_handler = countSignal;
  sigaction(SIGUSR1, &action, nullptr);
}

}  // namespace

void signal_handler_inversion(Stage&) {
  count_signals();
  in_turn({{"interrupted", takeQueueInterrupted}, {"stats", takeStatsThenQueue}});
}

void signal_handler_same_order(Stage&) {
  count_signals();
  in_turn({{"interrupted", takeQueueInterrupted}, {"counter", countQueue}});
}

}  // namespace order_cases
