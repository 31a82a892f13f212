// From a snapshot of the ledger to a report: threads, locks, who is behind whom. Stacks, activities
// and names are added by others.
//
// Promises: a pure function of its arguments. For our own thread.
#pragma once

#include <unordered_map>
#include <unordered_set>

#include "detector/call_reader.h"
#include "detector/findings.h"
#include "detector/snapshot.h"
#include "report/report.h"
#include "symbolize/modules.h"

namespace impasse {
struct OrderCircle;
struct OrderSight;
}  // namespace impasse

namespace impasse::witness {

class OrderWatch;

class ReportBuilder {
 public:
  ReportBuilder(const Snapshot& snapshot, LockProbe probe, const symbolize::Modules& modules);

  // The threads of the snapshot come first, in its order; then holders that are gone.
  void add_threads();
  // What was found; without it the report is a dump.
  void add_finding(const Telling& telling, const Thresholds& thresholds);
  // A rule that was broken; its thread is the finding's root.
  void add_incident(const Incident& incident);
  // Locks are taken in contradicting orders.
  void add_circle(const OrderCircle& circle, std::uint64_t found_ns, const OrderWatch& watch);
  // Every order that was seen: a dump of another kind. No more than `most`, and a note.
  void add_all_orders(const OrderWatch& watch, std::size_t most);
  // What was done under the locks of a long wait, or of a dump; those that took longest in all are
  // handed over first.
  void add_calls(const std::vector<CallFact>& calls);
  void add_modules();
  void add_dropped();

  report::Report& report() { return report_; }
  // The thread of the report that stands for a departure.
  std::uint32_t gone_thread(std::uint32_t departure);

 private:
  std::uint32_t lock(std::uint64_t address, LockKind kind);
  void ask_libc(report::Lock& lock) const;
  bool is_thread(std::uint32_t tid) const;
  report::Hold hold_from(const HoldFact& fact);
  report::Wait wait_from(const CurrentWait& wait);
  std::uint32_t thread_of(std::uint32_t tid);
  report::Order order_from(const OrderSight& sight, std::uint32_t held, const OrderWatch& watch);
  void add_past_hold(report::Thread& holder, const Incident& incident);
  report::Link link_from(const VerdictLink& link);
  void add_calls_of_dump(const std::vector<CallFact>& calls);
  void add_signallers();
  void add_ended_signallers(report::Lock& lock, std::uint32_t maker) const;
  std::uint64_t moment_of(std::uint32_t tick) const;
  symbolize::Frame site_frame(std::uint64_t pc) const;

  const Snapshot& snapshot_;
  LockProbe probe_;
  const symbolize::Modules& modules_;
  report::Report report_;
  std::unordered_map<std::uint64_t, std::uint32_t> locks_;    // by address
  std::unordered_set<std::uint64_t> in_use_;                  // held or waited for now
  std::unordered_map<std::uint64_t, std::uint32_t> handles_;  // by pthread_t
  std::unordered_map<std::uint32_t, std::uint32_t> gone_;     // by departure
};

}  // namespace impasse::witness
