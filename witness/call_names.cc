#include "witness/call_names.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <memory>
#include <utility>

#include "report/call_words.h"
#include "symbolize/crash_guard.h"

namespace impasse::witness {
namespace {

struct Kept {
  long pid = 0;
  report::Report calls;
};
// Whoever takes it out has it for himself.
constinit std::atomic<Kept*> kept{nullptr};

// Empty: there is none. What a forked child finds here is its parent's, in memory of a thread that
// the child has not.
std::unique_ptr<Kept> take_kept() {
  std::unique_ptr<Kept> mine(kept.exchange(nullptr, std::memory_order_acq_rel));
  if (mine != nullptr && mine->pid != syscall(SYS_getpid)) (void)mine.release();
  return mine;
}

class CallNaming final : public SideTask {
 public:
  CallNaming(SideThread& side, const report::Report& report, NameReport name)
      : side_(side), name_(name), named_(report) {}
  void run() override {
    auto work = [this] { name_(named_); };
    if (symbolize::run_guarded(nullptr, work)) {
      done_.store(true, std::memory_order_release);
    } else {
      side_.set_lost();
    }
  }
  bool done() const { return done_.load(std::memory_order_acquire); }
  report::Report& named() { return named_; }

 private:
  SideThread& side_;
  const NameReport name_;
  report::Report named_;
  std::atomic<bool> done_{false};
};

}  // namespace

void keep_call_names(const report::Report& named) {
  if (named.calls.empty()) return;
  auto next = std::make_unique<Kept>();
  next->pid = syscall(SYS_getpid);
  report::add_calls(next->calls, named, kMostCallsKept);
  if (const auto before = take_kept())
    report::add_calls(next->calls, before->calls, kMostCallsKept);
  // Only by two who look up names at the same time: one of them keeps what it found.
  delete kept.exchange(next.release(), std::memory_order_acq_rel);
}

report::Report with_names(SideThread& side, report::Report worst_calls, NameReport name) {
  if (worst_calls.calls.empty()) return worst_calls;
  const auto known = take_kept();
  if (known != nullptr && report::take_names(worst_calls, known->calls)) return worst_calls;
  // Never torn down: the side thread may come late.
  auto& naming = *new CallNaming(side, worst_calls, name);
  if (!side.give(naming)) return worst_calls;
  for (unsigned ms = 0; ms < kCallNamesPatienceMs && !naming.done() && !side.lost(); ++ms) {
    const timespec step{0, 1'000'000};
    nanosleep(&step, nullptr);
  }
  return naming.done() ? std::move(naming.named()) : worst_calls;
}

}  // namespace impasse::witness
