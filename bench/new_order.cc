// bench_new_order: how long a lock takes that is taken under another one for the first time. Prints
// two lines, "fresh" and "reused", each with the nanoseconds of such locks: the first of the
// process, one after the other; then as many in small groups, with pauses in which a detector may
// do what it has put off.
//
// Plain pthread calls only, so that the same program runs bare and under a preload.
#include <pthread.h>

#include <array>
#include <cstdio>
#include <ctime>

#include "session.h"

namespace {

constexpr std::size_t kOrders = 200;
constexpr std::size_t kGroup = 10;

using Mutex = bench::Padded<pthread_mutex_t>;

Mutex outer;
std::array<Mutex, 2 * kOrders> inner;

std::uint64_t first_time(Mutex& mutex) {
  pthread_mutex_lock(&outer.value);
  const std::uint64_t start = bench::now_ns();
  pthread_mutex_lock(&mutex.value);
  const std::uint64_t elapsed = bench::now_ns() - start;
  pthread_mutex_unlock(&mutex.value);
  pthread_mutex_unlock(&outer.value);
  return elapsed;
}

// Some frames down, as a program's locks are: 2.5 KiB of stack.
[[gnu::noinline]] std::uint64_t deep_down(Mutex& mutex, int frames) {
  volatile char local[480];
  local[0] = static_cast<char>(frames);
  const std::uint64_t elapsed = frames == 0 ? first_time(mutex) : deep_down(mutex, frames - 1);
  local[1] = local[0];
  return elapsed;
}

void print(const char* name, const std::array<std::uint64_t, kOrders>& elapsed) {
  std::printf("%s", name);
  for (const std::uint64_t ns : elapsed) std::printf(" %llu", static_cast<unsigned long long>(ns));
  std::printf("\n");
}

void rest() {
  const timespec some{0, 120'000'000};
  nanosleep(&some, nullptr);
}

std::array<std::uint64_t, kOrders> fresh;
std::array<std::uint64_t, kOrders> reused;

void* measure(void*) {
  constexpr int kFrames = 4;
  for (std::size_t i = 0; i < kOrders; ++i) fresh[i] = deep_down(inner[i], kFrames);
  for (std::size_t i = 0; i < kOrders; ++i) {
    if (i % kGroup == 0) rest();
    reused[i] = deep_down(inner[kOrders + i], kFrames);
  }
  return nullptr;
}

}  // namespace

int main() {
  pthread_t thread;
  bench::require(pthread_create(&thread, nullptr, measure, nullptr) == 0, "pthread_create");
  pthread_join(thread, nullptr);
  print("fresh", fresh);
  print("reused", reused);
  return 0;
}
