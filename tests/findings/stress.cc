// Millions of lockings, at random and all of them right: no deadlock may be found in them.
//
// Locks have an order and whoever insists takes them in it; against it only those go who try, or
// give up after a while. All types and modes, recursive ones taken again, conditions (also with
// other locks in hand, and a mutex to be taken again that is fought for), and threads that end and
// are replaced, so that slots, stacks and thread handles are used again. What a lock guards is
// looked at: exit status 1 when somebody was in there who should not have been. Says how often it
// did what.
//   --for SECONDS (5)   --threads N (6)   --seed N (from the clock; printed)
#include <pthread.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <random>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Random = std::mt19937_64;
using Clock = std::chrono::steady_clock;

std::atomic<bool> broken{false};

// Each thread counts for itself.
struct Deeds {
  std::uint64_t taken = 0;
  std::uint64_t tried_in_vain = 0;
  std::uint64_t timed_out = 0;
  std::uint64_t signalled = 0;      // waits for a condition that a signal ended
  std::uint64_t while_holding = 0;  // ... with another lock in hand
  std::uint64_t unsignalled = 0;    // ... that their time limit ended

  Deeds& operator+=(const Deeds& other) {
    taken += other.taken;
    tried_in_vain += other.tried_in_vain;
    timed_out += other.timed_out;
    signalled += other.signalled;
    while_holding += other.while_holding;
    unsignalled += other.unsignalled;
    return *this;
  }
};
thread_local Deeds mine;

bool one_in(Random& random, unsigned n) {
  return random() % n == 0;
}

timespec soon(clockid_t clock, long ns) {
  timespec at{};
  clock_gettime(clock, &at);
  at.tv_nsec += ns;
  at.tv_sec += at.tv_nsec / 1'000'000'000;
  at.tv_nsec %= 1'000'000'000;
  return at;
}

enum class How : std::uint8_t { kInsist, kTry, kTimed };

// What a lock guards. Writers leave both the same.
class Guarded {
 public:
  void read() const {
    if (one_ != other_) broken = true;
  }
  void write(Random& random) {
    read();
    one_ = one_ + 1;
    if (one_in(random, 64)) std::this_thread::yield();
    other_ = other_ + 1;
  }

 private:
  volatile long one_ = 0;
  volatile long other_ = 0;
};

class Lock {
 public:
  Lock() = default;
  virtual ~Lock() = default;
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  // Whether it was taken; by one who insists it always is.
  virtual bool take(Random& random, How how, bool shared) = 0;
  virtual void give_back() = 0;
  virtual bool has_readers() const { return false; }
  // Something else that one may do with it, alone.
  virtual void play(Random&) {}
  // To be called by its holder, who may have locks that come before it.
  virtual void await(Random&, bool /*holds_more*/) {}
  // Wakes everybody who waits at it.
  virtual void ring() {}

  Guarded guarded;
};

bool taken(int answer) {
  if (answer != 0 && answer != EBUSY && answer != ETIMEDOUT) broken = true;
  mine.taken += answer == 0;
  mine.tried_in_vain += answer == EBUSY;
  mine.timed_out += answer == ETIMEDOUT;
  return answer == 0;
}

constexpr long kPatienceNs = 300'000;

class Mutex : public Lock {
 public:
  explicit Mutex(int type) : type_(type) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, type);
    pthread_mutex_init(&native_, &attributes);
    pthread_mutexattr_destroy(&attributes);
  }
  ~Mutex() override { pthread_mutex_destroy(&native_); }

  bool take(Random& random, How how, bool) override {
    switch (how) {
      case How::kInsist:
        return taken(pthread_mutex_lock(&native_));
      case How::kTry:
        return taken(pthread_mutex_trylock(&native_));
      case How::kTimed:
        break;
    }
    const bool by_wall = one_in(random, 2);
    const clockid_t clock = by_wall ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    const timespec end = soon(clock, kPatienceNs);
    return taken(by_wall ? pthread_mutex_timedlock(&native_, &end)
                         : pthread_mutex_clocklock(&native_, clock, &end));
  }

  void give_back() override {
    if (pthread_mutex_unlock(&native_) != 0) broken = true;
  }

  // A time limit of its own, or until somebody rings.
  void await(Random& random, bool holds_more) override {
    int answer = 0;
    if (one_in(random, 2)) {
      const timespec end = soon(CLOCK_REALTIME, kPatienceNs);
      answer = pthread_cond_timedwait(&condition_, &native_, &end);
    } else {
      answer = pthread_cond_wait(&condition_, &native_);
    }
    if (answer != 0 && answer != ETIMEDOUT) broken = true;
    mine.signalled += answer == 0;
    mine.while_holding += answer == 0 && holds_more;
    mine.unsignalled += answer == ETIMEDOUT;
    guarded.write(random);
  }
  void ring() override { pthread_cond_broadcast(&condition_); }

  void play(Random& random) override {
    if (type_ == PTHREAD_MUTEX_RECURSIVE) {
      take_again(random, 3);
    } else if (one_in(random, 4)) {
      wait_a_moment(random);
    }
  }

 private:
  void take_again(Random& random, int levels) {
    if (!taken(pthread_mutex_lock(&native_))) return;
    guarded.write(random);
    if (levels > 0) take_again(random, levels - 1);
    give_back();
  }

  void wait_a_moment(Random& random) {
    if (!taken(pthread_mutex_lock(&native_))) return;
    guarded.write(random);
    if (one_in(random, 2)) {
      await(random, false);
    } else if (one_in(random, 2)) {
      pthread_cond_signal(&condition_);
    } else {
      pthread_cond_broadcast(&condition_);
    }
    guarded.write(random);
    give_back();
  }

  const int type_;
  pthread_mutex_t native_;
  pthread_cond_t condition_ = PTHREAD_COND_INITIALIZER;
};

