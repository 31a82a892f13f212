// Makes the report of a finding: gathers what every thread does and where it stands, puts the raw
// form on disk, then has names looked up and the full form put in its place.
//
// Promises: up to the raw form nothing is waited for that the program could hold: not its malloc's
// lock, not the loader's. Names come from the side thread; when they take too long the raw form
// stands and says so. For the watchdog's thread.
#pragma once

#include <atomic>
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
#include "witness/sieve.h"
#include "witness/stacks.h"

namespace impasse::witness {

// What the end of the process needs to know; outlives the watchdog and its memory.
struct Outcome {
  std::atomic<bool> ready{false};          // the rules were read
  std::atomic<std::uint32_t> counting{0};  // findings that count for exit_code
  std::atomic<std::uint32_t> open{0};      // those that a rule may yet suppress
  std::atomic<bool> has_last_words{false};
};

struct Settings {
  Outcome* outcome = nullptr;
  std::string directory;            // of reports, absolute
  std::string temporary_directory;  // $TMPDIR
  Thresholds thresholds;
  std::uint32_t most_reports = 100;
  bool counts_findings = false;  // for exit_code, also those beyond most_reports
  bool running_stacks = true;
  std::string suppressions;  // paths, absolute; empty: none
  std::string baseline;
  bool quiet = false;  // another process of the family complains of these files and sums up
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
  // Not told, because of a rule.
  virtual void suppressed(FindingKind kind, const std::string& rule) = 0;

 protected:
  ~ReportListener() = default;
};

class NamingTask;  // witness/naming.h

class Witness final : public FindingSink {
 public:
  // `walkers` is loaded by somebody else: that may hang.
  Witness(Ledger& ledger, LockProbe probe, Settings settings, Walkers& walkers, SideThread& side,
          ReportListener& listener);
  ~Witness();

  bool tell(const Telling& telling, const Snapshot& snapshot) override;
  void tell(const Incident& incident) override;
  void suspect(const std::vector<std::uint32_t>& tids) override;
  // Locks are taken in contradicting orders.
  void tell(const OrderCircle& circle, const OrderWatch& watch);
  // At every turn of the watchdog: names that are ready, names that take too long.
  void tend(std::uint64_t now_ns);
  // Every thread of the process, asked for and not found: as JSON, names to be looked up by whoever
  // asked.
  std::string dump_json(bool running_stacks);
  // Likewise, instead of the threads the orders of their locks.
  std::string orders_json(const OrderWatch& watch);
  // The same as a report beside the others.
  void write_dump();

  // Names are being looked up, and not for too long yet.
  bool naming() const { return (current_ != nullptr && !late_) || !waiting_.empty(); }

  // ---- the end of the process
  // Tells what was held back, then sums up. For the watchdog's thread, once.
  void say_last_words();

 private:
  using AddCause = std::function<void(ReportBuilder&)>;
  // `add_cause` adds what the report is about.
  report::Report gather(const Snapshot& snapshot, const AddCause& add_cause, bool running_stacks);
  bool has_room() const { return reports_ < settings_.most_reports; }
  void note_untold();
  // A broken rule may come before stacks can be walked, and callers are part of its fingerprint.
  void await_unwinder();
  // A new finding is worth a look: it can be written, or it may be what counts.
  bool matters();
  void watch_threads(const Snapshot& snapshot, report::Report& report, bool running_stacks);
  void add_process_facts(report::Report& report) const;

  // ---- telling.cc: from a report to those who read it
  static constexpr std::uint32_t kNoFinding = 0;
  struct Written;
  Written* find_written(std::uint32_t finding);
  static bool has_to_wait(const Written& known, FindingKind kind);
  void drop_question(Written& known);
  void deliver_first(report::Report report, std::uint32_t finding);
  void tell_again(report::Report report, std::uint32_t finding);
  // Its files are there.
  void announce(const report::Report& report, const Delivery::Files& files, std::uint32_t finding);
  void announce_growth(const report::Report& report, Written& written);
  void count(bool counts, Written* written);
  void leave_untold(const report::Report& report, std::uint32_t finding);
  Delivery::Files put(report::Report& report, const char* names_trouble);
  void hold_back(report::Report report, std::uint32_t finding);
  void drop(const report::Report& report, const report::Judgement& judgement,
            std::uint32_t finding);
  void withdraw(report::Report& report, const report::Judgement& judgement, Written& written);
  void tell_held_back(NamingTask& task, report::Report& report, const char* names_trouble);
  void settle(NamingTask& task);
  void tell_raw(NamingTask& task, const char* names_trouble);
  void have_named(report::Report report, const Delivery::Files& files);
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
  unsigned unwinder_patience_ms_ = 200;  // of all that come first; it may never be there
  Sieve sieve_;
  Outcome& outcome_;
  enum class Fate : std::uint8_t {
    kTold,
    kOpen,  // a rule may yet suppress it
    kSuppressed,
    kUntold  // max_reports was reached
  };
  struct Written {
    std::uint32_t finding = 0;
    // As it was last.
    FindingKind kind = FindingKind::kDump;
    std::string fingerprint;
    Fate fate = Fate::kTold;
    bool counted = false;  // for exit_code
    Sieve::Place place = Sieve::kNew;
    Delivery::Files files;  // once it was announced

    bool announced() const { return files.number != 0; }
    bool is_as_before(const report::Finding& now) const {
      return kind == now.kind && fingerprint == now.fingerprint;
    }
    void becomes(const report::Finding& now) {
      kind = now.kind;
      fingerprint = now.fingerprint;
    }
  };
  std::vector<Written> written_;
  std::string told_in_;  // the directory of the last report
  std::uint32_t reports_ = 0;
  bool limit_said_ = false;
  bool counts_for_good_ = false;  // some finding does, as nothing is told of it again
  std::deque<std::unique_ptr<NamingTask>> waiting_;
  std::unique_ptr<NamingTask> current_;
  std::uint64_t given_ns_ = 0;
  std::uint64_t queued_ns_ = 0;  // since when the first of `waiting_` has been the first
  bool late_ = false;
};

}  // namespace impasse::witness
