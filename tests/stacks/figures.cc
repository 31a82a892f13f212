// For figures.py: figures THREADS: so many threads wait for one mutex, a few frames down. Says
// "blocked" when they do. With -DPART=N it is one part of a large binary instead: many instances of
// templates, of which one calls the next.
#ifdef PART
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

template <int N>
struct Value {
  std::string text;
  bool operator<(const Value& other) const { return text < other.text; }
};

template <int N>
int filled() {
  std::map<Value<N>, std::vector<std::pair<Value<N>, std::string>>> values;
  values[{std::to_string(N)}].emplace_back(Value<N>{"value"}, "text");
  int sum = static_cast<int>(values.size());
  if constexpr (N % 100 != 0) sum += filled<N - 1>();
  return sum;
}

}  // namespace

#define JOINED(a, b) a##b
#define NAMED(part) JOINED(part_, part)
int NAMED(PART)() {
  return filled<PART * 100 + 99>();
}
#else
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

namespace {

std::mutex taken;
volatile int sink;

[[gnu::noinline]] void wait_for(int depth) {
  if (depth == 0) {
    taken.lock();
  } else {
    wait_for(depth - 1);
  }
  sink = sink + 1;
}

}  // namespace

int main(int, char** arguments) {
  taken.lock();
  alarm(60);
  std::vector<std::thread> threads;
  for (int i = 0; i < std::atoi(arguments[1]); ++i) threads.emplace_back([] { wait_for(10); });
  sleep(1);
  std::puts("blocked");
  std::fflush(stdout);
  for (;;) pause();
}
#endif
