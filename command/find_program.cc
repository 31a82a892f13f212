#include "command/find_program.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

namespace impasse::command {
namespace {

// 0, or why this file cannot be executed.
int executable(const std::string& path) {
  struct stat facts {};
  if (stat(path.c_str(), &facts) != 0) return errno;
  if (S_ISDIR(facts.st_mode)) return EISDIR;
  if (!S_ISREG(facts.st_mode)) return EACCES;
  // The effective user's right, as execve() sees it; root needs an x bit as well.
  return faccessat(AT_FDCWD, path.c_str(), X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

// A file that is there; a directory on the way to it may have been closed to us instead.
bool exists(const std::string& path) {
  return access(path.c_str(), F_OK) == 0;
}

std::string problem_of(const std::string& name, const std::string& path, int error) {
  if (error == EACCES && exists(path)) return "'" + name + "' is not executable";
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return "there is no program '" + name + "'";
    case EISDIR:
      return "'" + name + "' is a directory, not a program";
    default:
      return "cannot execute '" + name + "': " + std::strerror(error);
  }
}

}  // namespace

FoundProgram find_program(const std::string& name) {
  if (name.empty()) return {"", "the name of the program is empty"};
  if (name.find('/') != std::string::npos) {
    const int error = executable(name);
    return {name, error == 0 ? "" : problem_of(name, name, error)};
  }
  const char* set = std::getenv("PATH");
  std::string_view rest = set != nullptr ? set : "/bin:/usr/bin";
  std::string unfit;  // the first file of that name that could not be executed
  for (;;) {
    const std::size_t colon = rest.find(':');
    // An empty part is the working directory.
    std::string path(rest.substr(0, colon));
    path += path.empty() ? "./" : "/";
    path += name;
    const int error = executable(path);
    if (error == 0) return {path, ""};
    if (error == EACCES && unfit.empty() && exists(path)) unfit = path;
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  if (unfit.empty()) return {"", "there is no program '" + name + "' in PATH"};
  return {"", problem_of(name, unfit, EACCES)};
}

}  // namespace impasse::command
