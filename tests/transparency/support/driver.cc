#include "support/driver.h"

#include <link.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>

namespace transparency {
namespace {

constexpr int kFailed = 3;
constexpr int kUsage = 2;

struct LoadOrder {
  const char* wanted;
  int position = 0;
  int wanted_at = -1;
  int libc_at = -1;
};

const char* base_name(const char* path) {
  const char* slash = std::strrchr(path, '/');
  return slash ? slash + 1 : path;
}

int note_object(dl_phdr_info* object, size_t, void* data) {
  auto& order = *static_cast<LoadOrder*>(data);
  const char* name = base_name(object->dlpi_name);
  if (std::strcmp(name, order.wanted) == 0) order.wanted_at = order.position;
  if (std::strcmp(name, "libc.so.6") == 0) order.libc_at = order.position;
  ++order.position;
  return 0;
}

int answer_preloaded(const char* wanted) {
  LoadOrder order{.wanted = wanted};
  dl_iterate_phdr(note_object, &order);
  const bool preloaded = order.wanted_at >= 0 && order.wanted_at < order.libc_at;
  say("%s: object %d, libc: object %d", wanted, order.wanted_at, order.libc_at);
  return preloaded ? 0 : kFailed;
}

}  // namespace

void say(const char* format, ...) {
  char line[512];
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (length < 0) return;
  size_t end = static_cast<size_t>(length);
  if (end > sizeof line - 2) end = sizeof line - 2;
  line[end++] = '\n';
  for (size_t done = 0; done < end;) {
    const ssize_t written = ::write(STDOUT_FILENO, line + done, end - done);
    if (written <= 0) return;
    done += static_cast<size_t>(written);
  }
}

void require(bool condition, const char* what, const char* file, int line) {
  if (condition) return;
  say("FAILED %s:%d: %s", base_name(file), line, what);
  _exit(kFailed);
}

const char* own_path() {
  static char path[1024];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path - 1);
  require(length > 0, "/proc/self/exe is readable");
  return path;
}

int run_driver(int argc, char** argv, std::span<const Case> cases) {
  if (argc == 3 && std::strcmp(argv[1], "--am-i-preloaded") == 0) return answer_preloaded(argv[2]);
  if (argc == 2 && std::strcmp(argv[1], "--list") == 0) {
    for (const Case& one : cases) say("case %s", one.name);
    return 0;
  }
  for (const Case& one : cases) {
    if (argc != 2 || std::strcmp(argv[1], one.name) != 0) continue;
    one.run();
    say("ok");
    return 0;
  }
  say("usage: %s CASE | --list | --am-i-preloaded NAME", argc > 0 ? base_name(argv[0]) : "driver");
  return kUsage;
}

}  // namespace transparency
