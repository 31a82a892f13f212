// A value of a JSON document and where it stands, so that a complaint can say it.
//
// Promises: what is not as expected is thrown as a Problem with a sentence. Not for code that runs
// inside.
#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "report/report.h"
#include "report/report_words.h"

namespace impasse::report {

using Json = nlohmann::json;

struct Problem {
  std::string sentence;
};

class Node {
 public:
  Node(const Json& value, std::string path) : value_(value), path_(std::move(path)) {}

  Node at(const char* key) const {
    if (!value_.is_object()) wrong("is no object");
    const auto found = value_.find(key);
    if (found == value_.end()) wrong("has no \"" + std::string(key) + "\"");
    return {*found, path_.empty() ? key : path_ + "." + key};
  }
  bool is_null() const { return value_.is_null(); }

  std::string text() const {
    if (!value_.is_string()) wrong("is no text");
    return value_.get_ref<const std::string&>();
  }
  bool boolean() const {
    if (!value_.is_boolean()) wrong("is neither true nor false");
    return value_.get<bool>();
  }
  template <typename Number>
  Number number() const {
    if (value_.is_number_float() && value_.get<double>() >= 0x1p64) wrong("is too big");
    if (!value_.is_number_unsigned()) wrong("is no number without sign");
    const auto wide = value_.get<std::uint64_t>();
    if (wide > static_cast<std::uint64_t>(std::numeric_limits<Number>::max())) wrong("is too big");
    return static_cast<Number>(wide);
  }
  // "0x7f31c00241a8"
  std::uint64_t address() const {
    const std::string digits = text();
    std::uint64_t value = 0;
    if (digits.starts_with("0x")) {
      const char* const end = digits.data() + digits.size();
      const auto [stop, error] = std::from_chars(digits.data() + 2, end, value, 16);
      if (error == std::errc() && stop == end && digits.size() > 2) return value;
    }
    wrong("is no address");
  }
  // null, or an index below `size`.
  std::uint32_t index(std::size_t size) const {
    if (is_null()) return kNobody;
    const auto value = number<std::uint32_t>();
    if (value >= size) wrong("points to what is not there");
    return value;
  }
  template <typename Each>
  void each(Each read) const {
    if (!value_.is_array()) wrong("is no list");
    std::size_t i = 0;
    for (const Json& one : value_) read(Node(one, path_ + "[" + std::to_string(i++) + "]"));
  }
  std::size_t size() const {
    if (!value_.is_array()) wrong("is no list");
    return value_.size();
  }
  [[noreturn]] void wrong(const std::string& what) const {
    throw Problem{(path_.empty() ? "it" : path_) + " " + what};
  }

 private:
  const Json& value_;
  std::string path_;
};

}  // namespace impasse::report
