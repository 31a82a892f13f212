#include "command/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace impasse::command {
namespace {

bool stdout_was_closed = false;

// 0, or the error.
int write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

void guard_standard_descriptors() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (fcntl(fd, F_GETFD) != -1) continue;
    if (fd == STDOUT_FILENO) stdout_was_closed = true;
    // The lowest free number is this one: the ones below are open by now.
    (void)!open("/dev/null", O_RDWR | O_CLOEXEC);
  }
}

void complain(std::string_view sentence) {
  std::string line = "impasse: ";
  line += sentence;
  line += '\n';
  write_all(STDERR_FILENO, line);
}

int fail(std::string_view sentence) {
  complain(sentence);
  return kFailed;
}

int print(std::string_view text) {
  const int error = stdout_was_closed ? EBADF : write_all(STDOUT_FILENO, text);
  if (error == 0) return kOk;
  return fail(std::string("cannot write to standard output: ") + std::strerror(error));
}

}  // namespace impasse::command
