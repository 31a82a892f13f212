// Everything in a report that is a place in code, for whoever looks up names or modules.
//
// Promises: frames of stacks, each stack once, then call sites and entries, as far as they are
// known. Of a report that may change only names may be changed.
#pragma once

#include "report/report.h"

namespace impasse::report {

// `AnyReport` is Report or const Report.
template <typename AnyReport, typename Visit>
void for_each_frame(AnyReport& report, Visit visit) {
  const auto site = [&visit](auto& frame) {
    if (frame.pc != 0) visit(frame);
  };
  report.stacks.for_each_frame(visit);
  for (auto& thread : report.threads) {
    for (auto& hold : thread.holds) site(hold.site);
    if (thread.wait) site(thread.wait->site);
    site(thread.entry);
  }
  for (auto& lock : report.locks) {
    for (auto& signaller : lock.signallers) site(signaller.site);
  }
  for (auto& call : report.calls) {
    site(call.site);
    site(call.held_site);
  }
  site(report.finding.call);
  for (auto& order : report.finding.orders) {
    site(order.from_site);
    site(order.to_site);
    for (auto& held : order.others) site(held.site);
  }
}

}  // namespace impasse::report
