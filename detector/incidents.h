// Broken rules on their way from the thread that broke them to our own thread: a small bounded
// table.
//
// Promises: lock-free, no allocation; a thread that finds no room goes on and is counted. One place
// in a program is told once (`seen`), so that a rule broken a million times a second costs a load
// each time.
#pragma once

#include <cstdint>

#include "detector/ledger.h"

namespace impasse {

class Incidents {
 public:
  explicit Incidents(Ledger& ledger) : ledger_(ledger) {}

  // Whether this place was told before; from now on it was.
  static bool seen(std::uint64_t kind, std::uint64_t site);

  // A place to write one; null: there is none. Then tell().
  Incident* claim();
  static void tell(Incident& incident) {
    incident.stage.store(kIncidentTold, std::memory_order_release);
  }

  // Our own thread's side: each that was told, as visit(const Incident&); then its place is free.
  template <typename Visit>
  void each(Visit visit) {
    const std::uint64_t used = ledger_.header().incidents_used.load(std::memory_order_acquire);
    for (std::uint64_t i = 0; i < used; ++i) {
      Incident& incident = ledger_.incident(i);
      if (incident.stage.load(std::memory_order_acquire) != kIncidentTold) continue;
      visit(static_cast<const Incident&>(incident));
      incident.stage.store(kIncidentFree, std::memory_order_release);
    }
  }
  bool any() const { return ledger_.header().incidents_used.load(std::memory_order_relaxed) != 0; }

 private:
  Incident* open_place();

  Ledger& ledger_;
};

}  // namespace impasse
