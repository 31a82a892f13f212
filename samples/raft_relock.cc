// The same write lock twice.
//
// The message loop takes raft_node for writing and, much further down, in the branch for changes of
// the configuration, takes it again. What happens then depends on the lock: a mutex blocks for
// ever, a read-write lock answers its own writer EDEADLK, and this program does not look at
// answers.
//
// With a plain mutex it prints "stuck: TID" and stays so; else it goes on with its messages and
// prints "goes on".
//   --rwlock      raft_node is a read-write lock
//   --errorcheck  raft_node is a mutex that checks for errors: EDEADLK too
//   --repaired    the branch relies on its caller's lock: ends with 0
#include <chrono>
#include <climits>

#include "sample.h"

namespace {

constexpr int kMessages = 20;
constexpr int kConfigChangeEvery = 5;

enum class LockType { kMutex, kErrorCheck, kRwlock };

}  // namespace

pthread_mutex_t raft_node_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t raft_node_checked = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
pthread_rwlock_t raft_node_rwlock = PTHREAD_RWLOCK_INITIALIZER;

// Written under the lock only.
std::atomic<int> applied{0};
std::atomic<int> config_epoch{0};

template <LockType kType>
struct RaftNode {
  static void take_for_writing() {
    if constexpr (kType == LockType::kMutex) pthread_mutex_lock(&raft_node_mutex);
    if constexpr (kType == LockType::kErrorCheck) pthread_mutex_lock(&raft_node_checked);
    if constexpr (kType == LockType::kRwlock) pthread_rwlock_wrlock(&raft_node_rwlock);
  }
  static void give_back() {
    if constexpr (kType == LockType::kMutex) pthread_mutex_unlock(&raft_node_mutex);
    if constexpr (kType == LockType::kErrorCheck) pthread_mutex_unlock(&raft_node_checked);
    if constexpr (kType == LockType::kRwlock) pthread_rwlock_unlock(&raft_node_rwlock);
  }
};

// Gives nothing back: its caller does.
template <LockType kType>
[[gnu::noinline]] void changeConfig(bool repaired) {
  if (!repaired) RaftNode<kType>::take_for_writing();
  ++config_epoch;
}

template <LockType kType>
[[gnu::noinline]] void handleMessage(int message, bool repaired) {
  RaftNode<kType>::take_for_writing();
  ++applied;
  if (message % kConfigChangeEvery == 0) changeConfig<kType>(repaired);
  RaftNode<kType>::give_back();
}

template <LockType kType>
[[gnu::noinline]] void runMessageLoop(int messages, bool repaired) {
  for (int message = 1; message <= messages; ++message) {
    handleMessage<kType>(message, repaired);
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

namespace {

template <LockType kType>
int run(const samples::Arguments& arguments, bool repaired) {
  if (repaired) {
    samples::Actor loop("raft-loop", [] { runMessageLoop<kType>(kMessages, true); });
    loop.join();
    return applied == kMessages && config_epoch == kMessages / kConfigChangeEvery ? 0 : 1;
  }
  samples::Actor loop("raft-loop", [] { runMessageLoop<kType>(INT_MAX, false); });
  if (kType == LockType::kMutex) {
    samples::stay_stuck_when(arguments, [&] { return loop.is_blocked_on(raft_node_mutex); },
                             {&loop});
  }
  if (!samples::wait_until([] { return applied >= kMessages; })) {
    samples::not_as_claimed("it does not go on");
  }
  std::puts("goes on");
  std::fflush(stdout);
  samples::sleep_until_the_end(arguments);
}

}  // namespace

int main(int argc, char** argv) {
  samples::Arguments arguments(argc, argv, "[--rwlock | --errorcheck] [--repaired]");
  const bool rwlock = arguments.flag("--rwlock");
  const bool checks = arguments.flag("--errorcheck");
  const bool repaired = arguments.flag("--repaired");
  arguments.no_more();
  if (rwlock) return run<LockType::kRwlock>(arguments, repaired);
  if (checks) return run<LockType::kErrorCheck>(arguments, repaired);
  return run<LockType::kMutex>(arguments, repaired);
}
