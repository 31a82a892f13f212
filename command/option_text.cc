#include "command/option_text.h"

#include "options/options.h"

namespace impasse::command {
namespace {

struct Kept {
  std::string key;
  std::string whole;
};

void take(std::string_view text, std::vector<Kept>& kept, std::vector<std::string>& complaints) {
  OptionToken token;
  while (next_token(text, token)) {
    // A later one counts instead of an earlier one, also when it is wrong: then the default does.
    std::erase_if(kept, [&token](const Kept& k) { return k.key == token.key; });
    Complaints found;
    parse(token.whole, found);
    if (found.size() == 0) kept.push_back({std::string(token.key), std::string(token.whole)});
    for (std::size_t i = 0; i < found.size(); ++i) complaints.emplace_back(found[i]);
  }
}

}  // namespace

std::string quoted_option(std::string_view key_and_value) {
  const std::size_t equals = key_and_value.find('=');
  if (equals == std::string_view::npos) return std::string(key_and_value);
  const std::string key(key_and_value.substr(0, equals));
  const std::string value(key_and_value.substr(equals + 1));
  if (value.find_first_of(" ,\t\r\n") == std::string::npos && !value.starts_with('"')) {
    return key + "=" + value;
  }
  if (value.find('"') != std::string::npos) return "";
  return key + "=\"" + value + "\"";
}

OptionText merge_options(std::string_view environment, const std::vector<std::string>& flags) {
  std::vector<Kept> kept;
  OptionText result;
  take(environment, kept, result.complaints);
  for (const std::string& flag : flags) {
    const std::string option = quoted_option(flag);
    if (option.empty()) {
      result.complaints.push_back("'" + flag +
                                  "' ignored: a value cannot have a quote and a space or comma");
    } else {
      take(option, kept, result.complaints);
    }
  }
  for (const Kept& k : kept) {
    if (!result.text.empty()) result.text += ' ';
    result.text += k.whole;
  }
  return result;
}

}  // namespace impasse::command
