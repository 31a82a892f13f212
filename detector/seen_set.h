// Which threads have told of which path: made for the question "need this one be told again?" of a
// thread that meets a path. A path needs no further telling by a thread that told it, nor by any
// when kThreadsPerPath have: two threads are enough for a deadlock, the others are for those of
// them that turn out not to count (over before the rest began).
//
// A word is the high 48 bits of the path and 16 bits that stand for the thread; the words of one
// path stand together, so one cache line answers both. Five tables, each eight times the last, of
// which the newest answers alone. Growing copies what the older one had.
//
// Promises: any thread, also in a signal handler; no lock, no allocation. "No" may be said once
// more of a word that was added while the set grew. "Yes" is right but for what 48 bits cannot tell
// apart, and threads whose numbers are kTags apart. Costs: a question reads one cache line, up to
// kLines where those are full.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "detector/growth.h"
#include "detector/levelled_set.h"
#include "detector/order_sight.h"

namespace impasse {

class SeenSet {
 public:
  using Word = std::atomic<std::uint64_t>;
  static constexpr std::size_t kBucket = 8;
  static constexpr std::size_t kLines = 4;  // buckets in which a word may stand
  static constexpr unsigned kThreadsPerPath = 4;
  static constexpr std::uint64_t kTags = 0xffff;

  SeenSet() = default;
  // Laid out like a LevelledSet; `levels_in_use` lives beside the places.
  SeenSet(Word* places, Word* levels_in_use, unsigned levels, Growth growth)
      : places_(places), in_use_(levels_in_use), levels_(levels), growth_(growth) {}

  bool contains(std::uint64_t path, ThreadNumber thread) const {
    const std::uint64_t in_use = in_use_->load(std::memory_order_acquire);
    if (in_use == 0) return false;
    const std::uint64_t wanted = word_of(path, thread);
    unsigned others = 0;
    const Word* const found =
        search(static_cast<unsigned>(in_use - 1), wanted, [&](const Word&, std::uint64_t seen) {
          return seen == wanted || (same_path(seen, wanted) && ++others == kThreadsPerPath);
        });
    return found != nullptr;
  }

  // False: there is no room left, or no turn to grow.
  bool add(std::uint64_t path, ThreadNumber thread) {
    const std::uint64_t word = word_of(path, thread);
    for (;;) {
      const std::uint64_t in_use = in_use_->load(std::memory_order_acquire);
      if (in_use != 0 && put(static_cast<unsigned>(in_use - 1), word)) return true;
      if (in_use == levels_ || !grow(static_cast<unsigned>(in_use))) return false;
    }
  }

  // For a thread that is gone: another may tell of the path in its place. False: it had not told
  // (or did while the set grew; then its word stays).
  bool erase(std::uint64_t path, ThreadNumber thread) {
    const std::uint64_t in_use = in_use_->load(std::memory_order_acquire);
    if (in_use == 0) return false;
    std::uint64_t word = word_of(path, thread);
    Word* const found = search(static_cast<unsigned>(in_use - 1), word,
                               [word](const Word&, std::uint64_t seen) { return seen == word; });
    return found != nullptr &&
           found->compare_exchange_strong(word, kErased, std::memory_order_acq_rel);
  }

 private:
  static constexpr std::uint64_t kTagBits = 0xffff;
  // Not 0, at which a search ends; no word of a thread's, whose path is never 0.
  static constexpr std::uint64_t kErased = 1;

  static std::uint64_t word_of(std::uint64_t path, ThreadNumber thread) {
    const std::uint64_t high = path & ~kTagBits;
    return (high == 0 ? kTagBits + 1 : high) | (thread % kTags + 1);
  }
  static bool same_path(std::uint64_t a, std::uint64_t b) { return ((a ^ b) & ~kTagBits) == 0; }

  // The place at which decide(place, its word) says yes; null: not before a word of 0, or in none
  // of the lines. All words of a path are met on the way.
  template <typename Decide>
  Word* search(unsigned level, std::uint64_t word, Decide decide) const {
    const std::size_t mask = LevelledSet::level_places(level) - kBucket;
    // Bits of the path alone, whatever the level.
    static_assert(LevelledSet::level_places(LevelledSet::kLevels - 1) <= std::size_t{1} << 29);
    const std::size_t home = std::rotl(word, 29) & mask;
    for (std::size_t line = 0; line < kLines; ++line) {
      Word* const bucket =
          places_ + LevelledSet::level_start(level) + ((home + line * kBucket) & mask);
      for (std::size_t i = 0; i < kBucket; ++i) {
        const std::uint64_t seen = bucket[i].load(std::memory_order_relaxed);
        if (decide(bucket[i], seen)) return &bucket[i];
        if (seen == 0) return nullptr;
      }
    }
    return nullptr;
  }

  bool put(unsigned level, std::uint64_t word) {
    // Not a second time, should there be room before the place where it stands.
    if (search(level, word, [word](const Word&, std::uint64_t seen) { return seen == word; }) !=
        nullptr) {
      return true;
    }
    return search(level, word, [word](Word& place, std::uint64_t seen) {
             while (seen == 0 || seen == kErased) {
               if (place.compare_exchange_weak(seen, word, std::memory_order_acq_rel)) return true;
             }
             return seen == word;
           }) != nullptr;
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
        const std::uint64_t word = old[i].load(std::memory_order_acquire);
        if (word != 0 && word != kErased) put(level, word);
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
