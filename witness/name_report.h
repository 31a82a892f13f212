// Names for everything in a report that has an address: frames, call sites, locks.
//
// Promises: as symbolize/namer.h. For the side thread.
#pragma once

#include "report/report.h"

namespace impasse::witness {

void name_report(report::Report& report);

}  // namespace impasse::witness
