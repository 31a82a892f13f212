// Names of the places and locks that facts are about: as a Report, so that whoever names reports
// names these too.
//
// Promises: pure functions of their arguments; everything from outside is printable. May allocate.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "report/facts.h"
#include "report/phrases.h"
#include "report/report.h"

namespace impasse::report {

// Modules, locks by address, and the call sites by address as holds of its only thread: what names
// need is filled in, names are not. Modules whose files were replaced are left out.
Report to_be_named(const Snapshot& snapshot, const symbolize::Modules& modules);

// What was named of `facts`, which must outlive it.
class FactNames {
 public:
  explicit FactNames(const Facts& facts);

  // "Cache::put cache.cc:12", or empty: there is no name to be had.
  std::string place_name(std::uint64_t pc) const;
  // ... where there is none "server+0x1234".
  std::string place(std::uint64_t pc) const;
  // "Cache::mu", or empty.
  std::string lock_name(std::uint64_t address) const;
  // "Cache::mu (mutex 0x7f31…)", "mutex 0x7f31…"
  std::string lock(std::string_view kind, std::uint64_t address) const;

 private:
  const Facts& facts_;
  Phrases say_;
};

}  // namespace impasse::report
