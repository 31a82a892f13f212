// order_scale MODE SECONDS: a program with very many locks, orders or threads, to see what becomes
// of whoever watches it.
//
// Prints "PHASE {numbers}" at the end of each phase and waits for a line on its standard input:
//   ready    nothing has happened yet
//   done     what the mode is about stands there, or has gone on for SECONDS
//   gone     all of its locks and threads are no more
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <semaphore>
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

void say(const char* phase, const char* what, std::uint64_t number) {
  std::printf("%s {\"%s\": %llu}\n", phase, what, static_cast<unsigned long long>(number));
  std::fflush(stdout);
  char line[64];
  if (std::fgets(line, sizeof line, stdin) == nullptr) std::exit(1);
}

std::uint64_t touched = 0;

[[gnu::noinline]] void take_in_order(std::mutex& first, std::mutex& second) {
  std::lock_guard one(first);
  std::lock_guard other(second);
  ++touched;
}

// The one inversion of a mode.
[[gnu::noinline]] void take_against_order(std::mutex& first, std::mutex& second) {
  std::lock_guard one(second);
  std::lock_guard other(first);
  --touched;
}

// A thread that is there from the beginning, and does what it is asked to. Alone, main() would not
// be watched.
class Company {
 public:
  Company() : thread_([this] { attend(); }) {}
  Company(const Company&) = delete;
  Company& operator=(const Company&) = delete;
  ~Company() {
    over_ = true;
    asked_.release();
    thread_.join();
  }

