#include "report/function_name.h"

#include <algorithm>
#include <array>
#include <vector>

#include "report/ink.h"
#include "report/words.h"

namespace impasse::report {
namespace {

constexpr std::size_t kLongestName = 4096;  // a longer one is cut before it is looked at
constexpr std::size_t kLongestShown = 160;

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// The length of "operator<<" and the like at the front; 0: none stands there.
std::size_t operator_length(std::string_view text, bool word_before) {
  constexpr std::string_view kOperator = "operator";
  if (word_before || !text.starts_with(kOperator)) return 0;
  std::size_t length = kOperator.size();
  if (length < text.size() && is_word(text[length])) return 0;
  if (text.substr(length).starts_with("()") || text.substr(length).starts_with("[]")) {
    return length + 2;
  }
  while (length < text.size() &&
         std::string_view("<>=!+-*/%^&|~,").find(text[length]) != std::string_view::npos) {
    ++length;
  }
  return length;
}

// Where the bracket that opens at `at` is closed; npos: nowhere.
std::size_t closing(std::string_view text, std::size_t at) {
  std::vector<char> open;
  for (std::size_t i = at; i < text.size(); ++i) {
    const std::size_t skip = operator_length(text.substr(i), i > 0 && is_word(text[i - 1]));
    if (skip != 0) {
      i += skip - 1;
      continue;
    }
    const char c = text[i];
    if (c == '(' || c == '{' || c == '[' || c == '<') {
      open.push_back(c);
    } else if (c == ')' || c == '}' || c == ']' || (c == '>' && i > 0 && text[i - 1] != '-')) {
      // An angle that is no bracket must not unbalance the others.
      while (c != '>' && !open.empty() && open.back() == '<') open.pop_back();
      if (!open.empty() && (c != '>' || open.back() == '<')) open.pop_back();
      if (open.empty()) return i;
    }
  }
  return std::string_view::npos;
}

std::string bracketed(std::string_view inside, char open, std::size_t arguments, bool ends) {
  if (open == '<') {
    return inside.size() > arguments ? "<…>" : "<" + std::string(inside) + ">";
  }
  if (open == '(') {
    if (inside == "anonymous namespace") return "(anonymous namespace)";
    return ends ? "" : inside.empty() ? "()" : "(…)";
  }
  if (open == '{') {
    const std::size_t number = inside.rfind('#');
    if (inside.starts_with("lambda") && number != std::string_view::npos) {
      return "{lambda" + std::string(inside.substr(number)) + "}";
    }
    return "{" + std::string(inside) + "}";
  }
  return "";  // "[abi:cxx11]", "[clone .cold]"
}

// What may follow the parameter list of the function itself.
bool is_qualifier(std::string_view rest) {
  for (;;) {
    const std::size_t skip = rest.find_first_not_of(" &");
    if (skip == std::string_view::npos) return true;
    rest.remove_prefix(skip);
    if (rest.front() == '[') return true;
    constexpr std::array<std::string_view, 3> kWords = {"const", "volatile", "noexcept"};
    const auto word = std::find_if(kWords.begin(), kWords.end(),
                                   [rest](std::string_view w) { return rest.starts_with(w); });
    if (word == kWords.end()) return false;
    rest.remove_prefix(word->size());
  }
}

// Function templates are demangled with the type that they return in front.
std::string without_result(std::string name, std::size_t last_space) {
  if (last_space == std::string::npos) return name;
  return name.substr(last_space + 1);
}

}  // namespace

std::string short_function(std::string_view text, std::size_t arguments) {
  text = text.substr(0, kLongestName);
  std::string name;
  std::size_t last_space = std::string::npos;
  for (std::size_t i = 0; i < text.size();) {
    if (const std::size_t length = operator_length(text.substr(i), i > 0 && is_word(text[i - 1]))) {
      name += text.substr(i, length);
      i += length;
      // "operator bool", "operator new": the rest belongs to it.
      while (i < text.size() && (text[i] == ' ' || is_word(text[i]) || text[i] == ':')) {
        name += text[i++];
      }
      continue;
    }
    const char c = text[i];
    if (c == '(' || c == '<' || c == '{' || c == '[') {
      const std::size_t end = closing(text, i);
      if (end == std::string_view::npos) {
        name += text.substr(i);
        break;
      }
      const bool ends = c == '(' && is_qualifier(text.substr(end + 1));
      name += bracketed(text.substr(i + 1, end - i - 1), c, arguments, ends);
      if (ends) break;
      i = end + 1;
      continue;
    }
    if (c == ' ') last_space = name.size();
    name += c;
    ++i;
  }
  while (name.ends_with(' ')) name.pop_back();
  if (last_space != std::string::npos && last_space + 1 >= name.size()) {
    last_space = std::string::npos;
  }
  return cut(printable(without_result(std::move(name), last_space)), kLongestShown);
}

bool is_library_wrapper(std::string_view function, std::string_view file) {
  constexpr std::array<std::string_view, 14> kFunctions = {
      "std::",   "__gthread_", "__gnu_cxx::", "pthread_",      "mtx_",
      "cnd_",    "sem_wait",   "sem_post",    "sem_timedwait", "sem_clockwait",
      "boost::", "absl::",     "bool std::",  "void std::"};
  const auto is_start = [function](std::string_view start) { return function.starts_with(start); };
  return std::any_of(kFunctions.begin(), kFunctions.end(), is_start) ||
         file.starts_with("/usr/include/") || file.find("/include/c++/") != std::string_view::npos;
}

}  // namespace impasse::report
