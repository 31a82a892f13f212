// Runs a program after a report, unseen by the program under us: its wait() finds no child of ours
// and no SIGCHLD comes, because a process in between, which the kernel reports to nobody, is the
// parent.
//
// Promises: one at a time, started in a millisecond, never waited for; the process in between lives
// five seconds at most and not longer than our thread (it shares our memory), what it started goes
// on. Standard input and output are /dev/null, no signal is blocked or handled; LD_PRELOAD and
// IMPASSE_OPTIONS are not inherited. For the watchdog's thread.
// Limit: what runs for longer than that is given to the next subreaper; should that be the program
// under us (it is its container's first process), its wait() finds it.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace impasse::witness {

class Hook {
 public:
  static constexpr std::size_t kMostWaiting = 64;

  // Empty: there is none.
  explicit Hook(std::string program);
  ~Hook();
  Hook(const Hook&) = delete;
  Hook& operator=(const Hook&) = delete;

  // `arguments` follow the program's name. More than kMostWaiting of them: the newest is dropped.
  void run(std::vector<std::string> arguments);
  // At every turn: the next may start.
  struct News {
    std::string trouble;  // one could not be started
    std::string outcome;  // what became of the last one
  };
  News tend(std::uint64_t now_ns);
  // One has yet to be started, or has not yet become the program.
  bool starting() const;

 private:
  std::string start(const std::vector<std::string>& arguments);
  bool reaped(std::uint64_t now_ns);
  // Once: why the last one did not become the program; 0: it did, or nothing is known yet.
  int trouble_of_last();
  std::string outcome_of_last() const;

  struct Launch;  // what the new process reads until it has become another program

  std::string program_;
  std::deque<std::vector<std::string>> waiting_;
  int between_ = 0;  // process id; 0: none
  std::uint64_t started_ns_ = 0;
  bool failed_ = false;  // the last one did not become the program
  void* stacks_ = nullptr;
  std::unique_ptr<Launch> launch_;
};

}  // namespace impasse::witness
