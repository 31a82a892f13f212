#include "witness/name_report.h"

#include <cstdio>

#include "report/frames.h"
#include "symbolize/namer.h"

namespace impasse::witness {
namespace {

void name_lock(symbolize::Namer& namer, report::Lock& lock) {
  const auto symbol = namer.symbol_of_data(lock.address);
  if (!symbol) return;
  lock.name = symbol->name;
  lock.memory = report::Memory::kGlobal;
  if (symbol->offset == 0) return;
  char offset[24];
  std::snprintf(offset, sizeof offset, "+0x%llx", static_cast<unsigned long long>(symbol->offset));
  lock.name += offset;
}

}  // namespace

void name_report(report::Report& report) {
  symbolize::Namer namer;
  report::for_each_frame(report, [&namer](symbolize::Frame& frame) { namer.name(frame); });
  for (report::Lock& lock : report.locks) name_lock(namer, lock);
  report.named = true;
  report.names_trouble = namer.trouble();
}

}  // namespace impasse::witness
