// A finding's fingerprint: of the calls that make it, with their nearest callers, each as module
// and offset. The same in every run of the same build, wherever it is loaded.
//
// Promises: a pure function; the order of threads does not matter, nor where a circle begins.
#pragma once

#include <string>

#include "report/report.h"
#include "symbolize/modules.h"

namespace impasse::witness {

std::string fingerprint(const report::Report& report, const symbolize::Modules& modules);

}  // namespace impasse::witness
