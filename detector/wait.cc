#include "detector/wait.h"

namespace impasse {
namespace {

// The words that a wait writes, in one order for keeping and putting back.
template <typename Visit>
void each_word(WaitRecord& record, Visit visit) {
  visit(record.object);
  visit(record.partner);
  visit(record.site);
  visit(record.since_ns);
  visit(record.tick);
  visit(record.outer);
  visit(record.place);
  for (auto& reg : record.registers) visit(reg);
}

}  // namespace

WaitScope::WaitScope(WaitRecord& record, const WaitFacts& facts) : record_(record) {
  const std::uint64_t sequence = record.sequence.load(std::memory_order_relaxed);
  interrupted_ = (sequence & 1) != 0;
  if (interrupted_) record.sequence.store(sequence + 1, std::memory_order_release);
  unsigned word = 0;
  // Kept even when no wait was published: the interrupted code may have been about to.
  each_word(record, [&](auto& field) { before_[word++] = field.load(std::memory_order_relaxed); });

  const std::uint64_t outer = interrupted_ ? record.outer.load(std::memory_order_relaxed) + 1 : 0;
  record.object.store(facts.object, std::memory_order_release);
  record.partner.store(facts.partner, std::memory_order_release);
  record.site.store((facts.site & kSiteMask) |
                        std::uint64_t{static_cast<std::uint8_t>(facts.kind)} << kTraitShift |
                        std::uint64_t{facts.traits} << kPhaseShift,
                    std::memory_order_release);
  record.since_ns.store(facts.since_ns, std::memory_order_release);
  record.tick.store(facts.tick, std::memory_order_release);
  record.outer.store(outer, std::memory_order_release);
  record.place.store(facts.place, std::memory_order_release);
}

void WaitScope::end() {
  if (ended_) return;
  ended_ = true;
  record_.sequence.fetch_add(1, std::memory_order_acq_rel);  // even: nobody believes the record now
  unsigned word = 0;
  each_word(record_, [&](auto& field) { field.store(before_[word++], std::memory_order_relaxed); });
  if (interrupted_) record_.sequence.fetch_add(1, std::memory_order_release);
}

}  // namespace impasse
