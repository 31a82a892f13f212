// Which threads have told of which path: made for the question "need this one be told again?" of a
// thread that meets a path. A path needs no further telling by a thread that told it, nor by any
// when kThreadsPerPath have: two threads are enough for a deadlock, the others are for those of
// them that turn out not to count (over before the rest began).
//
// A thread that has made another is in its next phase, and tells once more: what it does now may
// meet what it could not meet before. In its newer phase it takes its older word's place.
//
// A word is the high 46 bits of the path, 12 bits that stand for the thread, 6 for its phase; the
// words of one path stand together, so one cache line answers for all. Five tables, each eight
// times the last, of which the newest answers alone. Growing copies what the older one had. Paths
// of locks that are no more are never asked for again, and fill it: then it is begun anew, and what
// still goes on is told once more.
//
// Promises: any thread, also in a signal handler; no lock, no allocation. "No" may be said once
// more of a word that was added while the set grew. "Yes" is right but for what 46 bits cannot tell
// apart, threads whose numbers are kTags apart, and a phase that is kPhases later than the last in
// which the thread met the path. Costs: a question reads one cache line, seldom two or three; where
// this thread told, mostly one line in some 25 instructions without a branch.
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
  static constexpr std::size_t kPlaces = 16;  // in which a word may stand
  static constexpr unsigned kThreadsPerPath = 4;
  static constexpr std::uint64_t kTags = 0x1000;
  static constexpr unsigned kPhases = 64;

  SeenSet() = default;
  // Laid out like a LevelledSet; `levels_in_use` lives beside the places.
  SeenSet(Word* places, Word* levels_in_use, unsigned levels, Growth growth)
      : places_(places), in_use_(levels_in_use), levels_(levels), growth_(growth) {}

  // Whether the thread told of the path in this phase, as far as the first two places know: with
  // room between the words that is most of what it told. "No" says nothing. The two are of one
  // line, and one branch is easier to foretell than two.
  bool contains_at_once(std::uint64_t path, ThreadNumber thread, unsigned phase = 0) const {
    const unsigned in_use = levels_in_use();
    if (in_use == 0) return false;
    const std::uint64_t wanted = word_of(path, thread, phase);
    const std::size_t mask = LevelledSet::level_places(in_use - 1) - 1;
    const Word* const first = places_ + LevelledSet::level_start(in_use - 1);
    const std::size_t at = start_of(path) & mask;
    unsigned found = (first[at].load(std::memory_order_relaxed) == wanted ? 1 : 0) |
                     (first[at ^ 1].load(std::memory_order_relaxed) == wanted ? 1 : 0);
    __asm__("" : "+r"(found));
    return found != 0;
  }

  bool contains(std::uint64_t path, ThreadNumber thread, unsigned phase = 0) const {
    const unsigned in_use = levels_in_use();
    if (in_use == 0) return false;
    const std::uint64_t wanted = word_of(path, thread, phase);
    std::uint64_t own = 0;
    unsigned others = 0;
    search(in_use - 1, path, [&](const Word&, std::uint64_t seen) {
      if (same_teller(seen, wanted)) own = seen;
      others += same_path(seen, wanted) ? 1 : 0;
      return own != 0;
    });
    return own != 0 ? own == wanted : others >= kThreadsPerPath;
  }

  // False: there is no room left, or no turn to grow.
  bool add(std::uint64_t path, ThreadNumber thread, unsigned phase = 0) {
    const std::uint64_t word = word_of(path, thread, phase);
    for (;;) {
      const unsigned in_use = levels_in_use();
      if (in_use != 0 && put(in_use - 1, word)) return true;
      if (levels_in_use() != in_use) continue;  // begun anew, or grown
      if (in_use == levels_) {
        in_use_->fetch_or(kFull, std::memory_order_relaxed);
        return false;
      }
      if (!grow(in_use)) return false;
    }
  }

  // For a thread that is gone: another may tell of the path in its place. False: it had not told
  // (or did while the set grew; then its word stays).
  bool erase(std::uint64_t path, ThreadNumber thread) {
    const unsigned in_use = levels_in_use();
    if (in_use == 0) return false;
    const std::uint64_t word = word_of(path, thread, 0);
    std::uint64_t own = 0;
    Word* const found = search(in_use - 1, word, [&](const Word&, std::uint64_t seen) {
      own = seen;
      return same_teller(seen, word);
    });
    return found != nullptr &&
           found->compare_exchange_strong(own, kErased, std::memory_order_acq_rel);
  }

  // A word found no room, and none will before the set is begun anew.
  bool full() const { return (in_use_->load(std::memory_order_relaxed) & kFull) != 0; }
  // Everything may be told anew. A word that is added meanwhile may stay, or not. False: no turn.
  bool begin_anew() {
    const GrowthTurn turn(growth_);
    if (!turn) return false;
    const unsigned in_use = levels_in_use();
    if (in_use == 0) return true;
    // The first while another one answers, the others when it does.
    if (in_use > 1) clear(0);
    in_use_->store(1, std::memory_order_release);
    if (in_use == 1) clear(0);
    for (unsigned level = 1; level < in_use; ++level) clear(level);
    return true;
  }

 private:
  static constexpr std::uint64_t kTagBits = 0x3'ffff;
  // Not 0, at which a search ends; no word of a thread's, whose path is never 0.
  static constexpr std::uint64_t kErased = 1;

  static constexpr std::uint64_t kFull = 0x100;  // beside the count of levels in use
  static_assert(kTags * kPhases - 1 == kTagBits);

  static std::uint64_t word_of(std::uint64_t path, ThreadNumber thread, unsigned phase) {
    const std::uint64_t high = path & ~kTagBits;
    return (high == 0 ? kTagBits + 1 : high) | thread % kTags * kPhases | phase % kPhases;
  }
  static bool same_teller(std::uint64_t a, std::uint64_t b) { return (a ^ b) < kPhases; }
  static bool same_path(std::uint64_t a, std::uint64_t b) { return ((a ^ b) & ~kTagBits) == 0; }

  unsigned levels_in_use() const {
    return static_cast<unsigned>(in_use_->load(std::memory_order_acquire) & (kFull - 1));
  }
  void clear(unsigned level) {
    Word* const first = places_ + LevelledSet::level_start(level);
    for (std::size_t i = 0; i < LevelledSet::level_places(level); ++i)
      first[i].store(0, std::memory_order_relaxed);
  }

  // Of the path the same bits are looked at whatever the level, and every word of it has them.
  static std::uint64_t start_of(std::uint64_t path) { return path >> 35; }
  static_assert(LevelledSet::level_places(LevelledSet::kLevels - 1) <= std::size_t{1} << 29);

  // The place at which decide(place, its word) says yes; null: not before a word of 0, or in none
  // of the places. All words of a path are met on the way. `path`: or a word of it.
  //
  // The order of the places: the first, the one beside it in its aligned pair, those that follow
  // the pair.
  template <typename Decide>
  Word* search(unsigned level, std::uint64_t path, Decide decide) const {
    const std::size_t mask = LevelledSet::level_places(level) - 1;
    Word* const first = places_ + LevelledSet::level_start(level);
    const std::size_t start = start_of(path) & mask;
    for (std::size_t i = 0; i < kPlaces; ++i) {
      const std::size_t at = i < 2 ? start ^ i : ((start & ~std::size_t{1}) + i) & mask;
      const std::uint64_t seen = first[at].load(std::memory_order_relaxed);
      if (decide(first[at], seen)) return &first[at];
      if (seen == 0) return nullptr;
    }
    return nullptr;
  }

  bool put(unsigned level, std::uint64_t word) {
    // Not a second time, should there be room before the place where it stands.
    const auto by_the_same = [word](const Word&, std::uint64_t seen) {
      return same_teller(seen, word);
    };
    if (Word* const known = search(level, word, by_the_same)) {
      std::uint64_t seen = known->load(std::memory_order_relaxed);
      if (seen == word || (same_teller(seen, word) &&
                           known->compare_exchange_strong(seen, word, std::memory_order_acq_rel))) {
        return true;
      }
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
    if (levels_in_use() != level) return true;  // another thread did
    const std::size_t places = LevelledSet::level_places(level);
    if (!growth_.reserve(places_ + LevelledSet::level_start(level), places * sizeof(Word))) {
      in_use_->fetch_or(kFull, std::memory_order_relaxed);
      return false;
    }
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
