#include "witness/fingerprint.h"

#include <cstdio>
#include <set>
#include <string_view>

#include "report/signal_words.h"
#include "witness/call_place.h"

namespace impasse::witness {
namespace {

std::uint64_t mix_text(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = mix(hash, static_cast<unsigned char>(c));
  return hash;
}

enum Role : std::uint64_t {
  kWanted = 1,
  kHeld = 2,
  kWantedInVain = 3,
  kMisused = 4,
  kFrom = 64,
  kTo,
  kStuck = 128,      // and the WaitKind
  kSignalled = 192,  // and the LockKind
};

// Summed up, so that the order does not matter.
class Sum {
 public:
  Sum(const report::Report& report, const symbolize::Modules& modules)
      : report_(report), modules_(modules) {}

  void add(std::uint64_t role, const symbolize::Frame& site, const symbolize::Stack& stack,
           std::size_t frame) {
    if (!modules_.find(site.pc)) return;
    value_ += mix(role, place_of(site, stack, frame));
  }

  // What a thread waits for is asked for by the innermost frame of its stack; so was what broke a
  // rule.
  void add_wait(std::uint64_t role, std::uint32_t thread) {
    const report::Thread& waiter = report_.threads[thread];
    const symbolize::Frame& call = report_.finding.call;
    if (thread == report_.finding.root && call.pc != 0) {
      add(role, call, report_.stack_of(waiter), 0);
      return;
    }
    if (waiter.wait) add(role, waiter.wait->site, report_.stack_of(waiter), 0);
  }

  void add_holds(std::uint32_t thread, std::uint32_t lock) {
    if (thread == report::kNobody) return;
    const report::Thread& holder = report_.threads[thread];
    for (const report::Hold& hold : holder.holds) {
      if (hold.lock == lock)
        add(kHeld, hold.site, report_.stack_of(holder), frame_or_none(hold.frame));
    }
  }

  // Threads that only each other could wake: each place once, however many stand at it. Where a
  // signal came from, nobody knows but its call.
  void add_group(const report::Finding& finding) {
    std::set<std::uint64_t> places;
    std::set<std::uint32_t> objects;
    for (const report::Link& link : finding.crowd) {
      const report::Thread& waiter = report_.threads[link.waiter];
      if (!waiter.wait || !modules_.find(waiter.wait->site.pc)) continue;
      const auto kind = static_cast<std::uint64_t>(waiter.wait->kind);
      places.insert(mix(kStuck + kind, place_of(waiter.wait->site, report_.stack_of(waiter), 0)));
      if (waiter.wait->lock < report_.locks.size()) objects.insert(waiter.wait->lock);
    }
    for (const std::uint32_t object : objects) {
      const report::Lock& lock = report_.locks[object];
      for (const report::Signaller& one : lock.signallers) {
        if (!modules_.find(one.site.pc)) continue;
        places.insert(
            mix(kSignalled + static_cast<std::uint64_t>(lock.kind), identity(one.site.pc)));
      }
    }
    for (const std::uint64_t place : places) value_ += place;
  }

  void add_order(const report::Order& order) {
    const symbolize::Stack& stack = report_.stack_of(order);
    add(kFrom, order.from_site, stack, frame_or_none(order.from_frame));
    add(kTo, order.to_site, stack, 0);
  }

  std::uint64_t value() const { return value_; }

 private:
  // The same wherever the module is loaded.
  std::uint64_t identity(std::uint64_t pc) const {
    const auto place = modules_.find(pc);
    if (!place) return 0;
    const symbolize::Module& module = *place->module;
    return mix(
        mix_text(1, module.build_id.empty() ? module.name() : std::string_view(module.build_id)),
        place->offset);
  }

  std::uint64_t place_of(const symbolize::Frame& site, const symbolize::Stack& stack,
                         std::size_t frame) const {
    return call_place(site.pc, stack, frame, [this](std::uint64_t pc) { return identity(pc); });
  }

  static std::size_t frame_or_none(std::uint32_t frame) {
    constexpr std::size_t kBeyondAnyStack = std::size_t{1} << 40;
    return frame == report::kNobody ? kBeyondAnyStack : frame;
  }

  const report::Report& report_;
  const symbolize::Modules& modules_;
  std::uint64_t value_ = 0;
};

}  // namespace

std::string fingerprint(const report::Report& report, const symbolize::Modules& modules) {
  const report::Finding& finding = report.finding;
  Sum sum(report, modules);
  for (const report::Link& link : finding.cycle) {
    sum.add_wait(kWanted, link.waiter);
    sum.add_holds(link.blocker, link.lock);
  }
  if (finding.cycle.empty()) sum.add_holds(finding.root, finding.root_lock);
  for (const report::Order& order : finding.orders) sum.add_order(order);
  if (report::is_stuck_group(finding.kind)) sum.add_group(finding);
  if (finding.kind == FindingKind::kMisuse) {
    sum.add_wait(kMisused + static_cast<std::uint64_t>(finding.misuse), finding.root);
  }
  // Nobody is known to hold it: where it is asked for has to do.
  if (sum.value() == 0 && !finding.crowd.empty()) {
    sum.add_wait(kWantedInVain, finding.crowd.front().waiter);
  }
  char text[24];
  std::snprintf(
      text, sizeof text, "%016llx",
      static_cast<unsigned long long>(mix(sum.value(), static_cast<std::uint64_t>(finding.kind))));
  return text;
}

}  // namespace impasse::witness
