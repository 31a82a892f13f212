// Makes the report of a finding: gathers what every thread does and where it stands, puts the raw
// form on disk, then has names looked up and the full form put in its place.
//
// Promises: up to the raw form nothing is waited for that the program could hold: not its malloc's
// lock, not the loader's. Names come from the side thread; when they take too long the raw form
// stands and says so. For the watchdog's thread.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "detector/watchdog.h"
#include "symbolize/unwinder.h"
#include "witness/activities.h"
#include "witness/delivery.h"
#include "witness/report_builder.h"
#include "witness/side_thread.h"
#include "witness/stacks.h"

namespace impasse::witness {

struct Settings {
  std::string directory;            // of reports, absolute
  std::string temporary_directory;  // $TMPDIR
  Thresholds thresholds;
  std::uint32_t most_reports = 100;
  bool running_stacks = true;
  std::vector<std::pair<std::string, std::string>> options;  // as given
};

// What walks stacks: large, made once.
struct Walkers {
  symbolize::AddressSpace space;
  symbolize::Unwinder unwinder{space};
};

// What happens when a report is there.
struct Reported {
  FindingKind kind = FindingKind::kDump;
  std::string line;   // the finding in one line, with where it was written
  bool stuck = true;  // threads wait for ever; not what libc refused
  bool first = true;  // not an update of an earlier one
  std::string text_path;
  std::string json_path;
};
class ReportListener {
 public:
  virtual void reported(const Reported& what) = 0;

 protected:
  ~ReportListener() = default;
};

class NamingTask;

class Witness final : public FindingSink {
 public:
  // `walkers` is loaded by somebody else: that may hang.
  Witness(Ledger& ledger, LockProbe probe, Settings settings, Walkers& walkers, SideThread& side,
          ReportListener& listener);
  ~Witness();

  bool tell(const Telling& telling, const Snapshot& snapshot) override;
  void tell(const Incident& incident) override;
  void suspect(const std::vector<std::uint32_t>& tids) override;
  // At every turn of the watchdog: names that are ready, names that take too long.
  void tend(std::uint64_t now_ns);
  // Every thread of the process, asked for and not found: as JSON, names to be looked up by whoever
  // asked.
  std::string dump_json(bool running_stacks);
  // The same as a report beside the others.
  void write_dump();

  // Names are being looked up, and not for too long yet.
  bool naming() const { return (current_ != nullptr && !late_) || !waiting_.empty(); }

 private:
  using AddCause = std::function<void(ReportBuilder&)>;
  // `add_cause` adds what the report is about.
  report::Report gather(const Snapshot& snapshot, const AddCause& add_cause, bool running_stacks);
  // One more report is still allowed.
  bool allowed();
  void deliver_first(report::Report report, std::uint32_t finding);
  void watch_threads(const Snapshot& snapshot, report::Report& report, bool running_stacks);
  void add_process_facts(report::Report& report) const;
  void have_named(report::Report report, const Delivery::Files& files, const Reported& what);
  void give_next(std::uint64_t now_ns);
  void give_up_names();
  void give_up_waiting();

  Ledger& ledger_;
  LockProbe probe_;
  Settings settings_;
  SideThread& side_;
  ReportListener& listener_;
  Delivery delivery_;
  Standstills standstills_;
  symbolize::AddressSpace& space_;
  symbolize::Unwinder& unwinder_;
  struct Written {
    std::uint32_t finding;
    Delivery::Files files;
  };
  std::vector<Written> written_;
  std::uint32_t reports_ = 0;
  bool limit_said_ = false;
  std::deque<std::unique_ptr<NamingTask>> waiting_;
  std::unique_ptr<NamingTask> current_;
  std::uint64_t given_ns_ = 0;
  std::uint64_t queued_ns_ = 0;  // since when the first of `waiting_` has been the first
  bool late_ = false;
};

}  // namespace impasse::witness
