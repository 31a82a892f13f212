// A thread of the C library's own, which says where it is: for cases that have to know that it has
// blocked. Made in the constructor, which returns once its number is known; to be joined.
#pragma once

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <thread>
#include <utility>

namespace transparency {

class Thread {
 public:
  template <typename Body>
  explicit Thread(Body body)
      : thread_([this, body = std::move(body)] {
          tid_.store(gettid());
          tid_.notify_all();
          body();
        }) {
    tid_.wait(0);
  }
  pid_t tid() const { return tid_.load(); }
  pthread_t handle() { return thread_.native_handle(); }
  void join() { thread_.join(); }

 private:
  std::atomic<pid_t> tid_{0};
  std::thread thread_;
};

}  // namespace transparency
