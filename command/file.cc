#include "command/file.h"

#include <algorithm>

namespace impasse::command {

FileText read_file(const std::string& path, std::size_t most) {
  FileText result;
  const OpenFile file(path);
  if (!file) {
    result.error = file.error();
    return result;
  }
  constexpr std::size_t kStep = 16'384;
  while (result.text.size() < most) {
    const std::size_t had = result.text.size();
    const std::size_t step = std::min(kStep, most - had);
    result.text.resize(had + step);
    const ssize_t n = read(file.fd(), result.text.data() + had, step);
    if (n < 0 && errno == EINTR) {
      result.text.resize(had);
      continue;
    }
    result.text.resize(had + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
    if (n < 0) result.error = errno;
    if (n <= 0) break;
  }
  return result;
}

}  // namespace impasse::command
