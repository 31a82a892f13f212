// C++ exceptions in and around the threads and locks: thrown through thread functions, through
// once-functions, out of held locks, by many threads at a time, and caught by nobody.
#include <pthread.h>

#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/bystander.h"
#include "support/driver.h"
#include "support/observed.h"

namespace {

using transparency::error_name;
using transparency::Gate;
using transparency::require;
using transparency::say;

struct Noisy {
  explicit Noisy(const char* what) : what_(what) {}
  ~Noisy() { say("destructor of %s, %d exceptions", what_, std::uncaught_exceptions()); }
  Noisy(const Noisy&) = delete;
  Noisy& operator=(const Noisy&) = delete;

 private:
  const char* what_;
};

[[gnu::noinline]] void throw_deep_inside(int depth) {
  if (depth == 0) throw std::runtime_error("from deep inside");
  throw_deep_inside(depth - 1);
  say("never reached");
}

void run_in_thread(void* (*body)(void*)) {
  pthread_t thread{};
  void* value = nullptr;
  require(pthread_create(&thread, nullptr, body, nullptr) == 0, "a thread starts");
  say("join %s", error_name(pthread_join(thread, &value)));
}

void through_callees() {
  run_in_thread([](void*) -> void* {
    const Noisy outer("an object outside the try");
    try {
      const Noisy inner("an object inside the try");
      throw_deep_inside(10);
    } catch (const std::exception& error) {
      say("caught %s", error.what());
    }
    return nullptr;
  });
}

void out_of_held_locks() {
  static std::mutex mutex;
  static std::recursive_mutex recursive;
  static std::shared_mutex shared;
  run_in_thread([](void*) -> void* {
    try {
      const std::scoped_lock first(mutex, recursive);
      const std::scoped_lock again(recursive);
      const std::shared_lock reading(shared);
      throw_deep_inside(3);
    } catch (const std::exception& error) {
      say("caught %s", error.what());
    }
    return nullptr;
  });
  require(mutex.try_lock() && recursive.try_lock() && shared.try_lock(), "all are free again");
  mutex.unlock();
  recursive.unlock();
  shared.unlock();
}

int g_attempts = 0;

// A once-function that throws has not run: the next caller runs it again.
void through_pthread_once() {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  for (int i = 0; i < 4; ++i) {
    try {
      pthread_once(&once, [] {
        const Noisy noisy("an object in the once-function");
        if (++g_attempts < 3) throw_deep_inside(2);
      });
      say("pthread_once came back, attempts %d", g_attempts);
    } catch (const std::exception& error) {
      say("caught %s, attempts %d", error.what(), g_attempts);
    }
  }
}

void through_call_once() {
  static std::once_flag once;
  static std::mutex mutex;
  for (int i = 0; i < 4; ++i) {
    try {
      std::call_once(once, [] {
        const std::scoped_lock lock(mutex);
        if (++g_attempts < 3) throw_deep_inside(2);
      });
      say("call_once came back, attempts %d", g_attempts);
    } catch (const std::exception& error) {
      say("caught %s, attempts %d", error.what(), g_attempts);
    }
  }
}

void through_static_initializer() {
  for (int i = 0; i < 3; ++i) {
    try {
      static const int value = [] {
        if (++g_attempts < 3) throw_deep_inside(1);
        return g_attempts;
      }();
      say("the static has %d", value);
    } catch (const std::exception& error) {
      say("caught %s", error.what());
    }
  }
}

void from_thread_to_thread() {
  std::exception_ptr carried;
  std::thread([&] {
    try {
      throw_deep_inside(5);
    } catch (...) {
      carried = std::current_exception();
    }
  }).join();
  try {
    std::rethrow_exception(carried);
  } catch (const std::runtime_error& error) {
    say("caught %s", error.what());
  }
}

void out_of_a_predicate() {
  std::mutex mutex;
  std::condition_variable cond;
  std::unique_lock lock(mutex);
  try {
    cond.wait(lock, []() -> bool { throw std::runtime_error("from the predicate"); });
  } catch (const std::exception& error) {
    say("caught %s, lock held %d", error.what(), lock.owns_lock());
  }
}

// Unwinding takes glibc's loader lock for reading: many at once, while threads come and go.
void many_at_once() {
  constexpr int kThreads = 4;
  constexpr int kThrows = 1'500;
  std::mutex mutex;
  int caught = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < kThrows; ++n) {
        try {
          const std::scoped_lock lock(mutex);
          throw_deep_inside(n % 20);
        } catch (const std::exception&) {
          const std::scoped_lock lock(mutex);
          ++caught;
        }
      }
    });
  }
  for (int n = 0; n < 100; ++n) std::thread([&] { const std::scoped_lock lock(mutex); }).join();
  for (std::thread& thread : threads) thread.join();
  say("caught %d", caught);
}

