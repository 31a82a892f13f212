// What every sample has in common: flags, named threads, and how to stay stuck without being in
// anybody's way.
//
// A stuck sample ends with its parent, or after --for SECONDS; no timer and no signal is used for
// that. While it is stuck its main thread sleeps, allocates nothing and takes no lock.
#pragma once

#include <pthread.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "blocked_thread.h"

namespace samples {

inline constexpr int kWrongUsage = 2;
inline constexpr int kNotAsClaimed = 3;  // it did not get stuck, or not as it says

[[noreturn]] inline void not_as_claimed(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::_Exit(kNotAsClaimed);
}

// Holds for the thread that calls it and for the process: a forked child has to ask again.
inline void end_with_parent() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
}

class Arguments {
 public:
  Arguments(int argc, char** argv, const char* usage)
      : program_(argv[0]), usage_(usage), left_(argv + 1, argv + argc) {
    end_with_parent();
    seconds_ = number("--for", 0);
  }

  bool flag(std::string_view name) { return take(name) != kNone; }

  int number(std::string_view name, int otherwise) {
    const char* const text = word(name, nullptr);
    if (text == nullptr) return otherwise;
    int value = 0;
    const char* const end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, value);
    if (error != std::errc() || stop != end || value < 0) complain();
    return value;
  }

  const char* word(std::string_view name, const char* otherwise) {
    const std::size_t at = take(name);
    if (at == kNone) return otherwise;
    const char* const value = left_[at];
    if (value == nullptr) complain();
    left_[at] = nullptr;
    return value;
  }

  // The next argument that is no flag; empty: there is none.
  std::string_view plain() {
    for (const char*& one : left_) {
      if (one != nullptr && one[0] != '-') return std::exchange(one, nullptr);
    }
    return {};
  }

  // Whatever nobody has asked for is wrong.
  void no_more() const {
    for (const char* one : left_) {
      if (one != nullptr) complain();
    }
  }

  [[noreturn]] void complain() const {
    std::fprintf(stderr, "usage: %s %s [--for SECONDS]\n", program_, usage_);
    std::exit(kWrongUsage);
  }

  int seconds() const { return seconds_; }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  // The place after the flag, which is struck out.
  std::size_t take(std::string_view name) {
    for (std::size_t i = 0; i < left_.size(); ++i) {
      if (left_[i] == nullptr || left_[i] != name) continue;
      left_[i] = nullptr;
      if (i + 1 == left_.size()) left_.push_back(nullptr);
      return i + 1;
    }
    return kNone;
  }

  const char* program_;
  const char* usage_;
  std::vector<const char*> left_;
  int seconds_ = 0;
};

inline void name_this_thread(const char* name) {
  pthread_setname_np(pthread_self(), name);
}

// A thread with a name, of which one can ask whether it is blocked.
class Actor {
 public:
  Actor(const char* name, std::function<void()> part)
      : thread_([this, name, part = std::move(part)] {
          name_this_thread(name);
          tid_ = gettid();
          part();
        }) {}

  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  pid_t tid() const { return tid_; }
  pthread_t handle() { return thread_.native_handle(); }
  void join() { thread_.join(); }

  template <typename Lock>
  bool is_blocked_on(const Lock& lock) const {
    return tid_ != 0 && samples::is_blocked_on(tid_, &lock, sizeof lock);
  }

  // It waits for the other one's end: glibc's word for that lies in its description of the thread.
  bool is_joining(Actor& other) const {
    constexpr std::size_t kDescription = 2048;
    return tid_ != 0 &&
           samples::is_blocked_on(tid_, reinterpret_cast<void*>(other.handle()), kDescription);
  }

  bool is_in(long system_call) const { return tid_ != 0 && is_in_call(tid_, system_call); }

 private:
  std::atomic<pid_t> tid_{0};
  std::thread thread_;
};

// "stuck: TID TID …" on standard output.
inline void announce(std::initializer_list<const Actor*> stuck) {
  char text[512];
  auto length = static_cast<std::size_t>(std::snprintf(text, sizeof text, "stuck:"));
  for (const Actor* actor : stuck) {
    const std::size_t left = sizeof text - length;
    length += static_cast<std::size_t>(std::snprintf(text + length, left, " %d", actor->tid()));
    if (length + 16 > sizeof text) break;
  }
  text[length++] = '\n';
  if (write(STDOUT_FILENO, text, length) < 0) std::_Exit(kNotAsClaimed);
}

[[noreturn]] inline void sleep_until_the_end(const Arguments& arguments) {
  if (arguments.seconds() == 0) {
    for (;;) pause();
  }
  timespec left{arguments.seconds(), 0};
  while (nanosleep(&left, &left) != 0) {
  }
  std::_Exit(0);
}

// Waits until it is as it is claimed to be, says so and stays. Never returns: the destructor of a
// thread or a lock that is stuck has no right answer.
template <typename Condition>
[[noreturn]] void stay_stuck_when(const Arguments& arguments, Condition condition,
                                  std::initializer_list<const Actor*> stuck) {
  if (!wait_until(condition)) not_as_claimed("it does not get stuck");
  announce(stuck);
  sleep_until_the_end(arguments);
}

}  // namespace samples
