#include "command/option_text.h"

#include <algorithm>

#include "options/options.h"

namespace impasse::command {
namespace {

struct Kept {
  std::string key;
  std::string whole;
};

struct Complaint {
  std::string key;  // empty: of no option
  std::string sentence;
};

void take(std::string_view text, std::vector<Kept>& kept, std::vector<Complaint>& complaints) {
  OptionToken token;
  while (next_token(text, token)) {
    // A later one counts instead of an earlier one, also when it is wrong: then the default does.
    std::erase_if(kept, [&token](const Kept& k) { return k.key == token.key; });
    Complaints found;
    parse(token.whole, found);
    if (found.size() == 0) kept.push_back({std::string(token.key), std::string(token.whole)});
    for (std::size_t i = 0; i < found.size(); ++i) {
      complaints.push_back({std::string(token.key), std::string(found[i])});
    }
  }
}

// Of a value that was wrong, the sentence ends in the default, which is used unless a later value
// of the same option is right.
std::string with_what_is_used(const Complaint& complaint, const std::vector<Kept>& kept) {
  const std::size_t end = complaint.sentence.rfind("; using '");
  const auto later =
      std::find_if(kept.begin(), kept.end(), [&](const Kept& k) { return k.key == complaint.key; });
  if (end == std::string::npos || later == kept.end()) return complaint.sentence;
  const std::string value = later->whole.substr(later->key.size() + 1);
  return complaint.sentence.substr(0, end) + "; using '" + value + "'";
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
  std::vector<Complaint> complaints;
  take(environment, kept, complaints);
  for (const std::string& flag : flags) {
    const std::string option = quoted_option(flag);
    if (option.empty()) {
      complaints.push_back(
          {"", "'" + flag + "' ignored: a value cannot have a quote and a space or comma"});
    } else {
      take(option, kept, complaints);
    }
  }
  OptionText result;
  for (const Complaint& complaint : complaints) {
    result.complaints.push_back(with_what_is_used(complaint, kept));
  }
  for (const Kept& k : kept) {
    if (!result.text.empty()) result.text += ' ';
    result.text += k.whole;
  }
  return result;
}

}  // namespace impasse::command