void exit_from_a_handler() {
  run_in_thread([](void*) -> void* {
    const Noisy outer("an object outside the try");
    try {
      throw_deep_inside(3);
    } catch (const std::exception& error) {
      say("caught %s", error.what());
      pthread_exit(nullptr);
    }
    return nullptr;
  });
}

void exit_through_catch_all() {
  run_in_thread([](void*) -> void* {
    try {
      const Noisy inner("an object inside the try");
      pthread_exit(nullptr);
    } catch (...) {
      say("catch (...) sees pthread_exit");
      throw;
    }
    return nullptr;
  });
}

[[noreturn]] void wait_for_the_end() {
  Gate never;
  never.pass();
  for (;;) {
  }
}

// Joined by nobody, so that only the thrower's end can end the process.
void uncaught_in_pthread() {
  pthread_t thread{};
  pthread_create(
      &thread, nullptr,
      [](void*) -> void* {
        throw_deep_inside(3);
        return nullptr;
      },
      nullptr);
  wait_for_the_end();
}

void uncaught_in_std_thread() {
  static std::mutex mutex;
  const std::thread thread([] {
    const std::scoped_lock lock(mutex);
    throw std::logic_error("nobody wants me");
  });
  wait_for_the_end();
}

void uncaught_of_no_class() {
  const std::thread thread([] { throw 42; });
  wait_for_the_end();
}

void uncaught_behind_noexcept() {
  const std::thread thread([] {
    const auto refuse = []() noexcept { throw_deep_inside(2); };
    refuse();
  });
  wait_for_the_end();
}

void destroyed_while_joinable() {
  Gate never;
  {
    const std::thread thread([&] { never.pass(); });
  }
  say("never reached");
}

void own_terminate_handler() {
  static std::mutex mutex;
  std::set_terminate([] {
    const std::scoped_lock lock(mutex);
    say("the program's own terminate handler");
    say("ok");
    _Exit(0);
  });
  uncaught_in_pthread();
}

constexpr transparency::Case kCases[] = {
    {"through-callees", through_callees},
    {"out-of-held-locks", out_of_held_locks},
    {"through-pthread-once", through_pthread_once},
    {"through-call-once", through_call_once},
    {"through-static-initializer", through_static_initializer},
    {"from-thread-to-thread", from_thread_to_thread},
    {"out-of-a-predicate", out_of_a_predicate},
    {"many-at-once", many_at_once},
    {"exit-from-a-handler", exit_from_a_handler},
    {"exit-through-catch-all", exit_through_catch_all},
    {"uncaught-in-pthread", uncaught_in_pthread},
    {"uncaught-in-std-thread", uncaught_in_std_thread},
    {"uncaught-of-no-class", uncaught_of_no_class},
    {"uncaught-behind-noexcept", uncaught_behind_noexcept},
    {"destroyed-while-joinable", destroyed_while_joinable},
    {"own-terminate-handler", own_terminate_handler},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
