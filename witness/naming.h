// Names for a report, looked up on the side thread. Of a report that is on disk already in its raw
// form the full form takes the raw one's place. Of one that a rule may yet suppress nothing is
// written: the rules are asked, and the watchdog fetches the answer.
//
// Promises: run() makes a copy and frees all that it took, but for an answer; what the watchdog
// keeps is not touched. Should it crash on damaged debug information, its stack goes into a file
// beside the report and the side thread ends; the raw form stands.
#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "report/report.h"
#include "report/suppression_match.h"
#include "witness/delivery.h"
#include "witness/side_thread.h"

namespace impasse::witness {

class NamingTask final : public SideTask {
 public:
  NamingTask(SideThread& side, report::Report report, Delivery::Files files)
      : side_(side),
        report_(std::move(report)),
        files_(std::move(files)),
        crash_path_(files_.text + ".crash") {}

  // The same, and asks `rules`, which must outlive it. `files` may be empty.
  NamingTask(SideThread& side, report::Report report, Delivery::Files files, std::string crash_path,
             const std::vector<report::SuppressionRule>& rules, std::uint32_t finding)
      : side_(side),
        report_(std::move(report)),
        files_(std::move(files)),
        crash_path_(std::move(crash_path)),
        rules_(&rules),
        finding_(finding) {}

  void run() override;
  // On the calling thread. False: it crashed.
  bool run_here();

  const report::Report& report() const { return report_; }
  const Delivery::Files& files() const { return files_; }
  bool done() const { return done_.load(std::memory_order_acquire); }
  // A newer form of the same report was written: this one must not replace it.
  void outdate() { outdated_.store(true, std::memory_order_release); }
  bool outdated() const { return outdated_.load(std::memory_order_acquire); }

  // ---- of one that asks rules; for the watchdog
  bool open() const { return rules_ != nullptr && !told_; }
  bool asks_rules() const { return rules_ != nullptr; }
  std::uint32_t finding() const { return finding_; }
  // It was told raw meanwhile, into these files.
  void told(Delivery::Files files) {
    told_ = true;
    files_ = std::move(files);
  }
  // Once it is done.
  report::Report& named() { return named_; }
  const report::Judgement& judgement() const { return judgement_; }

 private:
  void look_up();

  SideThread& side_;
  const report::Report report_;
  Delivery::Files files_;  // of one that asks rules: the watchdog's alone
  const std::string crash_path_;
  const std::vector<report::SuppressionRule>* const rules_ = nullptr;
  const std::uint32_t finding_ = 0;
  bool told_ = false;
  report::Report named_;
  report::Judgement judgement_;
  std::atomic<bool> outdated_{false};
  std::atomic<bool> done_{false};
};

}  // namespace impasse::witness
