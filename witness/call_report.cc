// Which calls that may block a report tells of: those made under the locks of a long wait; of a
// dump, those under any lock that stands in it.
#include <algorithm>
#include <utility>
#include <vector>

#include "witness/report_builder.h"

namespace impasse::witness {
namespace {

constexpr std::size_t kMostCalls = 8;
constexpr std::size_t kMostCallsOfDump = 32;

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

std::vector<CallFact> under(const report::Lock& lock, const std::vector<CallFact>& calls) {
  std::vector<CallFact> found;
  for (const CallFact& call : calls) {
    if (call.lock == lock.address) found.push_back(call);
  }
  return found;
}

report::CallTally tally_of(const CallFact& fact, std::uint32_t lock, symbolize::Frame site,
                           symbolize::Frame held_site) {
  report::CallTally call;
  call.lock = lock;
  call.call = fact.call;
  call.site = std::move(site);
  call.held_site = std::move(held_site);
  call.count = fact.count;
  call.sum_ns = fact.sum_ns;
  call.most_ns = fact.most_ns;
  call.last_ns = fact.last_ns;
  return call;
}

}  // namespace

void ReportBuilder::add_calls(const std::vector<CallFact>& calls) {
  if (report_.finding.kind == FindingKind::kDump) add_calls_of_dump(calls);
  if (report_.finding.kind != FindingKind::kLongWait) return;
  for (const std::uint32_t lock : locks_of(report_.finding)) {
    for (const CallFact& fact : under(report_.locks[lock], calls)) {
      if (report_.calls.size() == kMostCalls) return;
      report_.calls.push_back(
          tally_of(fact, lock, site_frame(fact.site), site_frame(fact.held_site)));
    }
  }
}

// Nobody is its root: the lock of the call that took longest comes first.
void ReportBuilder::add_calls_of_dump(const std::vector<CallFact>& calls) {
  std::vector<std::uint32_t> order;  // in which locks are met
  for (const CallFact& fact : calls) {
    if (report_.calls.size() == kMostCallsOfDump) break;
    const auto lock = locks_.find(fact.lock);
    if (lock == locks_.end()) continue;
    order.push_back(lock->second);
    report_.calls.push_back(
        tally_of(fact, lock->second, site_frame(fact.site), site_frame(fact.held_site)));
  }
  const auto rank = [&order](const report::CallTally& call) {
    return std::find(order.begin(), order.end(), call.lock);
  };
  std::stable_sort(report_.calls.begin(), report_.calls.end(),
                   [&rank](const report::CallTally& a, const report::CallTally& b) {
                     return rank(a) < rank(b);
                   });
}

}  // namespace impasse::witness
