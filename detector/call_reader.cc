#include "detector/call_reader.h"

#include <algorithm>
#include <tuple>

namespace impasse {
namespace {

// The life of a lock that the entry tells of has ended.
bool is_over(const Ledger& ledger, std::uint64_t lock, std::uint64_t life) {
  if (life == 0) return false;
  const std::uint64_t number = (life >> 32) - 1;
  if (number >= ledger.lock_capacity()) return true;
  const LockRecord& record = ledger.lock_record(number);
  return record.address.load(std::memory_order_acquire) != lock ||
         record.generation.load(std::memory_order_relaxed) != static_cast<std::uint32_t>(life);
}

// False: nobody's place, or somebody else's by now.
bool read(const Ledger& ledger, const CallRecord& record, CallFact& fact) {
  const std::uint64_t site = record.site.load(std::memory_order_acquire);
  if (site >> kTraitShift >= kBlockingCalls || (site & kSiteMask) <= 1) return false;
  const std::uint64_t life = record.life.load(std::memory_order_relaxed);
  fact.lock = record.lock.load(std::memory_order_relaxed);
  fact.call = static_cast<BlockingCall>(site >> kTraitShift);
  fact.site = site & kSiteMask;
  fact.held_site = record.held_site.load(std::memory_order_relaxed) & kSiteMask;
  fact.count = record.count.load(std::memory_order_relaxed);
  fact.sum_ns = record.sum_ns.load(std::memory_order_relaxed);
  fact.most_ns = record.most_ns.load(std::memory_order_relaxed);
  fact.last_ns = record.last_ns.load(std::memory_order_acquire);
  if (record.site.load(std::memory_order_relaxed) != site || fact.count == 0) return false;
  if (is_over(ledger, fact.lock, life)) fact.lock = 0;
  return true;
}

auto key(const CallFact& fact) {
  return std::tuple(fact.lock, fact.call, fact.site);
}

}  // namespace

std::vector<CallFact> read_own_calls(const Ledger& ledger) {
  const std::uint64_t open =
      std::min(ledger.header().calls_open.load(std::memory_order_acquire), ledger.call_capacity());
  std::vector<CallFact> all;
  CallFact fact;
  for (std::uint64_t i = 0; i < open; ++i) {
    if (read(ledger, ledger.call(i), fact)) all.push_back(fact);
  }
  std::sort(all.begin(), all.end(),
            [](const CallFact& a, const CallFact& b) { return key(a) < key(b); });
  std::vector<CallFact> facts;
  for (const CallFact& next : all) {
    if (facts.empty() || key(facts.back()) != key(next)) {
      facts.push_back(next);
      continue;
    }
    CallFact& known = facts.back();
    known.count += next.count;
    known.sum_ns += next.sum_ns;
    known.most_ns = std::max(known.most_ns, next.most_ns);
    if (next.last_ns > known.last_ns) {
      known.last_ns = next.last_ns;
      known.held_site = next.held_site;
    }
  }
  std::stable_sort(facts.begin(), facts.end(),
                   [](const CallFact& a, const CallFact& b) { return a.sum_ns > b.sum_ns; });
  return facts;
}

}  // namespace impasse
