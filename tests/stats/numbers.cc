// Does what its arguments say, with numbers that are known beforehand, prints "ready", and waits
// for the end of its standard input where it says so.
//
//   counts THREADS TIMES   each thread takes its share of `shared_lock` TIMES times, and a read
//   lock half as often holds TIMES MS         `slow_lock` is held for MS milliseconds, TIMES times
//   waits TIMES MS         another thread waits for `slow_lock` about so long
//   nested TIMES           two locks, released in the order in which they were taken; a try; two
//   levels of a recursive one condition TIMES        TIMES waits for a condition that are woken
//   alone TIMES            no second thread is ever made
//   many LOCKS TIMES       so many locks, TIMES rounds, from one place
//   long MS                one hold, unmeasured ones before it, across many of the watchdog's turns
//   fork TIMES             as alone; and a child that takes the lock twice
#include <pthread.h>
#include <semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

extern "C" {
pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t slow_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t inner_lock = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t levels_lock = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
pthread_rwlock_t table_lock = PTHREAD_RWLOCK_INITIALIZER;
pthread_cond_t woken = PTHREAD_COND_INITIALIZER;
}

namespace {

long number(const char* text) {
  return std::strtol(text, nullptr, 10);
}

void sleep_ms(long ms) {
  timespec left{ms / 1000, ms % 1000 * 1'000'000};
  while (nanosleep(&left, &left) != 0) {
  }
}

template <typename Body>
pthread_t thread(Body& body) {
  pthread_t handle{};
  const auto run = [](void* argument) -> void* {
    (*static_cast<Body*>(argument))();
    return nullptr;
  };
  if (pthread_create(&handle, nullptr, run, &body) != 0) std::abort();
  return handle;
}

void counts(long threads, long times) {
  auto body = [times] {
    for (long i = 0; i < times; ++i) {
      pthread_mutex_lock(&shared_lock);
      pthread_mutex_unlock(&shared_lock);
      if (i % 2 != 0) continue;
      pthread_rwlock_rdlock(&table_lock);
      pthread_rwlock_unlock(&table_lock);
    }
  };
  std::vector<pthread_t> all;
  for (long i = 0; i < threads; ++i) all.push_back(thread(body));
  for (const pthread_t one : all) pthread_join(one, nullptr);
}

void holds(long times, long ms) {
  for (long i = 0; i < times; ++i) {
    pthread_mutex_lock(&slow_lock);
    sleep_ms(ms);
    pthread_mutex_unlock(&slow_lock);
  }
}

// The waiter's number of waits for locks is nobody's to see from here: it says that it is about to
// wait, and the lock is held on for longer than that takes.
void waits(long times, long ms) {
  sem_t held;
  sem_t done;
  sem_init(&held, 0, 0);
  sem_init(&done, 0, 0);
  auto holder = [&] {
    for (long i = 0; i < times; ++i) {
      pthread_mutex_lock(&slow_lock);
      sem_post(&held);
      sleep_ms(ms);
      pthread_mutex_unlock(&slow_lock);
      sem_wait(&done);
    }
  };
  const pthread_t other = thread(holder);
  for (long i = 0; i < times; ++i) {
    sem_wait(&held);
    pthread_mutex_lock(&slow_lock);
    pthread_mutex_unlock(&slow_lock);
    sem_post(&done);
  }
  pthread_join(other, nullptr);
}

void nested(long times) {
  for (long i = 0; i < times; ++i) {
    pthread_mutex_lock(&shared_lock);
    pthread_mutex_lock(&inner_lock);
    pthread_mutex_unlock(&shared_lock);
    pthread_mutex_unlock(&inner_lock);
    if (pthread_mutex_trylock(&inner_lock) != 0) std::abort();
    pthread_mutex_unlock(&inner_lock);
    pthread_mutex_lock(&levels_lock);
    pthread_mutex_lock(&levels_lock);
    pthread_mutex_unlock(&levels_lock);
    pthread_mutex_unlock(&levels_lock);
  }
}

void condition(long times) {
  long turns = 0;
  auto waker = [&] {
    for (long i = 0; i < times; ++i) {
      pthread_mutex_lock(&inner_lock);
      while (turns != 2 * i + 1) pthread_cond_wait(&woken, &inner_lock);
      ++turns;
      pthread_cond_broadcast(&woken);
      pthread_mutex_unlock(&inner_lock);
    }
  };
  const pthread_t other = thread(waker);
  long waited = 0;
  for (long i = 0; i < times; ++i) {
    pthread_mutex_lock(&inner_lock);
    ++turns;
    pthread_cond_broadcast(&woken);
    for (; turns != 2 * i + 2; ++waited) pthread_cond_wait(&woken, &inner_lock);
    pthread_mutex_unlock(&inner_lock);
  }
  pthread_join(other, nullptr);
  std::printf("waited %ld\n", waited);
}

void alone(long times) {
  for (long i = 0; i < times; ++i) {
    pthread_mutex_lock(&shared_lock);
    pthread_mutex_unlock(&shared_lock);
  }
}

void many(long locks, long times) {
  std::vector<pthread_mutex_t> all(static_cast<std::size_t>(locks));
  for (auto& one : all) pthread_mutex_init(&one, nullptr);
  for (long i = 0; i < times; ++i) {
    for (auto& one : all) {
      pthread_mutex_lock(&one);
      pthread_mutex_unlock(&one);
    }
  }
}

void long_hold(long ms) {
  pthread_mutex_lock(&slow_lock);
  sleep_ms(ms);
  pthread_mutex_unlock(&slow_lock);
}

void forks(long times) {
  alone(times);
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    alone(2);
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const long first = argc > 2 ? number(argv[2]) : 0;
  const long second = argc > 3 ? number(argv[3]) : 0;
  if (what == "counts") counts(first, second);
  if (what == "holds") holds(first, second);
  if (what == "waits") waits(first, second);
  if (what == "nested") nested(first);
  if (what == "condition") condition(first);
  if (what == "alone") alone(first);
  if (what == "many") many(first, second);
  if (what == "long") long_hold(first);
  if (what == "fork") forks(first);
  std::printf("ready\n");
  std::fflush(stdout);
  if (std::getenv("STAY") != nullptr) {
    char byte = 0;
    while (read(STDIN_FILENO, &byte, 1) > 0) {
    }
  }
  return 0;
}
