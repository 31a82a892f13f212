#include "system/tasks.h"

#include <algorithm>
#include <cerrno>

#include "system/kernel_text.h"

namespace impasse::system {
namespace {

constexpr std::size_t kStatusBytes = 8192;

template <std::size_t kRoom>
void copy(std::string_view text, std::array<char, kRoom>& into) {
  into.fill('\0');
  std::copy_n(text.begin(), std::min(text.size(), kRoom - 1), into.begin());
}

CallLook without_call(CallForm form, int error) {
  CallLook look;
  look.form = form;
  look.error = error;
  return look;
}

CallLook from_error(int error) {
  if (error == EACCES || error == EPERM) return without_call(CallForm::kForbidden, error);
  if (error == ESRCH) return without_call(CallForm::kGone, error);
  return without_call(CallForm::kUnknown, error);
}

}  // namespace

bool has_not_moved(const TaskLook& before, const TaskLook& after) {
  return before.asleep() && before.call == after.call && before.switches_known &&
         after.switches_known && before.voluntary_switches == after.voluntary_switches;
}

CallLook parse_call(std::string_view text) {
  CallLook look;
  const std::string_view first = take_word(text);
  if (first == "running" && take_word(text).empty()) look.form = CallForm::kRunning;
  if (look.form == CallForm::kRunning || !parse_number(first, 10, look.number)) return look;
  bool whole = look.number >= -1;
  if (look.number >= 0) {
    for (std::uint64_t& argument : look.arguments) {
      whole = whole && parse_number(take_word(text), 16, argument);
    }
  }
  whole = whole && parse_number(take_word(text), 16, look.sp) &&
          parse_number(take_word(text), 16, look.pc) && take_word(text).empty();
  if (!whole) return CallLook{};
  look.form = look.number >= 0 ? CallForm::kCall : CallForm::kOutside;
  return look;
}

// "4711 (name) S …": the name may hold anything, ") R" and newlines included, but what follows it
// holds no parenthesis.
bool parse_stat(std::string_view text, TaskLook& look) {
  const std::size_t open = text.find('(');
  const std::size_t close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open ||
      close + 2 >= text.size() || text[close + 1] != ' ') {
    return false;
  }
  copy(text.substr(open + 1, close - open - 1), look.name);
  look.state = text[close + 2];
  return true;
}

void parse_status(std::string_view text, TaskLook& look) {
  look.switches_known =
      parse_number(field(text, "voluntary_ctxt_switches:"), 10, look.voluntary_switches) &&
      parse_number(field(text, "nonvoluntary_ctxt_switches:"), 10, look.involuntary_switches);
  look.signals_known = parse_number(field(text, "SigBlk:"), 16, look.blocked_signals);
  const std::string_view filter = field(text, "Seccomp:");
  look.filtered = !filter.empty() && filter != "0";
}

CallLook look_at_call(const ProcFiles& process, std::uint32_t tid) {
  std::array<char, 256> text;
  std::size_t size = 0;
  const int error = process.read(tid, "syscall", text.data(), text.size(), size);
  return error != 0 ? from_error(error) : parse_call({text.data(), size});
}

char task_state(const ProcFiles& process, std::uint32_t tid) {
  TaskLook look;
  std::array<char, kStatusBytes> text;
  std::size_t size = 0;
  if (process.read(tid, "stat", text.data(), text.size(), size) == 0)
    parse_stat({text.data(), size}, look);
  return look.state;
}

TaskLook look_at_task(const ProcFiles& process, std::uint32_t tid) {
  TaskLook look;
  std::array<char, kStatusBytes> text;
  std::size_t size = 0;
  look.call = look_at_call(process, tid);
  const int error = process.read(tid, "stat", text.data(), text.size(), size);
  if (error == 0) parse_stat({text.data(), size}, look);
  // The kernel has no call to show for a thread that is gone, and says so in several ways.
  const bool missing = error == ENOENT || error == ESRCH;
  if (missing || look.state == 'Z' || look.state == 'X') {
    look.call = without_call(CallForm::kGone, error);
  }
  if (process.read(tid, "wchan", text.data(), text.size(), size) == 0) {
    const std::string_view function(text.data(), size);
    if (function != "0") copy(function, look.kernel_function);
  }
  if (process.read(tid, "status", text.data(), text.size(), size) == 0) {
    parse_status({text.data(), size}, look);
  }
  return look;
}

}  // namespace impasse::system