  // Now and then for a second, as a program does that goes on: an order that finds no room to be
  // told is told when it is met again.
  void take_against_order(std::mutex& first, std::mutex& second) {
    first_ = &first;
    second_ = &second;
    for (int i = 0; i < 100; ++i) {
      asked_.release();
      done_.acquire();
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }

 private:
  void attend() {
    for (;;) {
      asked_.acquire();
      if (over_) return;
      ::take_against_order(*first_, *second_);
      done_.release();
    }
  }

  std::counting_semaphore<> asked_{0};
  std::counting_semaphore<> done_{0};
  std::mutex* first_ = nullptr;
  std::mutex* second_ = nullptr;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

Clock::time_point end_after(double seconds) {
  return Clock::now() +
         std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

// ---- modes

constexpr std::size_t kLocks = 1'000'000;
constexpr std::size_t kEdges = 200'000;

// Goes round and round until SECONDS have passed: what finds no room to be told is told later.
template <typename Round>
std::uint64_t round_and_round(double seconds, Round round) {
  const auto end = end_after(seconds);
  std::uint64_t rounds = 0;
  do {
    round();
    ++rounds;
  } while (Clock::now() < end);
  return rounds;
}

struct Pair {
  std::mutex outer;
  std::mutex inner;
};

// A million locks, each nested with another.
void live_locks(double seconds, Company& company) {
  std::vector<std::unique_ptr<Pair>> pairs(kLocks / 2);
  for (auto& pair : pairs) pair = std::make_unique<Pair>();
  const std::uint64_t rounds = round_and_round(seconds, [&] {
    for (auto& pair : pairs) take_in_order(pair->outer, pair->inner);
  });
  company.take_against_order(pairs.front()->outer, pairs.front()->inner);
  say("done", "rounds", rounds);
}

void edges(double seconds, Company& company) {
  constexpr std::size_t kEach = 100;
  std::vector<std::mutex> locks(kEdges / kEach + kEach);
  const std::uint64_t rounds = round_and_round(seconds, [&] {
    for (std::size_t i = 0; i + kEach < locks.size(); ++i) {
      for (std::size_t k = 1; k <= kEach; ++k) take_in_order(locks[i], locks[i + k]);
    }
  });
  company.take_against_order(locks[0], locks[1]);
  say("done", "rounds", rounds);
}

struct Crowd {
  std::mutex mutex;
  std::condition_variable may_go;
  bool go = false;
};

void threads(double seconds, Company& company) {
  constexpr std::size_t kThreads = 10'000;
  Crowd crowd;
  std::mutex a;
  std::mutex b;
  std::vector<pthread_t> made;
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 64 << 10);
  struct All {
    Crowd& crowd;
    std::mutex& a;
    std::mutex& b;
  } all{crowd, a, b};
  for (std::size_t i = 0; i < kThreads; ++i) {
    pthread_t thread{};
    const int answer = pthread_create(
        &thread, &small,
        [](void* data) -> void* {
          auto& here = *static_cast<All*>(data);
          std::mutex own;
          take_in_order(here.a, here.b);
          take_in_order(here.a, own);
          std::unique_lock lock(here.crowd.mutex);
          here.crowd.may_go.wait(lock, [&] { return here.crowd.go; });
          return nullptr;
        },
        &all);
    if (answer != 0) break;
    made.push_back(thread);
  }
  const std::uint64_t rounds = round_and_round(seconds, [&] {
    take_in_order(a, b);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  company.take_against_order(a, b);
  static_cast<void>(rounds);
  say("done", "threads", made.size());
  {
    std::lock_guard lock(crowd.mutex);
    crowd.go = true;
  }
  crowd.may_go.notify_all();
  for (const pthread_t thread : made) pthread_join(thread, nullptr);
}

// Objects of two locks, made, used once, deleted: by two threads, as fast as they can.
void churn(double seconds, Company&) {
  const auto end = end_after(seconds);
  std::atomic<std::uint64_t> locks{0};
  std::mutex registry;
  std::mutex journal;
  std::atomic<bool> first_turn{true};
  const auto work = [&](bool forward) {
    std::uint64_t count = 0;
    // Some live for a while, so that memory is not always used again at once.
    std::vector<std::unique_ptr<Pair>> alive(64);
    while (Clock::now() < end) {
      for (int i = 0; i < 1'000; ++i) {
        auto& place = alive[static_cast<std::size_t>(i) % alive.size()];
        place = std::make_unique<Pair>();
        take_in_order(place->outer, place->inner);
        count += 2;
      }
      // Somewhere among all that two locks that stay, in contradicting orders, never at once.
      if (Clock::now() + std::chrono::seconds(3) < end || first_turn != forward) continue;
      if (forward) {
        take_in_order(registry, journal);
      } else {
        take_against_order(registry, journal);
      }
      first_turn = !forward;
    }
    locks += count;
  };
  std::thread one(work, true);
  std::thread other(work, false);
  one.join();
  other.join();
  say("done", "locks", locks);
}

// A thread for each request; one that lives takes two of the locks the other way round, now and
// then.
void thread_per_request(double seconds, Company&) {
  const auto end = end_after(seconds);
  static std::mutex session;
  static std::mutex journal;
  std::mutex late_one;
  std::mutex late_other;
  std::uint64_t requests = 0;
  std::atomic<bool> last{false};
  std::atomic<bool> over{false};
  std::thread janitor([&] {
    bool done = false;
    while (!over) {
      if (last && !done) {
        take_against_order(late_one, late_other);
        done = true;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  const auto near_the_end = end - std::chrono::seconds(5);
  while (Clock::now() < end) {
    last = Clock::now() > near_the_end;
    std::thread([&] {
      take_in_order(session, journal);
      take_in_order(late_one, late_other);
    }).join();
    ++requests;
  }
  over = true;
  janitor.join();
  say("done", "requests", requests);
}

struct Mode {
  std::string_view name;
  void (*run)(double seconds, Company& company);
};
constexpr Mode kModes[] = {{"live_locks", live_locks},
                           {"edges", edges},
                           {"threads", threads},
                           {"churn", churn},
                           {"thread_per_request", thread_per_request}};

}  // namespace

int main(int argc, char** argv) {
  const std::string_view wanted = argc == 3 ? argv[1] : "";
  Company company;
  for (const Mode& mode : kModes) {
    if (mode.name != wanted) continue;
    say("ready", "pid", static_cast<std::uint64_t>(getpid()));
    mode.run(std::atof(argv[2]), company);
    say("gone", "touched", touched);
    return 0;
  }
  std::fprintf(stderr, "usage: order_scale MODE SECONDS\n");
  return 2;
}
