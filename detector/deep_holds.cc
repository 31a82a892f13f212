#include "detector/deep_holds.h"

#include <bit>
#include <cstring>

namespace impasse::deep {
namespace {

constexpr std::uint64_t kPlacesPerPage = kPage / sizeof(DeepHold);
constexpr unsigned kSizeClasses = 16;

struct Table {
  DeepHold* places;
  std::uint64_t size;  // a power of two
};

Table table_of(const ThreadSlot& slot, const Ledger& ledger) {
  const std::uint64_t offset = slot.deep.load(std::memory_order_relaxed);
  if (offset == 0) return {nullptr, 0};
  return {ledger.at<DeepHold>(offset), slot.deep_size.load(std::memory_order_relaxed) >> 32};
}

std::uint64_t home(std::uint64_t lock, std::uint64_t size) {
  return (lock * 0x9e37'79b9'7f4a'7c15) >> (64 - std::countr_zero(size));
}

// The table may be looked at from a signal handler that interrupted a change of it: then it is left
// alone.
class Change {
 public:
  explicit Change(ThreadSlot& slot) : slot_(slot) {
    const std::uint64_t n = slot.deep_change.load(std::memory_order_relaxed);
    mine_ = (n & 1) == 0;
    if (mine_) slot.deep_change.store(n + 1, std::memory_order_release);
  }
  ~Change() {
    if (mine_)
      slot_.deep_change.store(slot_.deep_change.load(std::memory_order_relaxed) + 1,
                              std::memory_order_release);
  }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;
  explicit operator bool() const { return mine_; }

 private:
  ThreadSlot& slot_;
  bool mine_;
};

void put(Table table, std::uint64_t lock, std::uint64_t site, std::uint64_t stamp,
         std::uint64_t levels) {
  std::uint64_t i = home(lock, table.size);
  while (table.places[i].lock.load(std::memory_order_relaxed) > kRemoved)
    i = (i + 1) & (table.size - 1);
  DeepHold& place = table.places[i];
  place.site.store(site, std::memory_order_relaxed);
  place.stamp.store(stamp, std::memory_order_relaxed);
  place.levels.store(levels, std::memory_order_relaxed);
  place.lock.store(lock, std::memory_order_release);
}

std::uint64_t live(const Table& table) {
  std::uint64_t n = 0;
  for (std::uint64_t i = 0; i < table.size; ++i)
    n += table.places[i].lock.load(std::memory_order_relaxed) > kRemoved;
  return n;
}

unsigned size_class(std::uint64_t places) {
  return static_cast<unsigned>(std::countr_zero(places / kPlacesPerPage));
}

// A table with room for twice what is live; removed places do not move along.
bool grow(ThreadSlot& slot, Ledger& ledger) {
  const Table old = table_of(slot, ledger);
  std::uint64_t size = kPlacesPerPage;
  while (size < 4 * (live(old) + 1)) size *= 2;
  if (size_class(size) >= kSizeClasses) return false;
  void* pages = ledger.claim_pages(size_class(size));
  if (pages == nullptr) return false;
  std::memset(pages, 0, size * sizeof(DeepHold));
  const Table fresh{static_cast<DeepHold*>(pages), size};
  std::uint64_t moved = 0;
  for (std::uint64_t i = 0; i < old.size; ++i) {
    const DeepHold& hold = old.places[i];
    if (hold.lock.load(std::memory_order_relaxed) <= kRemoved) continue;
    put(fresh, hold.lock.load(std::memory_order_relaxed), hold.site.load(std::memory_order_relaxed),
        hold.stamp.load(std::memory_order_relaxed), hold.levels.load(std::memory_order_relaxed));
    ++moved;
  }
  slot.deep.store(ledger.offset_of(pages), std::memory_order_relaxed);
  slot.deep_size.store(size << 32 | moved, std::memory_order_relaxed);
  if (old.places != nullptr) ledger.release_pages(old.places, size_class(old.size));
  return true;
}

}  // namespace

std::span<const DeepHold> places(const ThreadSlot& slot, const Ledger& ledger) {
  const Table table = table_of(slot, ledger);
  return {table.places, table.size};
}

DeepHold* find(const ThreadSlot& slot, const Ledger& ledger, std::uint64_t lock) {
  const Table table = table_of(slot, ledger);
  if (table.places == nullptr) return nullptr;
  std::uint64_t i = home(lock, table.size);
  // Bounded for a look at another thread's table, which may be made anew meanwhile.
  for (std::uint64_t n = 0; n < table.size; ++n, i = (i + 1) & (table.size - 1)) {
    const std::uint64_t here = table.places[i].lock.load(std::memory_order_relaxed);
    if (here == lock) return &table.places[i];
    if (here == 0) return nullptr;
  }
  return nullptr;
}

std::uint64_t hash_of_all(const ThreadSlot& slot, const Ledger& ledger, std::uint64_t except) {
  const std::span<const DeepHold> all = places(slot, ledger);
  std::uint64_t sum = 0;
  if (all.size() > kHashedPlaces) return sum;
  for (const DeepHold& hold : all) {
    const std::uint64_t lock = hold.lock.load(std::memory_order_relaxed);
    if (lock <= kRemoved || lock == except) continue;
    const std::uint64_t site = hold.site.load(std::memory_order_relaxed);
    // Not linear: of an array's locks many have the same sum.
    std::uint64_t hash =
        extend_path(0, lock_key(lock, static_cast<std::uint8_t>(site >> kTraitShift)));
    hash = (hash ^ hash >> 32) * 0xbf58'476d'1ce4'e5b9;
    sum += hash ^ hash >> 29;
  }
  return sum;
}

void set_phase(DeepHold& hold, std::uint8_t phase) {
  const std::uint64_t site = hold.site.load(std::memory_order_relaxed);
  hold.site.store(
      (site & ~(std::uint64_t{0xff} << kPhaseShift)) | std::uint64_t{phase} << kPhaseShift,
      std::memory_order_relaxed);
}

// `deep_size` counts the places ever used, removed ones too: at half of the table it is made anew.
bool add(ThreadSlot& slot, Ledger& ledger, const NewHold& hold, std::uint8_t phase,
         std::uint32_t tick) {
  const Change change(slot);
  if (!change) return false;
  if (DeepHold* again = find(slot, ledger, hold.lock)) {
    again->levels.store(again->levels.load(std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
    return true;
  }
  const std::uint64_t size = slot.deep_size.load(std::memory_order_relaxed);
  if (2 * ((size & 0xffff'ffff) + 1) > size >> 32 && !grow(slot, ledger)) return false;
  put(table_of(slot, ledger), hold.lock, site_word(hold.site, hold.traits, phase),
      tick | (hold.stack_pointer & 0xffff'ffff) << 32, 1);
  slot.deep_size.fetch_add(1, std::memory_order_relaxed);
  return true;
}

bool remove(ThreadSlot& slot, Ledger& ledger, std::uint64_t lock) {
  const Change change(slot);
  if (!change) return false;
  DeepHold* hold = find(slot, ledger, lock);
  if (hold == nullptr) return false;
  const std::uint64_t levels = hold->levels.load(std::memory_order_relaxed);
  if (levels > 1) {
    hold->levels.store(levels - 1, std::memory_order_relaxed);
    return true;
  }
  hold->lock.store(kRemoved, std::memory_order_release);
  return true;
}

}  // namespace impasse::deep
