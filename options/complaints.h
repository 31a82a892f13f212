// What was wrong with an option text: a bounded number of lines of bounded length, kept by value.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string_view>

namespace impasse {

class Complaints {
 public:
  static constexpr std::size_t kMost = 8;
  static constexpr std::size_t kLineBytes = 320;

  std::size_t size() const { return size_; }
  std::string_view operator[](std::size_t i) const { return {lines_[i].bytes, lines_[i].size}; }
  // Complaints that found no room.
  std::size_t lost() const { return lost_; }

  // One complaint, put together from pieces; what does not fit is cut off. Control characters
  // become '?'.
  void add(std::initializer_list<std::string_view> pieces);

 private:
  struct Line {
    char bytes[kLineBytes];
    std::size_t size;
  };
  Line lines_[kMost] = {};
  std::size_t size_ = 0;
  std::size_t lost_ = 0;
};

}  // namespace impasse