class Rwlock : public Lock {
 public:
  explicit Rwlock(int kind) : kind_(kind) {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, kind);
    pthread_rwlock_init(&native_, &attributes);
    pthread_rwlockattr_destroy(&attributes);
  }
  ~Rwlock() override { pthread_rwlock_destroy(&native_); }

  bool take(Random& random, How how, bool shared) override {
    switch (how) {
      case How::kInsist:
        return taken(shared ? pthread_rwlock_rdlock(&native_) : pthread_rwlock_wrlock(&native_));
      case How::kTry:
        return taken(shared ? pthread_rwlock_tryrdlock(&native_)
                            : pthread_rwlock_trywrlock(&native_));
      case How::kTimed:
        break;
    }
    const bool by_wall = one_in(random, 2);
    const clockid_t clock = by_wall ? CLOCK_REALTIME : CLOCK_MONOTONIC;
    const timespec end = soon(clock, kPatienceNs);
    if (by_wall) {
      return taken(shared ? pthread_rwlock_timedrdlock(&native_, &end)
                          : pthread_rwlock_timedwrlock(&native_, &end));
    }
    return taken(shared ? pthread_rwlock_clockrdlock(&native_, clock, &end)
                        : pthread_rwlock_clockwrlock(&native_, clock, &end));
  }

  void give_back() override {
    if (pthread_rwlock_unlock(&native_) != 0) broken = true;
  }
  bool has_readers() const override { return true; }

  // Reads under a read lock: right where the kind lets readers pass waiting writers.
  void play(Random& random) override {
    if (kind_ != PTHREAD_RWLOCK_DEFAULT_NP) return;
    take(random, How::kInsist, true);
    take(random, How::kInsist, true);
    guarded.read();
    give_back();
    give_back();
  }

 private:
  const int kind_;
  pthread_rwlock_t native_;
};

class Spinlock : public Lock {
 public:
  Spinlock() { pthread_spin_init(&native_, PTHREAD_PROCESS_PRIVATE); }
  ~Spinlock() override { pthread_spin_destroy(&native_); }
  bool take(Random&, How how, bool) override {
    return taken(how == How::kInsist ? pthread_spin_lock(&native_)
                                     : pthread_spin_trylock(&native_));
  }
  void give_back() override { pthread_spin_unlock(&native_); }

 private:
  pthread_spinlock_t native_;
};

// In their order. Spinlocks come last: whoever has one waits for nothing else.
struct Locks {
  std::array<Mutex, 3> plain{Mutex(PTHREAD_MUTEX_NORMAL), Mutex(PTHREAD_MUTEX_NORMAL),
                             Mutex(PTHREAD_MUTEX_NORMAL)};
  Rwlock readers_first{PTHREAD_RWLOCK_DEFAULT_NP};
  Mutex checked{PTHREAD_MUTEX_ERRORCHECK};
  Rwlock writers_first{PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};
  Mutex recursive{PTHREAD_MUTEX_RECURSIVE};
  Rwlock another{PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP};
  Mutex adaptive{PTHREAD_MUTEX_ADAPTIVE_NP};
  Mutex another_recursive{PTHREAD_MUTEX_RECURSIVE};
  Spinlock spinlock;
  std::array<Lock*, 11> all{&plain[0],      &plain[1],          &readers_first, &checked,
                            &writers_first, &recursive,         &plain[2],      &another,
                            &adaptive,      &another_recursive, &spinlock};
};

struct Held {
  Lock* lock;
  bool shared;
};

How any_way(Random& random) {
  return one_in(random, 4) ? (one_in(random, 2) ? How::kTry : How::kTimed) : How::kInsist;
}

void take_and_use(Random& random, Lock& lock, How how, std::vector<Held>& held) {
  const bool shared = lock.has_readers() && !one_in(random, 4);
  if (!lock.take(random, how, shared)) return;
  held.push_back({&lock, shared});
  if (shared) {
    lock.guarded.read();
  } else {
    lock.guarded.write(random);
  }
}

