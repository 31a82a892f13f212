// Which calls that may block a report tells of: those made under the locks of the finding.
#include <algorithm>
#include <vector>

#include "witness/report_builder.h"

namespace impasse::witness {
namespace {

constexpr std::size_t kMostCalls = 8;

// The root lock first, then those that others of the finding wait for.
std::vector<std::uint32_t> locks_of(const report::Finding& finding) {
  std::vector<std::uint32_t> locks;
  const auto add = [&locks](std::uint32_t lock) {
    const bool known = std::find(locks.begin(), locks.end(), lock) != locks.end();
    if (lock != report::kNobody && !known) locks.push_back(lock);
  };
  add(finding.root_lock);
  for (const report::Link& link : finding.crowd) add(link.lock);
  return locks;
}

}  // namespace

void ReportBuilder::add_calls(const std::vector<CallFact>& calls) {
  if (report_.finding.kind != FindingKind::kLongWait) return;
  for (const std::uint32_t lock : locks_of(report_.finding)) {
    for (const CallFact& fact : calls) {
      if (fact.lock != report_.locks[lock].address) continue;
      if (report_.calls.size() == kMostCalls) return;
      report::CallTally call;
      call.lock = lock;
      call.call = fact.call;
      call.site = site_frame(fact.site);
      call.held_site = site_frame(fact.held_site);
      call.count = fact.count;
      call.sum_ns = fact.sum_ns;
      call.most_ns = fact.most_ns;
      call.last_ns = fact.last_ns;
      report_.calls.push_back(std::move(call));
    }
  }
}

}  // namespace impasse::witness
