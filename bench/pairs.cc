// pairs CASE ROUNDS: does a lock and its unlock (or a signal) again and again, for a tool that
// counts the instructions of the function `counted`. The program has a second, idle thread, as
// programs that a detector watches have. pairs --list: one line for each case: its name and the
// pairs of a round.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "session.h"

namespace {

pthread_mutex_t mutexes[8];
pthread_mutex_t recursive_mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

template <int Depth>
void nested() {
  for (int i = 0; i < Depth; ++i) pthread_mutex_lock(&mutexes[i]);
  for (int i = Depth; i > 0; --i) pthread_mutex_unlock(&mutexes[i - 1]);
}

void recursive() {
  for (int i = 0; i < 8; ++i) pthread_mutex_lock(&recursive_mutex);
  for (int i = 0; i < 8; ++i) pthread_mutex_unlock(&recursive_mutex);
}

void trylock() {
  if (pthread_mutex_trylock(&mutexes[0]) == 0) pthread_mutex_unlock(&mutexes[0]);
}

void read_lock() {
  pthread_rwlock_rdlock(&rwlock);
  pthread_rwlock_unlock(&rwlock);
}

void write_lock() {
  pthread_rwlock_wrlock(&rwlock);
  pthread_rwlock_unlock(&rwlock);
}

void signal_alone() {
  pthread_cond_signal(&condition);
}

// One function with one name whatever the case, and the round inside it.
template <void (*Round)()>
[[gnu::noinline]] void counted(long rounds) {
  for (; rounds > 0; --rounds) Round();
}

struct Case {
  std::string_view name;
  int pairs;
  void (*run)(long rounds);
};

constexpr Case kCases[] = {
    {"mutex", 1, counted<nested<1>>},         {"nested_2", 2, counted<nested<2>>},
    {"nested_8", 8, counted<nested<8>>},      {"recursive", 8, counted<recursive>},
    {"trylock", 1, counted<trylock>},         {"rwlock_read", 1, counted<read_lock>},
    {"rwlock_write", 1, counted<write_lock>}, {"signal", 1, counted<signal_alone>},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--list") {
    for (const Case& c : kCases) std::printf("%s\t%d\n", c.name.data(), c.pairs);
    return 0;
  }
  const long rounds = argc == 3 ? std::atol(argv[2]) : 0;
  if (rounds > 0) {
    for (const Case& c : kCases) {
      if (c.name != argv[1]) continue;
      bench::IdleThread idle;
      c.run(rounds);
      return 0;
    }
  }
  std::fprintf(stderr, "usage: pairs CASE ROUNDS | pairs --list\n");
  return 2;
}
