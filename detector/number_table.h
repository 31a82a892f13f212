// Finds numbers by what they stand for, which lies elsewhere: a hash table of nothing but the
// numbers.
//
// Promises: 4 bytes a place, at most three of four places taken. The caller says what a number's
// hash is (all of its bits good); it must not change while the number is in.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace impasse {

class NumberTable {
 public:
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();

  std::size_t size() const { return size_; }

  // The number for which is_it(number) says yes; kNone: there is none.
  template <class IsIt>
  std::uint32_t find(std::uint64_t hash, IsIt is_it) const {
    if (places_.empty()) return kNone;
    for (std::size_t at = hash & mask(); places_[at] != kNone; at = (at + 1) & mask()) {
      if (is_it(places_[at])) return places_[at];
    }
    return kNone;
  }

  // It is not in yet. hash_of(number) of any that is.
  template <class HashOf>
  void insert(std::uint32_t number, HashOf hash_of) {
    if ((size_ + 1) * 4 > places_.size() * 3) {
      std::vector<std::uint32_t> old(places_.empty() ? 16 : places_.size() * 2, kNone);
      old.swap(places_);
      for (const std::uint32_t known : old) {
        if (known != kNone) put(known, hash_of(known));
      }
    }
    put(number, hash_of(number));
    ++size_;
  }

  // It is in.
  template <class HashOf>
  void erase(std::uint32_t number, HashOf hash_of) {
    std::size_t hole = hash_of(number) & mask();
    while (places_[hole] != number) hole = (hole + 1) & mask();
    // Whoever stands behind the hole for want of its place moves up.
    for (std::size_t at = (hole + 1) & mask(); places_[at] != kNone; at = (at + 1) & mask()) {
      const std::size_t home = hash_of(places_[at]) & mask();
      if (((at - home) & mask()) < ((at - hole) & mask())) continue;
      places_[hole] = places_[at];
      hole = at;
    }
    places_[hole] = kNone;
    --size_;
  }

 private:
  std::size_t mask() const { return places_.size() - 1; }
  void put(std::uint32_t number, std::uint64_t hash) {
    std::size_t at = hash & mask();
    while (places_[at] != kNone) at = (at + 1) & mask();
    places_[at] = number;
  }

  std::vector<std::uint32_t> places_;
  std::size_t size_ = 0;
};

}  // namespace impasse
