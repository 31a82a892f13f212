// Reads one thread's slot of a ledger while that thread goes on: looks until two looks in a row
// agree, or says that it does not stand still. Part of ledger_reader.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "detector/ledger_layout.h"
#include "detector/ledger_reader.h"
#include "detector/raw_record.h"
#include "detector/snapshot.h"

namespace impasse {

class SlotReader {
 public:
  // The regions have been checked: they lie within the ledger.
  SlotReader(LedgerSource& source, const Region& slots, const Region& deep_holds)
      : source_(source), slots_(slots), deep_holds_(deep_holds) {}

  enum class Outcome { kThread, kNobody, kCutOff };
  Outcome read(std::uint64_t slot, ThreadFact& thread);

  // As the ledger has it in the slot; whether it still holds is for the caller to see.
  struct RawSignal {
    SignalFact fact;
    std::uint32_t record = 0;
    std::uint32_t generation = 0;
  };
  // What the thread noted of these objects (sorted), into `found`; what it is just noting counts as
  // lost. False: the ledger was cut off. A thread that is another one by now has noted nothing.
  bool read_signals(ThreadFact& thread, std::span<const std::uint64_t> objects,
                    std::vector<RawSignal>& found);

  // Records so far that no impasse could have written.
  std::uint64_t senseless() const { return senseless_; }

 private:
  // What one look at a slot saw. Two equal looks in a row prove each other (INV-HOLD-2,
  // INV-WAIT-1).
  struct Look {
    std::uint64_t state = 0;
    std::uint32_t life = 0;
    std::uint32_t tid = 0;
    std::uint64_t deep = 0;
    std::uint64_t deep_size = 0;
    std::uint64_t deep_change = 0;
    std::array<std::uint64_t, sizeof(WaitRecord) / 8> wait{};
    std::array<std::uint64_t, kMailbox> mail{};
    std::vector<raw::RawHold> holds;
    std::vector<raw::RawHold> deep_holds;
    bool deep_read = true;

    friend bool operator==(const Look&, const Look&) = default;
    bool stands() const { return (state & kRearranging) == 0 && (deep_change & 1) == 0; }
    bool is(ThreadLife which) const { return life == static_cast<std::uint32_t>(which); }
  };
  struct Decoded {
    std::vector<HoldFact> holds;
    std::uint64_t senseless = 0;
  };

  bool get(std::uint64_t offset, std::span<std::byte> into) {
    return source_.read(offset, into.data(), into.size());
  }
  bool look(std::uint64_t offset, Look& seen);
  bool read_deep(Look& seen);
  static Decoded decode(const Look& seen);
  static void decode_deep(const std::vector<raw::RawHold>& deep, Decoded& decoded);
  static void keep_common(std::vector<HoldFact>& holds, std::vector<HoldFact> now);
  void read_wait(const Look& seen, ThreadFact& thread);
  void read_rest(const Look& last, ThreadFact& thread);
  bool read_signals(std::uint64_t offset, ThreadFact& thread, std::size_t count,
                    std::span<const std::uint64_t> objects, std::vector<RawSignal>& found);

  LedgerSource& source_;
  const Region slots_;
  const Region deep_holds_;
  std::size_t holds_kept_ = 0;
  std::uint64_t deep_bytes_read_ = 0;
  std::uint64_t senseless_ = 0;
  std::array<std::byte, kPage>
      page_{};  // the part of the slot before `seen`, as the last look saw it
};
static_assert(offsetof(ThreadSlot, seen) == kPage);

}  // namespace impasse
