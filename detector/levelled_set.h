// A set of 64-bit words that grows without ever moving one: five levels, each eight times the last,
// of buckets of two cache lines. Small sets stay in small memory; lookups take no lock and nothing
// is ever rehashed.
//
// Promises: everything may run on any thread and in a signal handler; a word that was inserted
// stays where it is until its owner clears it. A word is never 0. Costs: a lookup reads one or two
// lines per level in use, largest level first; an insert the same once more.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "detector/growth.h"

namespace impasse {

class LevelledSet {
 public:
  using Word = std::atomic<std::uint64_t>;
  static constexpr unsigned kLevels = 5;
  static constexpr std::size_t kBucket = 16;
  static constexpr std::size_t kFirstLevel = 512;
  static constexpr std::size_t kAllLevels = kFirstLevel * 011111;  // octal: of each level one

  static constexpr std::size_t level_places(unsigned level) { return kFirstLevel << (3 * level); }
  // Where the levels before it end. The places of each are one bit of kAllLevels, below those of
  // this one.
  static constexpr std::size_t level_start(unsigned level) {
    return kAllLevels & (level_places(level) - 1);
  }
  static constexpr std::size_t places(unsigned levels) { return level_start(levels); }

  LevelledSet() = default;
  // `levels_in_use` lives beside the places (in the same mapping); at most `levels` of them.
  LevelledSet(Word* places, Word* levels_in_use, unsigned levels, Growth growth)
      : places_(places), in_use_(levels_in_use), levels_(levels), growth_(growth) {}

  // Calls visit(place, word) for every word in the buckets of `hash` until it returns true; returns
  // whether it did.
  template <typename Visit>
  bool visit(std::uint64_t hash, Visit visit) const {
    for (unsigned level = in_use(); level-- > 0;) {
      Word* bucket = bucket_of(level, hash);
      for (std::size_t i = 0; i < kBucket; ++i) {
        const std::uint64_t word = bucket[i].load(std::memory_order_acquire);
        if (word != 0 && visit(bucket[i], word)) return true;
      }
    }
    return false;
  }

  // Puts `word` into a free place of the smallest level that has one; false when there is none
  // left.
  bool insert(std::uint64_t hash, std::uint64_t word) {
    for (unsigned level = 0; level < levels_; ++level) {
      if (level >= in_use() && !open_level(level)) return false;
      Word* bucket = bucket_of(level, hash);
      for (std::size_t i = 0; i < kBucket; ++i) {
        std::uint64_t seen = bucket[i].load(std::memory_order_relaxed);
        if (seen == word) return true;  // another thread was as fast
        if (seen == 0 && bucket[i].compare_exchange_strong(seen, word, std::memory_order_acq_rel))
          return true;
        if (seen == word) return true;
      }
    }
    return false;
  }

 private:
  unsigned in_use() const {
    return static_cast<unsigned>(in_use_->load(std::memory_order_acquire));
  }

  Word* bucket_of(unsigned level, std::uint64_t hash) const {
    const std::size_t mask = level_places(level) - kBucket;
    return places_ + level_start(level) +
           (std::rotl(hash, static_cast<int>(17 + 11 * level)) & mask);
  }

  bool open_level(unsigned level) {
    const GrowthTurn turn(growth_);
    if (!turn) return false;
    if (in_use() > level) return true;  // another thread did
    if (!growth_.reserve(places_ + level_start(level), level_places(level) * sizeof(Word)))
      return false;
    in_use_->store(level + 1, std::memory_order_release);
    return true;
  }

  Word* places_ = nullptr;
  Word* in_use_ = nullptr;
  unsigned levels_ = 0;
  Growth growth_;
};
static_assert(LevelledSet::level_places(LevelledSet::kLevels - 1) < LevelledSet::kAllLevels);
static_assert(LevelledSet::kAllLevels < LevelledSet::level_places(LevelledSet::kLevels));

}  // namespace impasse
