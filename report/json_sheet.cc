#include "report/json_sheet.h"

#include <array>
#include <cstdio>
#include <string>

#include "report/ages.h"
#include "report/report_words.h"
#include "report/words.h"

namespace impasse::report {
namespace {

// As it is, but for bytes that are no UTF-8: the text form shows them in the same way.
std::string utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  while (!bytes.empty()) {
    const std::size_t length = utf8_length(bytes);
    if (length == 0) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\x%02x",
                    static_cast<unsigned>(static_cast<unsigned char>(bytes.front())));
      text += escaped.data();
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(length == 0 ? 1 : length);
  }
  return text;
}

// What a place is: all of a frame but how the walk came there.
bool same_place(const symbolize::Frame& one, const symbolize::Frame& other) {
  return one.pc == other.pc && one.returns_here == other.returns_here &&
         one.function_offset == other.function_offset && one.sources == other.sources;
}

}  // namespace

void JsonSheet::text(std::string_view key, std::string_view value) {
  out_.text(key, utf8(value));
}

void JsonSheet::address(std::string_view key, std::uint64_t value) {
  out_.text(key, hex(value));
}

void JsonSheet::index(std::string_view key, std::uint32_t value) {
  if (value == kNobody) {
    out_.null(key);
  } else {
    out_.number(key, value);
  }
}

void JsonSheet::time(std::string_view key, std::uint64_t ns) {
  if (ns == 0) {
    out_.null(key);
  } else {
    out_.text(key, iso_time(report_.moment.wall_of(ns)));
  }
}

void JsonSheet::since(std::uint64_t ns) {
  out_.number("since_ns", ns);
  time("since", ns);
  if (const auto age = say_.age(ns)) {
    out_.number("age_ns", *age);
  } else {
    out_.null("age_ns");
  }
}

void JsonSheet::stack(std::string_view key, symbolize::StackId id) {
  if (id >= report_.stacks.all().size()) {
    out_.null(key);
    return;
  }
  const auto next = static_cast<std::uint32_t>(stacks_.size());
  const auto [row, is_new] = stack_rows_.try_emplace(id, next);
  if (is_new) stacks_.push_back(id);
  out_.number(key, row->second);
}

void JsonSheet::place(std::string_view key, const symbolize::Frame& frame) {
  if (frame.pc == 0) {
    out_.null(key);
  } else {
    out_.number(key, row_of(frame));
  }
}

std::uint32_t JsonSheet::row_of(const symbolize::Frame& frame) {
  const auto [first, last] = place_rows_.equal_range(frame.pc);
  for (auto known = first; known != last; ++known) {
    if (same_place(*places_[known->second], frame)) return known->second;
  }
  const auto row = static_cast<std::uint32_t>(places_.size());
  places_.push_back(&frame);
  place_rows_.emplace(frame.pc, row);
  return row;
}

void JsonSheet::tables() {
  out_.begin_array("stacks");
  for (const symbolize::StackId id : stacks_) stack_row(report_.stacks.at(id));
  out_.end_array();
  out_.begin_array("places");
  for (const symbolize::Frame* const place : places_) place_row(*place);
  out_.end_array();
}

void JsonSheet::stack_row(const symbolize::Stack& stack) {
  out_.begin_object();
  out_.boolean("whole", stack.whole);
  text("trouble", stack.trouble);
  out_.number("left_out", stack.left_out);
  out_.number("left_out_after", stack.left_out_after);
  out_.begin_array("frames");
  for (const symbolize::Frame& frame : stack.frames) {
    out_.begin_row();
    out_.number("place", row_of(frame));
    out_.text("grade", word_of(kGradeWords, frame.grade));
    out_.boolean("signal", frame.signal);
    out_.end_object();
  }
  out_.end_array();
  out_.end_object();
}

void JsonSheet::place_row(const symbolize::Frame& place) {
  out_.begin_row();
  address("pc", place.pc);
  if (const Module* const module = say_.module_of(place.pc)) {
    out_.number("module", static_cast<std::uint64_t>(module - report_.modules.data()));
    address("offset", place.pc - module->base);
  } else {
    out_.null("module");
    out_.null("offset");
  }
  out_.boolean("returns_here", place.returns_here);
  out_.number("function_offset", place.function_offset);
  out_.begin_array("sources");
  for (const symbolize::Source& source : place.sources) {
    out_.begin_row();
    text("function", source.function);
    text("file", source.file);
    out_.number("line", source.line);
    out_.end_object();
  }
  out_.end_array();
  out_.end_object();
}

}  // namespace impasse::report
