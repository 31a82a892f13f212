// Writes one JSON document into a string: commas, indentation and escapes are its business.
//
// Promises: the result is valid JSON in UTF-8 whatever bytes the texts have (broken ones become
// U+FFFD), as long as begin and end calls pair up.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace impasse::report {

class JsonWriter {
 public:
  // Inside an object `key` comes first, in an array it is empty.
  void begin_object(std::string_view key = {}) { begin(key, '{'); }
  // It and everything in it stands on one line.
  void begin_row(std::string_view key = {});
  void end_object() { end('}'); }
  void begin_array(std::string_view key = {}) { begin(key, '['); }
  void end_array() { end(']'); }

  void text(std::string_view key, std::string_view value);
  void number(std::string_view key, std::uint64_t value);
  void boolean(std::string_view key, bool value);
  void null(std::string_view key);

  // The document, with a newline at its end.
  std::string take();

 private:
  void begin(std::string_view key, char bracket);
  void end(char bracket);
  void next(std::string_view key);
  void quote(std::string_view value);

  std::string out_;
  unsigned depth_ = 0;
  unsigned row_ = 0;  // depth of the object that stands on one line; 0: none
  bool first_ = true;
};

}  // namespace impasse::report
