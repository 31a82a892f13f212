#include "witness/naming.h"

#include "report/report_json.h"
#include "report/report_text.h"
#include "symbolize/arena.h"
#include "symbolize/crash_guard.h"
#include "witness/call_names.h"
#include "witness/name_report.h"

namespace impasse::witness {

void NamingTask::look_up() {
  report::Report named = report_;
  name_report(named);
  keep_call_names(named);
  if (rules_ != nullptr) {
    judgement_ = report::judge(*rules_, named);
    named_ = std::move(named);
    return;
  }
  const std::string text = report::report_text(named, {});
  const std::string json = report::report_json(named);
  if (!outdated()) Delivery::replace(files_, text, json);
}

bool NamingTask::run_here() {
  auto work = [this] { look_up(); };
  if (!symbolize::run_guarded(crash_path_.c_str(), work)) {
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
