#include <sys/mman.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <new>

#include "classics/classics.h"

namespace classics {

using std::chrono::milliseconds;

// ---- a lock that its holder may take again

std::recursive_mutex tree_mutex;
long visited = 0;

[[gnu::noinline]] void visitTree(int depth) {
  std::lock_guard lock(tree_mutex);
  ++visited;
  if (depth == 0) return;
  visitTree(depth - 1);
  visitTree(depth - 1);
}

int recursive(const samples::Arguments&, bool) {
  constexpr int kThreads = 4;
  constexpr int kDepth = 10;
  constexpr int kRounds = 20;
  std::deque<samples::Actor> visitors;
  for (int i = 0; i < kThreads; ++i) {
    visitors.emplace_back("visitor", [] {
      for (int round = 0; round < kRounds; ++round) visitTree(kDepth);
    });
  }
  for (samples::Actor& visitor : visitors) visitor.join();
  return visited == long{kThreads} * kRounds * ((1 << (kDepth + 1)) - 1) ? 0 : 1;
}

// ---- two orders, but nobody insists on the second lock

std::mutex debit_mutex;
std::mutex credit_mutex;
int transfers = 0;

[[gnu::noinline]] void transferWithBackOff(std::mutex& first, std::mutex& second) {
  for (;;) {
    std::unique_lock one(first);
    std::unique_lock other(second, std::try_to_lock);
    if (other.owns_lock()) {
      ++transfers;
      return;
    }
    one.unlock();
    std::this_thread::yield();
  }
}

int trylock_backoff(const samples::Arguments&, bool) {
  constexpr int kRounds = 2000;
  samples::Actor there("there", [] {
    for (int i = 0; i < kRounds; ++i) transferWithBackOff(debit_mutex, credit_mutex);
  });
  samples::Actor back("back", [] {
    for (int i = 0; i < kRounds; ++i) transferWithBackOff(credit_mutex, debit_mutex);
  });
  there.join();
  back.join();
  return transfers == 2 * kRounds ? 0 : 1;
}

// ---- a circle that undoes itself: each gives up after a while

std::timed_mutex left_mutex;
std::timed_mutex right_mutex;
std::atomic<int> gave_up{0};

template <typename Patience>
[[gnu::noinline]] bool meetInTheMiddle(std::timed_mutex& first, std::timed_mutex& second,
                                       Patience patience) {
  std::lock_guard one(first);
  std::this_thread::sleep_for(milliseconds(20));
  std::unique_lock other(second, patience);
  if (!other.owns_lock()) ++gave_up;
  return other.owns_lock();
}

int timed(const samples::Arguments&, bool) {
  constexpr int kRounds = 4;
  // Of different patience, so that they do not step aside in step for ever.
  samples::Actor one("patient", [] {
    for (int met = 0; met < kRounds;) {
      met += meetInTheMiddle(left_mutex, right_mutex, milliseconds(300));
    }
  });
  samples::Actor other("impatient", [] {
    for (int met = 0; met < kRounds;) {
      met += meetInTheMiddle(right_mutex, left_mutex, milliseconds(150));
      std::this_thread::sleep_for(milliseconds(30));
    }
  });
  one.join();
  other.join();
  return gave_up > 0 ? 0 : 1;
}

// ---- the next one's lock is taken before the last one's is given back

struct Node {
  std::mutex mutex;
  long value = 0;
  std::unique_ptr<Node> next;
};

[[gnu::noinline]] void addToAll(Node& head) {
  std::unique_lock lock(head.mutex);
  Node* at = &head;
  while (at->next != nullptr) {
    std::unique_lock next(at->next->mutex);
    at = at->next.get();
    ++at->value;
    lock = std::move(next);
  }
}

int hand_over_hand(const samples::Arguments&, bool) {
  constexpr int kNodes = 50;
  constexpr long kThreads = 4;
  constexpr long kRounds = 200;
  Node head;
  for (int i = 0; i < kNodes; ++i) {
    auto node = std::make_unique<Node>();
    node->next = std::move(head.next);
    head.next = std::move(node);
  }
  std::deque<samples::Actor> walkers;
  for (long i = 0; i < kThreads; ++i) {
    walkers.emplace_back("walker", [&head] {
      for (int round = 0; round < kRounds; ++round) addToAll(head);
    });
  }
  for (samples::Actor& walker : walkers) walker.join();
  for (const Node* node = head.next.get(); node != nullptr; node = node->next.get()) {
    if (node->value != kThreads * kRounds) return 1;
  }
  return 0;
}

// ---- locks that end and are made anew where they were, and are then taken in the other order

[[gnu::noinline]] long contend(std::mutex& first, std::mutex& second) {
  constexpr long kRounds = 500;
  long sum = 0;
  const auto take = [&] {
    for (int i = 0; i < kRounds; ++i) {
      std::lock_guard one(first);
      std::lock_guard other(second);
      ++sum;
    }
  };
  samples::Actor one("one", take);
  samples::Actor other("other", take);
  one.join();
  other.join();
  return sum - 2 * kRounds;
}

int remade_lock(const samples::Arguments&, bool) {
  constexpr int kLives = 20;
  struct Pair {
    std::mutex a;
    std::mutex b;
  };
  alignas(Pair) std::array<std::byte, sizeof(Pair)> memory;
  long wrong = 0;
  for (int life = 0; life < kLives; ++life) {
    auto* const pair = new (memory.data()) Pair;
    wrong += life % 2 == 0 ? contend(pair->a, pair->b) : contend(pair->b, pair->a);
    pthread_mutex_destroy(pair->a.native_handle());
    pthread_mutex_destroy(pair->b.native_handle());
    pair->~Pair();
    // The same with memory that is given back: malloc likes to hand out the same again.
    const auto fresh = std::make_unique<Pair>();
    wrong += life % 2 == 0 ? contend(fresh->a, fresh->b) : contend(fresh->b, fresh->a);
  }
  return wrong == 0 ? 0 : 1;
}

// ---- a process dies with a lock that tells the next one so

namespace {

pthread_mutex_t* robust_mutex_between_processes() {
  void* const memory = mmap(nullptr, sizeof(pthread_mutex_t), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) samples::not_as_claimed("no shared memory");
  auto* const mutex = static_cast<pthread_mutex_t*>(memory);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(mutex, &attributes);
  pthread_mutexattr_destroy(&attributes);
  return mutex;
}

}  // namespace

[[gnu::noinline]] bool takeAfterDeath(pthread_mutex_t* mutex) {
  const bool told = pthread_mutex_lock(mutex) == EOWNERDEAD;
  pthread_mutex_consistent(mutex);
  pthread_mutex_unlock(mutex);
  return told;
}

int robust_owner(const samples::Arguments&, bool) {
  pthread_mutex_t* const mutex = robust_mutex_between_processes();
  int ready[2];
  if (pipe(ready) != 0) return 1;
  const pid_t child = fork();
  if (child == 0) {
    samples::end_with_parent();
    pthread_mutex_lock(mutex);
    if (write(ready[1], "!", 1) != 1) _exit(1);
    std::this_thread::sleep_for(milliseconds(300));
    _exit(0);  // still holding
  }
  char byte = 0;
  if (child < 0 || read(ready[0], &byte, 1) != 1) return 1;
  bool told = false;
  samples::Actor heir("heir", [&] { told = takeAfterDeath(mutex); });
  heir.join();
  int status = -1;
  waitpid(child, &status, 0);
  pthread_mutex_lock(mutex);
  pthread_mutex_unlock(mutex);
  munmap(mutex, sizeof *mutex);
  return told && status == 0 ? 0 : 1;
}

}  // namespace classics
