// Verdicts over threads that can never go on and of which some wait to be signalled: those who
// belong together are one group. And over a process in which everybody waits for somebody else.
//
// Promises: as verdicts.h; the process is asked only when all its threads that are known wait.
#pragma once

#include <cstdint>
#include <vector>

#include "detector/verdicts.h"

namespace impasse {

// What is asked about the process as a whole; null: nobody to ask.
struct ProcessView {
  // All tasks that are neither ours nor dead. False: not to be had.
  bool (*tasks)(std::vector<std::uint32_t>& tids) = nullptr;
  // Whether a handler of the program may run in a thread that sleeps.
  bool (*catches_signals)() = nullptr;
  // Whether a timer is running that will run a function of the program.
  bool (*timer_calls_program)() = nullptr;
};

// Adds to the verdicts that judge() reached over the same facts.
void judge_groups(const Snapshot& snapshot, const WaitGraph& graph, LockProbe probe,
                  const ProcessView& process, std::vector<Verdict>& verdicts);

constexpr bool is_of_group(FindingKind kind) {
  return kind == FindingKind::kStuckCondition || kind == FindingKind::kAllAsleep;
}

enum class Asleep : std::uint8_t {
  kNot,   // somebody is up, or nobody can tell
  kSome,  // those who were asked: they were too many to ask all
  kAll,
};
// Whether the kernel says so too of the verdict's threads. Costs some 10 µs for each, up to 1,024.
Asleep ask_kernel(const Verdict& verdict, const Snapshot& snapshot, const WaitGraph& graph,
                  SleepProbe sleep);

}  // namespace impasse
