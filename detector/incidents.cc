#include "detector/incidents.h"

namespace impasse {
namespace {

// Hashes of places, insert-only. Once it is full nothing more is told: a program that breaks a rule
// in so many places has been told enough.
constexpr unsigned kSeenPlaces = 256;
constinit std::atomic<std::uint64_t> seen_places[kSeenPlaces]{};

}  // namespace

bool Incidents::seen(std::uint64_t kind, std::uint64_t site) {
  const std::uint64_t hash = (site + kind) * 0x9e37'79b9'7f4a'7c15 | 1;
  for (unsigned i = 0; i < kSeenPlaces; ++i) {
    std::atomic<std::uint64_t>& place = seen_places[((hash >> 56) + i) % kSeenPlaces];
    std::uint64_t there = place.load(std::memory_order_relaxed);
    if (there == 0 && place.compare_exchange_strong(there, hash, std::memory_order_relaxed)) {
      return false;
    }
    if (there == hash) return true;
  }
  return true;
}

Incident* Incidents::open_place() {
  std::atomic<std::uint64_t>& used = ledger_.header().incidents_used;
  const GrowthTurn turn(ledger_.growth());
  const std::uint64_t number = used.load(std::memory_order_relaxed);
  if (!turn || number >= ledger_.incident_capacity()) return nullptr;
  Incident& incident = ledger_.incident(number);
  if (!ledger_.growth().reserve(&incident, sizeof incident)) return nullptr;
  incident.stage.store(kIncidentBeingWritten, std::memory_order_relaxed);
  used.store(number + 1, std::memory_order_release);
  return &incident;
}

Incident* Incidents::claim() {
  const std::uint64_t used = ledger_.header().incidents_used.load(std::memory_order_acquire);
  for (std::uint64_t i = 0; i < used; ++i) {
    std::uint32_t free = kIncidentFree;
    Incident& incident = ledger_.incident(i);
    if (incident.stage.compare_exchange_strong(free, kIncidentBeingWritten,
                                               std::memory_order_acq_rel)) {
      return &incident;
    }
  }
  Incident* const incident = open_place();
  if (incident == nullptr) ledger_.count(k_incidents_dropped);
  return incident;
}

}  // namespace impasse
