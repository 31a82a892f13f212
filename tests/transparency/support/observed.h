// One call as the program sees it: what it returned and whether it touched errno.
#pragma once

#include <cerrno>
#include <cstring>

namespace transparency {

inline const char* error_name(int error) {
  const char* name = strerrorname_np(error);
  return name ? name : "?";
}

struct Observed {
  int result;
  int errno_after;

  const char* name() const { return error_name(result); }
  const char* errno_text() const {
    return errno_after == kMarker ? "errno kept" : error_name(errno_after);
  }

  static constexpr int kMarker = ENOTNAM;  // a number that no lock function has a use for
};

template <typename Call>
Observed observe(Call&& call) {
  errno = Observed::kMarker;
  const int result = call();
  return {.result = result, .errno_after = errno};
}

}  // namespace transparency
