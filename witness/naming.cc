#include "witness/naming.h"

#include "report/report_json.h"
#include "report/report_text.h"
#include "symbolize/arena.h"
#include "symbolize/crash_guard.h"
#include "witness/name_report.h"

namespace impasse::witness {

void NamingTask::look_up() const {
  report::Report named = report_;
  name_report(named);
  const std::string text = report::report_text(named, {});
  const std::string json = report::report_json(named);
  if (!outdated_.load(std::memory_order_acquire)) Delivery::replace(files_, text, json);
}

bool NamingTask::run_here() {
  const std::string dump = files_.text + ".crash";
  auto work = [this] { look_up(); };
  if (!symbolize::run_guarded(dump.c_str(), work)) {
    side_.set_lost();
    return false;
  }
  symbolize::OwnArena::trim();
  return true;
}

void NamingTask::run() {
  if (run_here()) done_.store(true, std::memory_order_release);
}

}  // namespace impasse::witness
