// The options of impasse: one table (options.def), one set of values, one parser.
//
// Promises: pure functions of their arguments; no allocation, no exception, no I/O, no locale,
// because they run inside foreign programs before their main(). A value is kept by copy: a program
// may overwrite its own environment. Cost: some microseconds, once per process; an Options is about
// 4 KiB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "options/complaints.h"

namespace impasse {

inline constexpr std::size_t kTextBytes = 1024;  // with the final 0

// Text of bounded length.
class Text {
 public:
  std::string_view view() const { return {bytes_, size_}; }
  const char* c_str() const { return bytes_; }
  bool is(std::string_view other) const { return view() == other; }
  // False: it does not fit, and nothing changed.
  bool assign(std::string_view text);

 private:
  char bytes_[kTextBytes] = {};
  std::size_t size_ = 0;
};

struct Path : Text {};    // never empty
struct Target : Text {};  // a path, or one of the words that the table names; never empty

// Names, separated by ':' or, when there is no ':' in it, by '+'.
struct List : Text {
  bool empty() const { return view().empty(); }
  bool contains(std::string_view name) const;
};

struct Duration {
  std::uint64_t ns = 0;
};

using Switch = bool;
using Count = std::uint32_t;

enum class OnDeadlock : std::uint8_t {
  kReport,
  kAbort,
  kExit
};  // in the order of the table's words

enum class OrderWish : std::uint8_t { kOn, kOff, kAll };

struct Options {
#define IMPASSE_OPTION(type, name, initial, values, help) type name{};
#include "options/options.def"
#undef IMPASSE_OPTION
};

// Reads "key=value key=value", separated by spaces or commas; a value with one of them in it stands
// in double quotes. Whatever is wrong with one option becomes a complaint and leaves that option at
// its default. A repeated key: the last one counts.
Options parse(std::string_view text, Complaints& complaints);

// One "key=value" of an option text.
struct OptionToken {
  std::string_view whole;
  std::string_view key;
  std::string_view value;  // without its quotes
  bool has_value = false;
  bool unclosed = false;  // a quote was opened and not closed
};
// Takes the next token off the front of `rest`. False: there is none left.
bool next_token(std::string_view& rest, OptionToken& token);

// Whether an executable of this name is to be watched.
inline bool watches(const Options& options, std::string_view executable) {
  return options.only.empty() || options.only.contains(executable);
}

}  // namespace impasse
