#include "command/process_view.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "command/file.h"

namespace impasse::command {
namespace {

constexpr std::size_t kSmall = 16'384;

std::string proc_path(pid_t pid, std::string_view rest) {
  return "/proc/" + std::to_string(pid) + "/" + std::string(rest);
}

std::string link_target(const std::string& path) {
  std::string target(4096, '\0');
  const ssize_t n = readlink(path.c_str(), target.data(), target.size());
  target.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
  return target;
}

std::string first_line(const std::string& path) {
  std::string text = read_file(path, kSmall).text;
  text.resize(std::min(text.find('\n'), text.size()));
  return text;
}

std::vector<pid_t> thread_numbers(pid_t pid) {
  std::vector<pid_t> numbers;
  const std::unique_ptr<DIR, int (*)(DIR*)> tasks(opendir(proc_path(pid, "task").c_str()),
                                                  closedir);
  while (const dirent* entry = tasks ? readdir(tasks.get()) : nullptr) {
    const std::string_view name = entry->d_name;
    pid_t number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size()) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace

char state_letter(std::string_view stat) {
  // The name before it may have any bytes in it, also closing brackets.
  const std::size_t after_name = stat.rfind(')');
  if (after_name == std::string_view::npos || after_name + 2 >= stat.size()) return '\0';
  return stat[after_name + 2];
}

std::uint64_t start_ticks(std::string_view stat) {
  constexpr int kFieldsBetween = 19;  // from the state, which follows the name
  const std::size_t after_name = stat.rfind(')');
  if (after_name == std::string_view::npos) return 0;
  std::size_t at = after_name + 1;
  for (int i = 0; i <= kFieldsBetween && at != std::string_view::npos; ++i) {
    at = stat.find(' ', at + (i == 0 ? 0 : 1));
  }
  std::uint64_t ticks = 0;
  if (at != std::string_view::npos) {
    std::from_chars(stat.data() + at + 1, stat.data() + stat.size(), ticks);
  }
  return ticks;
}

std::optional<long> system_call_number(std::string_view s) {
  long number = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), number);
  // "running": in none; "-1": blocked, but in none.
  if (error != std::errc() || number < 0) return std::nullopt;
  return number;
}

pid_t last_number(std::string_view status, std::string_view field) {
  std::size_t at = status.starts_with(field) ? 0 : status.find("\n" + std::string(field));
  if (at == std::string_view::npos) return 0;
  status.remove_prefix(status.find(field, at) + field.size());
  status = status.substr(0, status.find('\n'));
  status.remove_prefix(std::min(status.find_last_of("\t :") + 1, status.size()));
  pid_t number = 0;
  std::from_chars(status.data(), status.data() + status.size(), number);
  return number;
}

ProcessView view_process(pid_t pid) {
  ProcessView view;
  view.pid = pid;
  const FileText status = read_file(proc_path(pid, "status"), kSmall);
  if (status.text.empty()) {
    // /proc may hide the processes of others.
    if (kill(pid, 0) == 0 || errno == EPERM) {
      view.presence = ProcessView::Presence::kForbidden;
      view.error = EPERM;
    }
    return view;
  }
  if (const pid_t process = last_number(status.text, "Tgid:"); process != 0) view.pid = process;
  if (view.pid != pid) return view_process(view.pid);
  view.inner_pid = last_number(status.text, "NSpid:");
  if (view.inner_pid == 0) view.inner_pid = view.pid;

  const std::string executable = link_target(proc_path(pid, "exe"));
  view.name = executable.substr(executable.rfind('/') + 1);
  if (view.name.empty()) view.name = first_line(proc_path(pid, "comm"));
  FileText maps = read_file(proc_path(pid, "maps"));
  view.error = maps.error;
  view.maps = std::move(maps.text);

  using Presence = ProcessView::Presence;
  // A name may have a newline in it: all of the text, not its first line.
  const std::string stat = read_file(proc_path(pid, "stat"), kSmall).text;
  const char state = state_letter(stat);
  view.start = start_ticks(stat);
  if (state == 'Z' || state == 'X' || maps.error == ESRCH) {
    view.presence = Presence::kEnded;
  } else if (maps.error == EACCES || maps.error == EPERM) {
    view.presence = Presence::kForbidden;
  } else if (maps.error == ENOENT) {
    view.presence = Presence::kNone;  // it ended while we looked
  } else if (view.maps.empty()) {
    view.presence = executable.empty() ? Presence::kKernel : Presence::kEnded;
  } else {
    view.presence = Presence::kLive;
  }
  return view;
}

std::vector<report::LiveThread> live_threads(const ProcessView& process) {
  const bool in_container = process.inner_pid != process.pid;
  std::vector<report::LiveThread> threads;
  for (const pid_t number : thread_numbers(process.pid)) {
    const std::string task = proc_path(process.pid, "task/" + std::to_string(number) + "/");
    const std::string stat = read_file(task + "stat", kSmall).text;
    if (stat.empty()) continue;
    report::LiveThread thread;
    thread.tid = static_cast<std::uint32_t>(number);
    if (in_container) {
      thread.tid = static_cast<std::uint32_t>(
          last_number(read_file(task + "status", kSmall).text, "NSpid:"));
    }
    thread.name = first_line(task + "comm");
    thread.state = state_letter(stat);
    thread.system_call = system_call_number(first_line(task + "syscall"));
    thread.kernel_function = first_line(task + "wchan");
    if (thread.kernel_function == "0") thread.kernel_function.clear();
    threads.push_back(std::move(thread));
  }
  return threads;
}

std::optional<std::string> started_with(pid_t pid, std::string_view variable) {
  const std::string text = read_file(proc_path(pid, "environ"), std::size_t{1} << 22).text;
  const std::string wanted = std::string(variable) + "=";
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = rest.find('\0');
    const std::string_view one = rest.substr(0, end);
    if (one.starts_with(wanted)) return std::string(one.substr(wanted.size()));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return std::nullopt;
}

bool has_other_mounts(pid_t pid) {
  const std::string theirs = link_target(proc_path(pid, "ns/mnt"));
  return !theirs.empty() && theirs != link_target("/proc/self/ns/mnt");
}

}  // namespace impasse::command
