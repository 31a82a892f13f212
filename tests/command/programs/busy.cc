// Threads that take and release locks without a pause, each under one that it holds all the time.
//
// usage: busy
// Prints one JSON line with the thread numbers and the addresses of the outer locks, then goes on
// until it is killed (a minute at most).
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>

namespace {

constexpr int kThreads = 3;

struct Worker {
  pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER;
  std::atomic<long> tid{0};
};
Worker workers[kThreads];
pthread_mutex_t common = PTHREAD_MUTEX_INITIALIZER;

void* work(void* argument) {
  auto& worker = *static_cast<Worker*>(argument);
  pthread_mutex_lock(&worker.outer);
  worker.tid.store(syscall(SYS_gettid));
  pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
  for (;;) {
    pthread_mutex_lock(&own);
    pthread_mutex_lock(&common);
    pthread_mutex_unlock(&common);
    pthread_mutex_unlock(&own);
  }
}

}  // namespace

int main() {
  alarm(60);
  for (Worker& worker : workers) {
    pthread_t thread;
    pthread_create(&thread, nullptr, work, &worker);
    while (worker.tid.load() == 0) usleep(1'000);
  }
  std::printf("{\"tids\": [%ld, %ld, %ld]", workers[0].tid.load(), workers[1].tid.load(),
              workers[2].tid.load());
  std::printf(", \"outer\": [\"%p\", \"%p\", \"%p\"]}\n", static_cast<void*>(&workers[0].outer),
              static_cast<void*>(&workers[1].outer), static_cast<void*>(&workers[2].outer));
  std::fflush(stdout);
  for (;;) pause();
}
