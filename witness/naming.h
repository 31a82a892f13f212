// Names for a report that is on disk already in its raw form, looked up on the side thread; then
// the full form takes the raw one's place.
//
// Promises: run() makes a copy and frees all that it took; what the watchdog keeps is not touched.
// Should it crash on damaged debug information, its stack goes into a file beside the report and
// the side thread ends; the raw form stands.
#pragma once

#include <atomic>

#include "report/report.h"
#include "witness/delivery.h"
#include "witness/side_thread.h"

namespace impasse::witness {

class NamingTask final : public SideTask {
 public:
  NamingTask(SideThread& side, report::Report report, Delivery::Files files)
      : side_(side), report_(std::move(report)), files_(std::move(files)) {}

  void run() override;
  // On the calling thread. False: it crashed.
  bool run_here();

  report::Report& report() { return report_; }
  const Delivery::Files& files() const { return files_; }
  bool done() const { return done_.load(std::memory_order_acquire); }
  // A newer form of the same report was written: this one must not replace it.
  void outdate() { outdated_.store(true, std::memory_order_release); }

 private:
  void look_up() const;

  SideThread& side_;
  report::Report report_;
  Delivery::Files files_;
  std::atomic<bool> outdated_{false};
  std::atomic<bool> done_{false};
};

}  // namespace impasse::witness
