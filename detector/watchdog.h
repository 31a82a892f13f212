// One turn of the watchdog: what it keeps up to date in the ledger, and when it looks for trouble.
// Knows no thread, no clock, no file, no stack: they are handed to it.
#pragma once

#include <cstdint>

#include "detector/clock.h"
#include "detector/findings.h"
#include "detector/ledger.h"
#include "detector/ledger_reader.h"
#include "detector/retakes.h"
#include "detector/wait_scan.h"

namespace impasse {

// What the watchdog may ask about the process.
struct ProcessProbe {
  bool (*alive)(std::uint32_t tid);
  // The name as the kernel has it, 0-terminated. False: not to be had.
  bool (*name)(std::uint32_t tid, char (&text)[kNameBytes]);
  LockProbe lock;
  std::uint64_t (*monotonic_ns)();
  SleepProbe sleep = nullptr;  // null: the ledger alone has to do
  ProcessView process = {};
};

// Where findings go.
class FindingSink {
 public:
  // False: the facts have changed since the snapshot, or it could not be told; it comes again.
  virtual bool tell(const Telling& telling, const Snapshot& snapshot) = 0;
  // A rule that was broken; what it refers to lives as long as the call.
  virtual void tell(const Incident& incident) = 0;
  // Others wait behind these threads, not for long yet: what they do now is worth remembering.
  virtual void suspect(const std::vector<std::uint32_t>& tids) = 0;

 protected:
  ~FindingSink() = default;
};

class Watchdog {
 public:
  // `sink` null: nothing is looked for.
  Watchdog(Ledger& ledger, const ProcessProbe& probe, const Thresholds& thresholds,
           FindingSink* sink)
      : ledger_(ledger),
        probe_(probe),
        sink_(sink),
        clock_(published_tick.value.load(std::memory_order_relaxed)),
        judges_groups_(thresholds.conditions),
        findings_(thresholds) {}

  // `intended_ns`: how long it meant to sleep before this turn.
  void turn(std::uint64_t now_ns, std::uint64_t intended_ns);
  // How long to sleep until the next.
  std::uint64_t pause_ns() const;

 private:
  void learn_names();
  bool learn_name(ThreadSlot& slot);
  void reap(std::uint64_t now_ns);
  void reap_twins(std::uint64_t now_ns);
  void take_back(ThreadSlot& slot, std::uint32_t tid, std::uint64_t now_ns);
  bool read_facts(LedgerReading& reading, std::uint64_t now_ns);
  void look_for_trouble(std::uint64_t now_ns);
  bool is_time_to_look(const WaitScan& scan, std::uint64_t now_ns) const;
  void collect_incidents();

  Ledger& ledger_;
  ProcessProbe probe_;
  FindingSink* sink_;
  RunningClock clock_;
  const bool judges_groups_;
  Retakes retakes_;
  Findings findings_;
  std::uint64_t next_reap_ns_ = 0;
  std::uint64_t turns_ = 0;
  std::uint64_t next_slot_ = 0;  // where learn_names() goes on
  bool names_known_ = false;     // of all threads, as long as these two stay as they were
  std::uint64_t names_used_ = 0;
  std::uint64_t names_handed_out_ = 0;
  unsigned names_skipped_ = 0;
  std::uint64_t turned_ns_ = 0;
  std::uint64_t last_wait_ns_ = 0;
  bool soon_ = false;  // somebody began to wait lately
  std::uint64_t last_look_ns_ = 0;
  std::uint64_t look_cost_ns_ = 0;
  std::uint64_t judged_picture_ = 0;  // the scan's, at the last look
  std::uint32_t late_waits_ = 0;      // likewise
};

}  // namespace impasse
