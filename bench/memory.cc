// bench_memory STATE COUNT: brings itself into a state, prints "ready", and stays in it until its
// standard input ends. What the same state takes with and without a preload is what the preload
// adds.
//   idle     COUNT is ignored: a second thread that does nothing
//   threads  COUNT more threads; each took and nested a few locks and now does nothing
//   nested   COUNT locks, each taken once while another lock was held
//   alone    COUNT locks, each taken once while no other lock was held
#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <string_view>
#include <vector>

#include "session.h"

namespace {

pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER;

class Worker {
 public:
  explicit Worker(pthread_barrier_t& done) : done_(done) {
    bench::require(pipe(end_) == 0, "pipe");
    bench::require(pthread_create(&thread_, nullptr, run, this) == 0, "pthread_create");
  }

  ~Worker() {
    close(end_[1]);
    pthread_join(thread_, nullptr);
    close(end_[0]);
  }

  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

 private:
  static void* run(void* argument) {
    Worker& self = *static_cast<Worker*>(argument);
    pthread_mutex_lock(&outer);
    for (pthread_mutex_t& mutex : self.own_) pthread_mutex_lock(&mutex);
    for (pthread_mutex_t& mutex : self.own_) pthread_mutex_unlock(&mutex);
    pthread_mutex_unlock(&outer);
    pthread_barrier_wait(&self.done_);
    char byte;
    while (read(self.end_[0], &byte, 1) < 0) {
    }
    return nullptr;
  }

  pthread_barrier_t& done_;
  pthread_mutex_t own_[3] = {};
  pthread_t thread_;
  int end_[2];
};

void stay() {
  std::printf("ready\n");
  std::fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
}

void threads(unsigned count) {
  pthread_barrier_t done;
  pthread_barrier_init(&done, nullptr, count + 1);
  {
    std::deque<Worker> workers;
    for (unsigned i = 0; i < count; ++i) workers.emplace_back(done);
    pthread_barrier_wait(&done);
    stay();
  }
  pthread_barrier_destroy(&done);
}

void nested(std::vector<pthread_mutex_t>& mutexes) {
  for (pthread_mutex_t& mutex : mutexes) {
    pthread_mutex_lock(&outer);
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
    pthread_mutex_unlock(&outer);
  }
}

void alone(std::vector<pthread_mutex_t>& mutexes) {
  for (pthread_mutex_t& mutex : mutexes) {
    pthread_mutex_lock(&mutex);
    pthread_mutex_unlock(&mutex);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view state = argc == 3 ? argv[1] : "";
  const auto count = static_cast<unsigned>(argc == 3 ? std::atoi(argv[2]) : 0);
  if (state == "idle") {
    bench::IdleThread idle;
    stay();
    return 0;
  }
  if (state == "threads" && count > 0) {
    bench::IdleThread idle;
    threads(count);
    return 0;
  }
  if ((state == "nested" || state == "alone") && count > 0) {
    bench::IdleThread idle;
    std::vector<pthread_mutex_t> mutexes(count, pthread_mutex_t{});
    state == "nested" ? nested(mutexes) : alone(mutexes);
    stay();
    return 0;
  }
  std::fprintf(stderr, "usage: bench_memory idle|threads|nested|alone COUNT\n");
  return 2;
}
