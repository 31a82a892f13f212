#include "report/json_writer.h"

#include <array>
#include <cstdio>
#include <utility>

#include "report/words.h"

namespace impasse::report {

void JsonWriter::next(std::string_view key) {
  if (!first_) out_ += ',';
  if (row_ != 0 && depth_ >= row_) {
    if (!first_) out_ += ' ';
  } else if (depth_ != 0) {
    out_ += '\n';
    out_.append(std::size_t{2} * depth_, ' ');
  }
  first_ = false;
  if (key.empty()) return;
  quote(key);
  out_ += ": ";
}

void JsonWriter::begin(std::string_view key, char bracket) {
  next(key);
  out_ += bracket;
  ++depth_;
  first_ = true;
}

void JsonWriter::begin_row(std::string_view key) {
  begin(key, '{');
  if (row_ == 0) row_ = depth_;
}

void JsonWriter::end(char bracket) {
  const bool in_row = row_ != 0;
  --depth_;
  if (depth_ < row_) row_ = 0;
  if (!first_ && !in_row) {
    out_ += '\n';
    out_.append(std::size_t{2} * depth_, ' ');
  }
  out_ += bracket;
  first_ = false;
}

void JsonWriter::quote(std::string_view value) {
  out_ += '"';
  while (!value.empty()) {
    const std::size_t length = utf8_length(value);
    const auto c = static_cast<unsigned char>(value.front());
    if (length == 0) {
      out_ += "\xef\xbf\xbd";  // U+FFFD
    } else if (c == '"' || c == '\\') {
      out_ += '\\';
      out_ += value.front();
    } else if (c < 0x20 || c == 0x7f) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\u%04x", c);
      out_ += escaped.data();
    } else {
      out_ += value.substr(0, length);
    }
    value.remove_prefix(length == 0 ? 1 : length);
  }
  out_ += '"';
}

void JsonWriter::text(std::string_view key, std::string_view value) {
  next(key);
  quote(value);
}

void JsonWriter::number(std::string_view key, std::uint64_t value) {
  next(key);
  out_ += std::to_string(value);
}

void JsonWriter::boolean(std::string_view key, bool value) {
  next(key);
  out_ += value ? "true" : "false";
}

void JsonWriter::null(std::string_view key) {
  next(key);
  out_ += "null";
}

std::string JsonWriter::take() {
  out_ += '\n';
  return std::move(out_);
}

}  // namespace impasse::report
