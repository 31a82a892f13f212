// Cases in which one thread locks and another one only exists.
#include <array>

#include "cases.h"

namespace bench {
namespace {

using Mutex = Padded<pthread_mutex_t>;

constexpr std::uint64_t kPairs = 3'500'000;  // of an uncontended lock and unlock: some 30 ms

// Zero is what PTHREAD_MUTEX_INITIALIZER is made of.
std::array<Mutex, 4096> mutexes;

void lock(Mutex& mutex) {
  pthread_mutex_lock(&mutex.value);
}
void unlock(Mutex& mutex) {
  pthread_mutex_unlock(&mutex.value);
}

template <std::size_t Depth>
void nested(Session& session) {
  session.repeat({kPairs / Depth, Depth}, [](std::uint64_t rounds) {
    for (; rounds > 0; --rounds) {
      for (std::size_t i = 0; i < Depth; ++i) lock(mutexes[i]);
      for (std::size_t i = Depth; i > 0; --i) unlock(mutexes[i - 1]);
    }
  });
}

// Every inner lock inside every outer one.
template <std::size_t Outer, std::size_t Inner>
void distinct_pairs(Session& session, std::uint64_t warm_up_ns) {
  static_assert(Outer + Inner <= std::tuple_size_v<decltype(mutexes)>);
  constexpr std::uint64_t kLocks = 2 * Outer * Inner;
  session.repeat({kPairs / kLocks, kLocks, warm_up_ns}, [](std::uint64_t rounds) {
    for (; rounds > 0; --rounds) {
      for (std::size_t outer = 0; outer < Outer; ++outer) {
        for (std::size_t inner = Outer; inner < Outer + Inner; ++inner) {
          lock(mutexes[outer]);
          lock(mutexes[inner]);
          unlock(mutexes[inner]);
          unlock(mutexes[outer]);
        }
      }
    }
  });
}

}  // namespace

void mutex_pair(Session& session) {
  nested<1>(session);
}
void nested_2(Session& session) {
  nested<2>(session);
}
void nested_8(Session& session) {
  nested<8>(session);
}
void pairs_1024(Session& session) {
  distinct_pairs<32, 32>(session, 0);
}
// A detector of lock orders learns of so many only bit by bit.
void pairs_65536(Session& session) {
  distinct_pairs<256, 256>(session, 2'000'000'000);
}
void new_pairs_65536(Session& session) {
  distinct_pairs<256, 256>(session, 0);
}

void recursive(Session& session) {
  static Mutex mutex{PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP};
  constexpr std::uint64_t kLevels = 8;
  session.repeat({kPairs / kLevels, kLevels}, [](std::uint64_t rounds) {
    for (; rounds > 0; --rounds) {
      for (std::uint64_t i = 0; i < kLevels; ++i) lock(mutex);
      for (std::uint64_t i = 0; i < kLevels; ++i) unlock(mutex);
    }
  });
}

void hand_over_hand(Session& session) {
  constexpr std::size_t kChain = 16;
  session.repeat({kPairs / kChain, kChain}, [](std::uint64_t rounds) {
    for (; rounds > 0; --rounds) {
      lock(mutexes[0]);
      for (std::size_t i = 1; i < kChain; ++i) {
        lock(mutexes[i]);
        unlock(mutexes[i - 1]);
      }
      unlock(mutexes[kChain - 1]);
    }
  });
}

void fifo_8(Session& session) {
  constexpr std::size_t kDepth = 8;
  session.repeat({kPairs / kDepth, kDepth}, [](std::uint64_t rounds) {
    for (; rounds > 0; --rounds) {
      for (std::size_t i = 0; i < kDepth; ++i) lock(mutexes[i]);
      for (std::size_t i = 0; i < kDepth; ++i) unlock(mutexes[i]);
    }
  });
}

void round_robin(Session& session) {
  session.repeat({kPairs / mutexes.size(), mutexes.size()}, [](std::uint64_t rounds) {
    for (; rounds > 0; --rounds) {
      for (Mutex& mutex : mutexes) {
        lock(mutex);
        unlock(mutex);
      }
    }
  });
}

void trylock_pair(Session& session) {
  session.repeat({kPairs}, [](std::uint64_t rounds) {
    for (; rounds > 0; --rounds) {
      if (pthread_mutex_trylock(&mutexes[0].value) == 0) unlock(mutexes[0]);
    }
  });
}

void read_pair(Session& session) {
  static Padded<pthread_rwlock_t> lock{PTHREAD_RWLOCK_INITIALIZER};
  session.repeat({kPairs}, [](std::uint64_t rounds) {
    for (; rounds > 0; --rounds) {
      pthread_rwlock_rdlock(&lock.value);
      pthread_rwlock_unlock(&lock.value);
    }
  });
}

void write_pair(Session& session) {
  static Padded<pthread_rwlock_t> lock{PTHREAD_RWLOCK_INITIALIZER};
  session.repeat({kPairs}, [](std::uint64_t rounds) {
    for (; rounds > 0; --rounds) {
      pthread_rwlock_wrlock(&lock.value);
      pthread_rwlock_unlock(&lock.value);
    }
  });
}

void spin_pair(Session& session) {
  static Padded<pthread_spinlock_t> lock;
  pthread_spin_init(&lock.value, PTHREAD_PROCESS_PRIVATE);
  session.repeat({kPairs}, [](std::uint64_t rounds) {
    for (; rounds > 0; --rounds) {
      pthread_spin_lock(&lock.value);
      pthread_spin_unlock(&lock.value);
    }
  });
  pthread_spin_destroy(&lock.value);
}

void signal_alone(Session& session) {
  static Padded<pthread_cond_t> condition{PTHREAD_COND_INITIALIZER};
  session.repeat({2 * kPairs}, [](std::uint64_t rounds) {
    for (; rounds > 0; --rounds) pthread_cond_signal(&condition.value);
  });
}

// libc looks at the time before it asks the kernel to wait: all of a wait but the sleep.
void wait_expired(Session& session) {
  static Padded<pthread_cond_t> condition{PTHREAD_COND_INITIALIZER};
  session.repeat({700'000}, [](std::uint64_t rounds) {
    const timespec before_time{-1, 0};
    lock(mutexes[0]);
    for (; rounds > 0; --rounds) {
      pthread_cond_timedwait(&condition.value, &mutexes[0].value, &before_time);
    }
    unlock(mutexes[0]);
  });
}

}  // namespace bench
