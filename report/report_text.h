// A report for people: verdict, picture, timeline, orders, threads, small print.
//
// Promises: a pure function of its arguments, no I/O; whatever bytes and indices the report has,
// what comes out is printable UTF-8, and short even when two thousand threads wait behind one lock
// (under 64 KiB, but for a dump of all threads and for very long circles' stacks).
#pragma once

#include <string>

#include "report/ink.h"
#include "report/report.h"

namespace impasse::report {

std::string report_text(const Report& report, const TextStyle& style);

// For standard error, without a newline: "impasse: DEADLOCK: thread 101 "a" wants …"; at most 300
// bytes.
std::string report_line(const Report& report);

}  // namespace impasse::report
