#include "report/dump_words.h"

#include <algorithm>
#include <array>

#include "report/words.h"

namespace impasse::report {
namespace {

struct Kind {
  const char* one;
  const char* many;
};
constexpr std::array<Kind, 8> kKinds = {
    {{"waits for a lock", "wait for locks"},
     {"waits on a condition", "wait on conditions"},
     {"waits for a semaphore", "wait for semaphores"},
     {"waits at a barrier", "wait at barriers"},
     {"waits for another to end", "wait for others to end"},
     {"is asleep in a system call", "are asleep in system calls"},
     {"runs", "run"},
     {"does something else", "do something else"}}};

std::size_t kind_of(const Thread& thread) {
  if (thread.wait) {
    switch (thread.wait->kind) {
      case WaitKind::kCondition:
        return 1;
      case WaitKind::kSemaphore:
        return 2;
      case WaitKind::kBarrier:
        return 3;
      default:
        return waits_for_lock(thread.wait->kind) ? 0 : 4;
    }
  }
  if (thread.activity.kind == system::ActivityKind::kInSystemCall) return 5;
  return thread.activity.kind == system::ActivityKind::kRunning ? 6 : 7;
}

}  // namespace

std::vector<std::string> dump_words(const Phrases& say) {
  std::array<std::size_t, kKinds.size()> n{};
  std::size_t all = 0;
  std::size_t holding = 0;
  for (const Thread& thread : say.report().threads) {
    if (thread.ours) continue;
    ++all;
    ++n[kind_of(thread)];
    if (std::any_of(thread.holds.begin(), thread.holds.end(),
                    [](const Hold& h) { return h.phase == hold_phase::kHeld; })) {
      ++holding;
    }
  }
  std::string text = counted(all, "thread", "threads");
  const char* separator = ": ";
  for (std::size_t i = 0; i < kKinds.size(); ++i) {
    if (n[i] == 0) continue;
    text += separator + counted(n[i], kKinds[i].one, kKinds[i].many);
    separator = ", ";
  }
  const std::string holders = holding == 0   ? "None of them holds a lock."
                              : holding == 1 ? "One of them holds locks."
                                             : spoken_number(holding) + " of them hold locks.";
  return {text + ". " + holders,
          "This report was asked for; whether anything is wrong was not judged."};
}

}  // namespace impasse::report
