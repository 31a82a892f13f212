// A thread that goes into one call and stays there until the program ends.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "system/describe.h"

namespace impasse::system {

inline void pause_ms(int ms) {
  std::this_thread::sleep_for(std::chrono::milliseconds(ms));
}

class Sleeper {
 public:
  explicit Sleeper(std::function<void()> call) {
    std::thread([shared = tid_, call = std::move(call)] {
      *shared = static_cast<std::uint32_t>(syscall(SYS_gettid));
      call();
    }).detach();
    while (tid_->load() == 0) pause_ms(1);
  }
  std::uint32_t tid() const { return *tid_; }

  // What it does once it stands still in `call` (any, if empty).
  Activity activity(const std::string& call = {}) const {
    const ProcFiles process;
    const Memory memory;
    Activity seen;
    for (int attempts = 0; attempts < 500; ++attempts) {
      const TaskLook before = look_at_task(process, tid());
      pause_ms(4);
      const TaskLook after = look_at_task(process, tid());
      Descriptors descriptors(process);
      seen = describe(process, tid(), after, memory, descriptors);
      if (has_not_moved(before, after) && (call.empty() || seen.call == call)) break;
    }
    return seen;
  }
  std::string words(const std::string& call = {}) const {
    const Activity seen = activity(call);
    return seen.call + ": " + seen.detail;
  }

 private:
  std::shared_ptr<std::atomic<std::uint32_t>> tid_ =
      std::make_shared<std::atomic<std::uint32_t>>(0);
};

}  // namespace impasse::system
