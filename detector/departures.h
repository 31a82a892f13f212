// Holds whose holder is gone: the thread ended, or did not come along into this forked child.
#pragma once

#include <cstdint>

#include "detector/ledger.h"

namespace impasse {

struct LostHold {
  std::uint64_t lock;
  std::uint64_t site;
  std::uint64_t stamp;
  std::uint32_t tid;
  DepartureReason reason;
  std::uint64_t when_ns;
  std::uint64_t name[kNameBytes / 8];
};

class Departures {
 public:
  explicit Departures(Ledger& ledger) : ledger_(ledger) {}

  void add(const LostHold& hold);
  // One hold of the lock was released, or made consistent, after all. False: nothing was known of
  // it.
  bool forget(std::uint64_t lock);
  // No lock in [start, start + bytes) is any more.
  void forget_range(std::uint64_t start, std::uint64_t bytes);
  // Every departure that is known, as visit(const LostHold&).
  template <typename Visit>
  void each(Visit visit) const {
    const std::uint64_t used = ledger_.header().departures_used.load(std::memory_order_acquire);
    for (std::uint64_t i = 0; i < used; ++i) {
      if (LostHold lost{}; read(i, lost)) visit(lost);
    }
  }
  bool any() const { return ledger_.header().departures_used.load(std::memory_order_relaxed) != 0; }

 private:
  bool open_place(std::uint64_t number);
  bool read(std::uint64_t number, LostHold& lost) const;
  bool clear(std::uint64_t number, std::uint64_t lock);

  Ledger& ledger_;
};

// Copies the granted holds of a slot that belongs to another, running thread: what one look finds.
// Returns how many.
unsigned look_at_holds(const ThreadSlot& slot, const Ledger& ledger, DepartureReason reason,
                       std::uint64_t now_ns, LostHold* out, unsigned room);

// The same for the holds beyond the slot's places, of the calling thread's own slot; reason kNone.
unsigned look_at_deep_holds(const ThreadSlot& slot, const Ledger& ledger, LostHold* out,
                            unsigned room);

// The slot's thread has ended: whatever it still holds becomes a departure.
void leave_holds_behind(const ThreadSlot& slot, Ledger& ledger, std::uint64_t now_ns);

}  // namespace impasse
