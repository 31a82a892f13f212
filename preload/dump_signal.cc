#include "preload/dump_signal.h"

#include <signal.h>

#include <atomic>
#include <charconv>
#include <string_view>

namespace impasse {
namespace {

constinit std::atomic<bool> dump_wanted{false};

void want_dump(int) {
  dump_wanted.store(true, std::memory_order_release);
}

struct SignalName {
  const char* name;
  int number;
};
constexpr SignalName kDumpSignals[] = {{"QUIT", SIGQUIT},   {"USR1", SIGUSR1}, {"USR2", SIGUSR2},
                                       {"HUP", SIGHUP},     {"URG", SIGURG},   {"PWR", SIGPWR},
                                       {"WINCH", SIGWINCH}, {"IO", SIGIO}};

// 0: none that could be used. What tells of a crash, a child or a stop is not for a request.
int signal_number(std::string_view text) {
  if (text.starts_with("SIG")) text.remove_prefix(3);
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const bool is_number = error == std::errc() && end == text.data() + text.size();
  for (const SignalName& known : kDumpSignals) {
    if (text == known.name || (is_number && number == known.number)) return known.number;
  }
  return is_number && number >= SIGRTMIN && number <= SIGRTMAX ? number : 0;
}

}  // namespace

bool listen_for_dump_signal(const Target& signal) {
  if (signal.is("off")) return true;
  const int number = signal_number(signal.view());
  struct sigaction action {};
  action.sa_handler = want_dump;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  return number != 0 && sigaction(number, &action, nullptr) == 0;
}

bool dump_was_asked_for() {
  return dump_wanted.exchange(false, std::memory_order_acq_rel);
}

}  // namespace impasse
