// From verdicts to what is told: each is reached twice before it is believed, each trouble is told
// once and then ever more rarely, and one that comes again is the same trouble.
//
// Promises: decides by its arguments alone; remembers no more than kMostRemembered troubles. Used
// by one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "detector/stuck_groups.h"
#include "detector/verdicts.h"

namespace impasse {

// A trouble that was told.
struct Finding {
  std::uint32_t id = 0;  // from 1
  FindingKind kind = FindingKind::kLongWait;
  FindingKind kind_before = FindingKind::kLongWait;  // as which it was told the time before
  std::uint32_t updates = 0;                         // how often it was told again
  std::uint64_t found_ns = 0;                        // CLOCK_MONOTONIC
  std::uint64_t sites = 0;
  std::uint64_t root_lock = 0;
  std::uint32_t root_tid = 0;
  std::vector<Mark> marks;
  bool lasts = false;                 // it was there in the last look
  bool seen_now = false;              // ... and in this one
  std::uint64_t running_told_ns = 0;  // the watchdog's clock when it was told first
  std::uint64_t next_gap_ns = 0;      // from then until it is told again
};

struct Telling {
  std::uint32_t finding = 0;  // id
  std::uint32_t update = 0;
  std::uint64_t found_ns = 0;
  const Verdict* verdict = nullptr;
  // How often the root lock was seen to change hands while the longest of them waited; at least.
  std::optional<std::uint64_t> changed_hands;
};

class Findings {
 public:
  explicit Findings(const Thresholds& thresholds) : thresholds_(thresholds) {}

  // One look. What is to be told now; valid until the next look.
  // `sleep` null: groups are not told, as nobody is there to confirm that they sleep.
  std::vector<Telling> look(const Snapshot& snapshot, LockProbe probe, SleepProbe sleep = nullptr,
                            const ProcessView& process = {});
  // Telling failed, or the facts had changed meanwhile: try again at the next look.
  void not_told(std::uint32_t finding);

  // Threads that others have begun to wait behind: what they do is worth remembering.
  const std::vector<std::uint32_t>& suspects() const { return suspects_; }
  // Some verdict was reached for the first time: look again soon.
  bool wants_second_look() const { return unconfirmed_; }
  // Some group was found to be stuck in the last look, whether it was told or not.
  bool has_groups() const;
  std::uint64_t troubles() const { return next_id_ - 1; }
  const Thresholds& thresholds() const { return thresholds_; }

 private:
  // Who had a lock when it was last looked at, and how often that was somebody else than before.
  struct Hands {
    std::uint32_t holder_tid = 0;
    std::uint32_t since_tick = 0;
    std::uint64_t changes = 0;
    std::uint64_t looked_at = 0;  // number of the look
  };

  bool was_there(const Verdict& verdict) const;
  Finding* remembered(const Verdict& verdict, std::uint32_t root_tid);
  static bool due(const Finding& finding, std::uint64_t running_ns);
  void begin_next_gap(Finding& finding) const;
  bool too_many_alike(const Verdict& verdict) const;
  bool asleep(Verdict& verdict, const Snapshot& snapshot, const WaitGraph& graph, SleepProbe sleep);
  void watch_hands(const Snapshot& snapshot, const WaitGraph& graph);
  void forget_one();

  Thresholds thresholds_;
  std::vector<Verdict> last_;
  std::vector<Verdict> now_;
  std::vector<Finding> told_;
  std::vector<std::uint32_t> suspects_;  // tids
  std::unordered_map<std::uint64_t, Hands> hands_;
  std::uint64_t looks_ = 0;
  std::uint32_t next_id_ = 1;
  bool unconfirmed_ = false;
  std::size_t most_to_ask_ = 0;  // threads that the kernel is still asked about in this look
};

}  // namespace impasse
