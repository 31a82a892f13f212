// A set of hashes that only grows, made for the question "seen before?": five tables, each eight
// times the last, of which the newest answers alone. Growing copies what the older one had.
//
// Promises: any thread, also in a signal handler; no lock, no allocation. "No" may be said once
// more of a hash that was added while the set grew; "yes" is always right. A hash is never 0.
// Costs: a question reads one cache line.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "detector/growth.h"
#include "detector/levelled_set.h"

namespace impasse {

class SeenSet {
 public:
  using Word = std::atomic<std::uint64_t>;
  static constexpr std::size_t kBucket = 8;

  SeenSet() = default;
  // Laid out like a LevelledSet; `levels_in_use` lives beside the places.
  SeenSet(Word* places, Word* levels_in_use, unsigned levels, Growth growth)
      : places_(places), in_use_(levels_in_use), levels_(levels), growth_(growth) {}

  bool contains(std::uint64_t hash) const {
    const std::uint64_t in_use = in_use_->load(std::memory_order_acquire);
    if (in_use == 0) return false;
    const Word* bucket = bucket_of(static_cast<unsigned>(in_use - 1), hash);
    for (std::size_t i = 0; i < kBucket; ++i) {
      const std::uint64_t seen = bucket[i].load(std::memory_order_relaxed);
      if (seen == hash) return true;
      if (seen == 0) return false;
    }
    return false;
  }

  // False: there is no room left, or no turn to grow.
  bool add(std::uint64_t hash) {
    for (;;) {
      const std::uint64_t in_use = in_use_->load(std::memory_order_acquire);
      if (in_use != 0 && put(static_cast<unsigned>(in_use - 1), hash)) return true;
      if (in_use == levels_ || !grow(static_cast<unsigned>(in_use))) return false;
    }
  }

 private:
  Word* bucket_of(unsigned level, std::uint64_t hash) const {
    const std::size_t mask = LevelledSet::level_places(level) - kBucket;
    return places_ + LevelledSet::level_start(level) + (std::rotl(hash, 29) & mask);
  }

  bool put(unsigned level, std::uint64_t hash) {
    Word* bucket = bucket_of(level, hash);
    for (std::size_t i = 0; i < kBucket; ++i) {
      std::uint64_t seen = bucket[i].load(std::memory_order_relaxed);
      if (seen == hash) return true;
      if (seen == 0 && bucket[i].compare_exchange_strong(seen, hash, std::memory_order_acq_rel))
        return true;
      if (seen == hash) return true;
    }
    return false;
  }

  bool grow(unsigned level) {
    const GrowthTurn turn(growth_);
    if (!turn) return false;
    if (in_use_->load(std::memory_order_acquire) > level) return true;  // another thread did
    const std::size_t places = LevelledSet::level_places(level);
    if (!growth_.reserve(places_ + LevelledSet::level_start(level), places * sizeof(Word)))
      return false;
    if (level > 0) {
      const Word* old = places_ + LevelledSet::level_start(level - 1);
      for (std::size_t i = 0; i < LevelledSet::level_places(level - 1); ++i) {
        if (const std::uint64_t hash = old[i].load(std::memory_order_acquire); hash != 0)
          put(level, hash);
      }
    }
    in_use_->store(level + 1, std::memory_order_release);
    return true;
  }

  Word* places_ = nullptr;
  Word* in_use_ = nullptr;
  unsigned levels_ = 0;
  Growth growth_;
};

}  // namespace impasse
