// The one file that wires the parts of the preloaded object together.
#include <sys/auxv.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "interpose/companions.h"
#include "interpose/real.h"
#include "interpose/session.h"
#include "interpose/thread_life.h"
#include "options/options.h"
#include "preload/kept_options.h"
#include "preload/watchdog_thread.h"

// Weak, not dlsym(): a lookup that fails would leave its trace in the program's dlerror().
extern "C" void __tsan_init() __attribute__((weak));
extern "C" void __asan_init() __attribute__((weak));

namespace impasse {
namespace {

void say(std::string_view text) {
  constexpr std::string_view kPrefix = "impasse: ";
  char line[512];
  const std::size_t n = std::min(text.size(), sizeof line - kPrefix.size() - 1);
  std::memcpy(line, kPrefix.data(), kPrefix.size());
  std::memcpy(line + kPrefix.size(), text.data(), n);
  line[kPrefix.size() + n] = '\n';
  static_cast<void>(!write(STDERR_FILENO, line, kPrefix.size() + n + 1));
}

std::string_view own_executable(char* buffer, std::size_t bytes) {
  const ssize_t n = readlink("/proc/self/exe", buffer, bytes);
  if (n <= 0) return {};
  const std::string_view path{buffer, static_cast<std::size_t>(n)};
  return path.substr(path.rfind('/') + 1);
}

// Programs that bring their own view of every lock and thread: two such tools in one process
// confuse each other.
const char* rival() {
  if (&__tsan_init != nullptr) return "ThreadSanitizer";
  if (&__asan_init != nullptr) return "AddressSanitizer";
  return nullptr;
}

// False: this process is not to be watched.
bool read_options() {
  Complaints complaints;
  const char* const text = secure_getenv("IMPASSE_OPTIONS");
  const char* const given = text == nullptr ? "" : text;
  const Options& options = keep_options(given, complaints);
  start_session(options);
  set_up_watchdog(options, complaints);
  for (std::size_t i = 0; i < complaints.size(); ++i) say(complaints[i]);
  companions.start = start_watchdog;
  companions.dismiss = dismiss_watchdog;
  companions.wake = wake_watchdog;
  companions.forget = forget_watchdog;
  char buffer[512];
  return options.only.empty() || watches(options, own_executable(buffer, sizeof buffer));
}

__attribute__((constructor)) void load() {
  real::resolve_all();
  prepare_thread_ends();
  register_fork_handlers();
  const char* const other = rival();
  if (other != nullptr) {
    say(other == std::string_view{"ThreadSanitizer"}
            ? "this program was built with ThreadSanitizer; it runs without impasse"
            : "this program was built with AddressSanitizer; it runs without impasse");
  }
  if (other != nullptr || !read_options()) switch_off();
  // Numbers are wanted of a program that has one thread, too.
  if (counts_locks()) begin_watching();
}

// Not a destructor of anything: other threads run on. Only the ledger's name goes.
__attribute__((destructor)) void unload() {
  settle_findings();
  say_last_words();
  const int status = exit_status_of_findings();
  end_session();
  if (status != 0) end_process(status);
}

}  // namespace
}  // namespace impasse
