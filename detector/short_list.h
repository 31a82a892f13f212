// A list of numbers that is short most of the time: two of them need no memory beyond itself.
//
// Promises: as std::vector of the same, for what it has. 16 bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace impasse {

class ShortList {
 public:
  ShortList() : few_{} {}
  ~ShortList() {
    if (has_many()) delete[] many_;
  }
  ShortList(ShortList&& other) noexcept : ShortList() { swap(other); }
  ShortList& operator=(ShortList&& other) noexcept {
    ShortList gone(std::move(other));
    swap(gone);
    return *this;
  }
  ShortList(const ShortList&) = delete;
  ShortList& operator=(const ShortList&) = delete;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const std::uint32_t* begin() const { return has_many() ? many_ : few_; }
  const std::uint32_t* end() const { return begin() + size_; }
  std::uint32_t& operator[](std::size_t i) { return (has_many() ? many_ : few_)[i]; }
  std::uint32_t operator[](std::size_t i) const { return begin()[i]; }
  std::uint32_t back() const { return begin()[size_ - 1]; }

  void push_back(std::uint32_t number) {
    if (size_ == room_) grow();
    (*this)[size_++] = number;
  }
  void pop_back() { --size_; }

 private:
  static constexpr std::uint32_t kFew = 2;

  bool has_many() const { return room_ > kFew; }
  void grow() {
    auto* const more = new std::uint32_t[std::size_t{room_} * 2];
    std::copy(begin(), end(), more);
    if (has_many()) delete[] many_;
    many_ = more;
    room_ *= 2;
  }
  void swap(ShortList& other) {
    static_assert(sizeof few_ == sizeof many_);
    std::swap(few_, other.few_);  // the one or the other: the same bytes
    std::swap(size_, other.size_);
    std::swap(room_, other.room_);
  }

  union {
    std::uint32_t few_[kFew];
    std::uint32_t* many_;
  };
  std::uint32_t size_ = 0;
  std::uint32_t room_ = kFew;
};

}  // namespace impasse
