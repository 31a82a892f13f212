// A report's JSON document while it is written: the writer, what every part of it needs, and the
// two tables that all parts refer to: stacks, and places in code.
//
// Promises: a row of a table is given out when it is first referred to, so that equal reports make
// equal documents, and only what is referred to is written. Keeps references to the report's
// frames: it must outlive this and not change.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "report/json_writer.h"
#include "report/phrases.h"

namespace impasse::report {

class JsonSheet {
 public:
  explicit JsonSheet(const Report& report) : report_(report), say_(report) {}

  const Report& report() const { return report_; }
  JsonWriter& out() { return out_; }

  void text(std::string_view key, std::string_view value);
  void address(std::string_view key, std::uint64_t value);
  void index(std::string_view key, std::uint32_t value);  // kNobody: null
  void time(std::string_view key, std::uint64_t ns);      // by the calendar; 0: null
  // since_ns: an instant of CLOCK_MONOTONIC; since: by the calendar; age_ns: how long ago.
  void since(std::uint64_t ns);

  // References into the tables.
  void stack(std::string_view key, symbolize::StackId id);
  void place(std::string_view key, const symbolize::Frame& frame);
  // The tables: after everything that refers to them.
  void tables();

 private:
  void stack_row(const symbolize::Stack& stack);
  void place_row(const symbolize::Frame& place);
  std::uint32_t row_of(const symbolize::Frame& frame);

  const Report& report_;
  const Phrases say_;
  JsonWriter out_;
  std::vector<symbolize::StackId> stacks_;
  std::unordered_map<symbolize::StackId, std::uint32_t> stack_rows_;
  std::vector<const symbolize::Frame*> places_;
  std::unordered_multimap<std::uint64_t, std::uint32_t> place_rows_;  // by pc
};

}  // namespace impasse::report
