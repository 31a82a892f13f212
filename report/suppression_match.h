// Which rules hold for a finding: its kind, its fingerprint, and any frame of it, which are those
// of the threads involved, the sites of its waits and holds, and the orders of a lock_order. What
// bystanders do matches nothing.
//
// Promises: pure; also for code that runs inside. Every name is looked at once, however many frames
// have it.
#pragma once

#include <cstddef>
#include <vector>

#include "report/report.h"
#include "report/suppressions.h"

namespace impasse::report {

struct Judgement {
  std::vector<std::size_t> matched;    // indices of rules
  std::vector<std::size_t> undecided;  // of those that names, once they are known, may yet decide

  bool suppressed() const { return !matched.empty(); }
  bool open() const { return matched.empty() && !undecided.empty(); }
};

Judgement judge(const std::vector<SuppressionRule>& rules, const Report& report);

}  // namespace impasse::report