void give_all_back(Random& random, std::vector<Held>& held) {
  if (one_in(random, 4)) {
    std::shuffle(held.begin(), held.end(), random);
  } else {
    std::reverse(held.begin(), held.end());
  }
  for (const Held& one : held) one.lock->give_back();
  held.clear();
}

// Up the order, by any way.
void go_up(Random& random, Locks& locks, std::vector<Held>& held) {
  const std::size_t step = 1 + random() % 5;
  for (std::size_t i = random() % step; i < locks.all.size(); i += 1 + random() % step) {
    const std::size_t before = held.size();
    take_and_use(random, *locks.all[i], any_way(random), held);
    // The last of those that it has: so it is taken again in order as well.
    if (held.size() > before && one_in(random, 256)) held.back().lock->await(random, before != 0);
    if (held.size() == 4) return;
  }
}

// Down the order, and so never insisting but on the first.
void go_down(Random& random, Locks& locks, std::vector<Held>& held) {
  take_and_use(random, *locks.all[locks.all.size() - 2], How::kInsist, held);
  for (std::size_t i = random() % (locks.all.size() - 2); held.size() < 3; i /= 2) {
    take_and_use(random, *locks.all[i], one_in(random, 2) ? How::kTry : How::kTimed, held);
    if (i == 0) return;
  }
}

std::atomic<bool> all_done{false};

// Has no lock, and so nobody waits for it while it makes sure that nobody waits in vain.
void ring_all(Locks& locks) {
  while (!all_done) {
    for (Lock* lock : locks.all) lock->ring();
    std::this_thread::sleep_for(std::chrono::microseconds(500));
  }
}

long work(std::uint64_t seed, Locks& locks, long rounds, Clock::time_point end) {
  Random random(seed);
  std::vector<Held> held;
  long done = 0;
  while (done < rounds && !(done % 256 == 0 && Clock::now() > end)) {
    ++done;
    if (one_in(random, 16)) {
      locks.all[random() % locks.all.size()]->play(random);
      continue;
    }
    if (one_in(random, 16)) {
      go_down(random, locks, held);
    } else {
      go_up(random, locks, held);
    }
    give_all_back(random, held);
  }
  return done;
}

// One worker after the other, each joined by this thread.
long work_in_shifts(std::uint64_t seed, Locks& locks, Clock::time_point end) {
  Random random(seed);
  long done = 0;
  while (Clock::now() < end) {
    const long rounds = 1000 + static_cast<long>(random() % 20'000);
    Deeds deeds;
    std::thread shift([&] {
      done += work(random(), locks, rounds, end);
      deeds = mine;
    });
    shift.join();
    mine += deeds;
  }
  return done;
}

std::uint64_t number(int argc, char** argv, std::string_view name, std::uint64_t otherwise) {
  for (int i = 1; i + 1 < argc; i += 2) {
    if (argv[i] != name) continue;
    const std::string_view text = argv[i + 1];
    std::uint64_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || stop != text.data() + text.size()) std::exit(2);
    return value;
  }
  return otherwise;
}

}  // namespace

int main(int argc, char** argv) {
  const auto now = static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
  const std::uint64_t seed = number(argc, argv, "--seed", now);
  const std::uint64_t threads = number(argc, argv, "--threads", 6);
  const auto end = Clock::now() + std::chrono::seconds(number(argc, argv, "--for", 5));
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);

  Locks locks;
  std::atomic<long> done{0};
  std::mutex sum_mutex;
  Deeds sum;
  std::thread bell([&] { ring_all(locks); });
  std::deque<std::thread> workers;
  for (std::uint64_t i = 0; i < threads; ++i) {
    workers.emplace_back([&, i] {
      pthread_setname_np(pthread_self(), "stress");
      // Every other one stays, every other one is replaced all the time.
      done +=
          i % 2 == 0 ? work(seed + i, locks, LONG_MAX, end) : work_in_shifts(seed + i, locks, end);
      const std::lock_guard lock(sum_mutex);
      sum += mine;
    });
  }
  for (std::thread& worker : workers) worker.join();
  all_done = true;
  bell.join();
  std::printf("%ld rounds\n", done.load());
  const auto say = [](const char* what, std::uint64_t count) {
    std::printf("%s: %llu\n", what, static_cast<unsigned long long>(count));
  };
  say("taken", sum.taken);
  say("tried in vain", sum.tried_in_vain);
  say("timed out", sum.timed_out);
  say("signalled", sum.signalled);
  say("signalled while holding", sum.while_holding);
  say("not signalled", sum.unsignalled);
  if (broken) std::fputs("a lock did not do what it is for\n", stderr);
  return broken ? 1 : 0;
}
