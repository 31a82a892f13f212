// The loaded objects in which locks that matter stand, before one of them may go.
//
// Promises: keeps errno; no lock, no allocation (the loader is asked in the way that signal
// handlers may use). Of more than kMost such objects the rest is left out: their locks live on.
// Costs: some tens of nanoseconds for each lock that matters.
#pragma once

#include <cstdint>

namespace impasse {

class LoadedLocks {
 public:
  LoadedLocks();
  // The locks of those that are loaded no more are no more.
  void end_unloaded() const;

 private:
  static constexpr unsigned kMost = 64;
  struct Object {
    const void* link_map;
    std::uint64_t start;
    std::uint64_t end;
  };
  bool includes(std::uint64_t address) const;

  Object objects_[kMost];
  unsigned count_ = 0;
};

}  // namespace impasse
