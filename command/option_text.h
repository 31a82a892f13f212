// The option text that a program is started with: what the environment says, then what the command
// line says.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace impasse::command {

struct OptionText {
  std::string text;                     // only what the library will take without complaint
  std::vector<std::string> complaints;  // what was left out and why
};

// `flags` are "key=value", without their dashes; they win.
OptionText merge_options(std::string_view environment, const std::vector<std::string>& flags);

// "key=value" as an option text has it: in quotes where a separator is in the value. Empty: it
// cannot be written.
std::string quoted_option(std::string_view key_and_value);

}  // namespace impasse::command
