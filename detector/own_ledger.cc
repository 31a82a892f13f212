#include "detector/own_ledger.h"

#include <cstring>

namespace impasse {
namespace {

class OwnLedger final : public LedgerSource {
 public:
  explicit OwnLedger(const Ledger& ledger)
      : base_(static_cast<const std::byte*>(ledger.base())), bytes_(ledger.size()) {}
  bool read(std::uint64_t offset, void* buffer, std::size_t bytes) override {
    if (offset > bytes_ || bytes > bytes_ - offset) return false;
    std::memcpy(buffer, base_ + offset, bytes);
    return true;
  }
  std::uint64_t size() override { return bytes_; }

 private:
  const std::byte* base_;
  std::uint64_t bytes_;
};

}  // namespace

LedgerReading read_own_ledger(const Ledger& ledger) {
  OwnLedger source(ledger);
  return read_ledger(source, {.locks = false});
}

}  // namespace impasse
