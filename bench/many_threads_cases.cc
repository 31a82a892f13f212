// Cases in which threads work at the same time, on the same lock or on their own.
#include <sched.h>

#include <array>

#include "cases.h"

namespace bench {
namespace {

constexpr unsigned kCrowd = 64;

bool goes_on(const Stop& stop) {
  return !stop.load(std::memory_order_relaxed);
}

// Work that touches no memory and that no compiler leaves out.
void turn(std::uint32_t loops) {
  for (; loops > 0; --loops) asm volatile("");
}

// A different sequence for each thread, the same one in each run.
class Dice {
 public:
  explicit Dice(unsigned thread) : state_(thread * 2'654'435'761U + 1) {}
  std::uint32_t between(std::uint32_t low, std::uint32_t high) {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return low + state_ % (high - low + 1);
  }

 private:
  std::uint32_t state_;
};

unsigned whose_turn = 0;  // in ping_pong; guarded by its mutex

// The calling thread, and the threads that it creates from now on.
void stay_on_this_processor() {
  cpu_set_t processors;
  CPU_ZERO(&processors);
  CPU_SET(static_cast<unsigned>(sched_getcpu()), &processors);
  require(pthread_setaffinity_np(pthread_self(), sizeof processors, &processors) == 0,
          "pthread_setaffinity_np");
}

void empty(Session& session, unsigned threads) {
  static Padded<pthread_mutex_t> mutex{PTHREAD_MUTEX_INITIALIZER};
  session.contend(threads, Share::kOneAfterTheOther, [](unsigned, const Stop& stop) {
    std::uint64_t pairs = 0;
    for (; goes_on(stop); ++pairs) {
      pthread_mutex_lock(&mutex.value);
      pthread_mutex_unlock(&mutex.value);
    }
    return pairs;
  });
}

void work(Session& session, unsigned threads) {
  static Padded<pthread_mutex_t> mutex{PTHREAD_MUTEX_INITIALIZER};
  session.contend(threads, Share::kOneAfterTheOther, [](unsigned thread, const Stop& stop) {
    Dice dice(thread);
    std::uint64_t pairs = 0;
    for (; goes_on(stop); ++pairs) {
      pthread_mutex_lock(&mutex.value);
      turn(100);
      pthread_mutex_unlock(&mutex.value);
      turn(dice.between(100, 1000));
    }
    return pairs;
  });
}

}  // namespace

void own_locks_2(Session& session) {
  struct alignas(256) Own {  // no prefetcher brings the neighbour's line along
    pthread_mutex_t mutex;
  };
  static std::array<Own, 2> own{Own{PTHREAD_MUTEX_INITIALIZER}, Own{PTHREAD_MUTEX_INITIALIZER}};
  session.contend(2, Share::kSideBySide, [](unsigned thread, const Stop& stop) {
    std::uint64_t pairs = 0;
    for (; goes_on(stop); ++pairs) {
      pthread_mutex_lock(&own[thread].mutex);
      pthread_mutex_unlock(&own[thread].mutex);
    }
    return pairs;
  });
}

void same_read_2(Session& session) {
  static Padded<pthread_rwlock_t> lock{PTHREAD_RWLOCK_INITIALIZER};
  session.contend(2, Share::kSideBySide, [](unsigned, const Stop& stop) {
    std::uint64_t pairs = 0;
    for (; goes_on(stop); ++pairs) {
      pthread_rwlock_rdlock(&lock.value);
      pthread_rwlock_unlock(&lock.value);
    }
    return pairs;
  });
}

void work_2(Session& session) {
  work(session, 2);
}
void work_64(Session& session) {
  work(session, kCrowd);
}
void empty_2(Session& session) {
  empty(session, 2);
}
void empty_64(Session& session) {
  empty(session, kCrowd);
}

// On one processor: between two, the time is that of waking the other one up, which differs by a
// factor of six from one moment to the next and hides everything else.
void ping_pong(Session& session) {
  stay_on_this_processor();
  static Padded<pthread_mutex_t> mutex{PTHREAD_MUTEX_INITIALIZER};
  static Padded<pthread_cond_t> changed{PTHREAD_COND_INITIALIZER};
  session.together(2, {3000}, [](unsigned thread, std::uint64_t rounds) {
    pthread_mutex_lock(&mutex.value);
    for (; rounds > 0; --rounds) {
      while (whose_turn != thread) pthread_cond_wait(&changed.value, &mutex.value);
      whose_turn = 1 - thread;
      pthread_cond_signal(&changed.value);
    }
    pthread_mutex_unlock(&mutex.value);
  });
}

void create_join(Session& session) {
  session.together(1, {700}, [](unsigned, std::uint64_t rounds) {
    for (; rounds > 0; --rounds) {
      pthread_t thread;
      const auto nothing = [](void*) -> void* { return nullptr; };
      require(pthread_create(&thread, nullptr, nothing, nullptr) == 0, "pthread_create");
      pthread_join(thread, nullptr);
    }
  });
}

}  // namespace bench
