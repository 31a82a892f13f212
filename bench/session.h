// How a case is timed. A case is a function of a Session; it calls exactly one of `repeat`,
// `together` and `contend`, which time it several times over and print one line: the case's name
// and the nanoseconds per operation of each repetition. Nothing but pthread calls and the case's
// own work happens while the clock runs.
#pragma once

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <ctime>
#include <functional>
#include <string_view>
#include <vector>

namespace bench {

inline std::uint64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(t.tv_nsec);
}

// How long the calling thread has been waiting for a processor so far. 0 when the kernel does not
// tell.
std::uint64_t queued_ns();

// A lock in a cache line of its own, so that no case measures its neighbour or a lock that lies
// across two lines.
template <typename Lock>
struct alignas(64) Padded {
  Lock value;
};

// A thread that does nothing but exist until it is destroyed: with one thread glibc leaves out the
// atomic operations, and a detector has nothing to detect.
class IdleThread {
 public:
  IdleThread();
  ~IdleThread();
  IdleThread(const IdleThread&) = delete;
  IdleThread& operator=(const IdleThread&) = delete;

 private:
  pthread_t thread_;
  int pipe_[2];
};

// How often a case does its round, and how many operations a round is.
struct Work {
  std::uint64_t rounds;
  std::uint64_t operations = 1;
  std::uint64_t warm_up_ns =
      0;  // at least so long before the clock runs, where all is equal only then
};

// What the threads of `contend` have done is counted as if they worked one after the other (they
// share something) or side by side (each has its own).
enum class Share { kOneAfterTheOther, kSideBySide };

using Stop = std::atomic<bool>;

class Session {
 public:
  // `divisor` divides the rounds, for tools that are slower by orders of magnitude.
  Session(std::string_view name, int repetitions, std::uint64_t divisor);

  // One thread that never waits for another one. body(n) does n rounds. Time in which the thread
  // was ready to run and had no processor is not counted: other work on the machine is not the
  // program's cost.
  template <typename Body>
  void repeat(Work work, Body body) {
    const std::uint64_t rounds = scaled(work.rounds);
    const std::uint64_t begin = now_ns();
    do body(rounds / 16 + 1);
    while (now_ns() - begin < work.warm_up_ns / divisor_);
    for (int i = 0; i < repetitions_; ++i) {
      // The clock encloses the queue, or waiting that lies outside of it could be more than what it
      // measured.
      const std::uint64_t start = now_ns();
      const std::uint64_t queued = queued_ns();
      body(rounds);
      const std::uint64_t waited = queued_ns() - queued;
      const std::uint64_t elapsed = now_ns() - start;
      add(elapsed - std::min(elapsed, waited), rounds * work.operations);
    }
    print();
  }

  // Several threads, each of which does the same number of rounds: body(thread, n).
  void together(unsigned threads, Work work,
                const std::function<void(unsigned, std::uint64_t)>& body);

  // Several threads that work until they are told to stop, so that none of them is left alone with
  // the lock at the end: body(thread, stop) returns the number of operations it did.
  void contend(unsigned threads, Share share,
               const std::function<std::uint64_t(unsigned, const Stop&)>& body);

 private:
  std::uint64_t scaled(std::uint64_t rounds) const {
    return rounds / divisor_ == 0 ? 1 : rounds / divisor_;
  }
  void add(std::uint64_t elapsed_ns, std::uint64_t operations);
  void print() const;

  IdleThread idle_;
  std::string_view name_;
  int repetitions_;
  std::uint64_t divisor_;
  std::vector<double> ns_per_operation_;
};

// Ends the program with a sentence when a call that must work did not.
void require(bool worked, const char* what);

}  // namespace bench
