#include "command/text_style.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace impasse::command {
namespace {

bool says_utf8(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0' &&
         (std::strstr(value, "UTF-8") != nullptr || std::strstr(value, "utf8") != nullptr);
}

bool is_set(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

}  // namespace

report::TextStyle text_style(std::string_view colour) {
  report::TextStyle style;
  const bool terminal = isatty(STDOUT_FILENO) == 1;
  style.colour = colour == "always";
  if (!terminal) return style;
  const char* const name = std::getenv("TERM");
  const bool dumb = name == nullptr || std::string_view(name) == "dumb";
  if (colour == "auto") style.colour = !dumb && !is_set("NO_COLOR");
  style.drawing = is_set("LC_ALL")     ? says_utf8("LC_ALL")
                  : is_set("LC_CTYPE") ? says_utf8("LC_CTYPE")
                                       : says_utf8("LANG");
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col != 0) {
    style.width = std::clamp<std::size_t>(size.ws_col, 80, 160);
  }
  return style;
}

}  // namespace impasse::command
