// stack_judge PROGRAM TWIN: starts PROGRAM (blocked_threads, built in some way), walks its threads
// from outside with nothing but their stack pointers and pcs, and demands that each of the 22 is
// walked whole with all six frames of the chain in their order. TWIN is the same program with its
// symbols. Nothing is left behind: the program ends with us.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "symbolize/unwinder.h"

namespace {

using namespace impasse::symbolize;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kThreads = 22;
constexpr std::array<std::string_view, 6> kChain{"chain_pointer", "chain_many", "chain_aligned",
                                                 "chain_array",   "chain_top",  "chain_thread"};

struct Range {
  std::uint64_t start, end;
  std::string name;
};

// The functions of the twin, by the addresses of the file.
std::vector<Range> functions_of(const std::string& twin) {
  std::vector<Range> functions;
  FILE* const names = popen(("nm -S --defined-only '" + twin + "'").c_str(), "r");
  char line[4096];
  while (names != nullptr && fgets(line, sizeof line, names) != nullptr) {
    std::istringstream words(line);
    std::uint64_t start = 0;
    std::uint64_t size = 0;
    std::string type, name;
    if (!(words >> std::hex >> start >> size >> type >> name)) continue;
    functions.push_back({start, start + size, name.substr(0, name.find('.'))});
  }
  if (names != nullptr) pclose(names);
  return functions;
}

std::string text_of(const std::string& path) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// The threads by their names, with what the kernel says about each.
std::map<std::string, std::string> look(pid_t pid) {
  std::map<std::string, std::string> threads;
  const std::string tasks = "/proc/" + std::to_string(pid) + "/task";
  DIR* const directory = opendir(tasks.c_str());
  if (directory == nullptr) return threads;
  while (const dirent* entry = readdir(directory)) {
    const std::string tid = entry->d_name;
    if (tid.front() == '.' || tid == std::to_string(pid)) continue;
    threads[text_of(tasks + "/" + tid + "/comm")] = text_of(tasks + "/" + tid + "/syscall");
  }
  closedir(directory);
  return threads;
}

// Until all of them sleep, and have slept for a while.
std::map<std::string, std::string> wait_until_blocked(pid_t pid) {
  const auto end = Clock::now() + std::chrono::seconds(15);
  std::map<std::string, std::string> before;
  while (Clock::now() < end) {
    auto now = look(pid);
    const bool asleep = std::none_of(now.begin(), now.end(), [](const auto& thread) {
      return thread.second.empty() || thread.second == "running";
    });
    if (now.size() == kThreads && asleep && now == before) return now;
    before = std::move(now);
    usleep(100'000);
  }
  return {};
}

class Judge {
 public:
  Judge(pid_t pid, std::string program, const std::string& twin)
      : program_(std::move(program)),
        functions_(functions_of(twin)),
        space_(static_cast<std::uint32_t>(pid)),
        unwinder_(space_),
        image_(space_) {
    unwinder_.load();
    space_.refresh();
  }

  bool right(const std::string& name, const std::string& line) {
    std::istringstream words(line);
    std::vector<std::string> parts;
    for (std::string word; words >> word;) parts.push_back(word);
    if (parts.size() < 3) return false;
    const auto pc = std::stoull(parts[parts.size() - 1], nullptr, 16);
    const auto sp = std::stoull(parts[parts.size() - 2], nullptr, 16);
    const auto begin = Clock::now();
    image_.copy(Registers::from_system_call(pc, sp));
    image_.allow_more([] { return true; });
    const Stack stack = unwinder_.walk(image_);
    const auto took = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin);
    std::string text;
    std::size_t found = 0;
    std::size_t wrong = 0;
    bool signal = false;
    std::string last;
    for (const Frame& frame : stack.frames) {
      const std::string function = name_of(frame);
      text += (frame.grade == Grade::kExact     ? " "
               : frame.grade == Grade::kChecked ? " ="
                                                : " ~") +
              (frame.signal ? "<signal>" : function);
      signal = signal || frame.signal;
      if (found < kChain.size() && function == kChain[found]) {
        if (found == 0 && last.find("in_") == last.npos && last.find("below_") == last.npos) {
          ++wrong;  // the one that blocks is missing
        }
        ++found;
      } else if (std::find(kChain.begin(), kChain.end(), function) != kChain.end()) {
        ++wrong;  // out of order, or twice
      }
      last = function;
    }
    const bool right =
        stack.whole && found == kChain.size() && wrong == 0 && signal == name.starts_with("signal");
    std::cout << (right ? "whole  " : "BROKEN ") << name << " " << took.count() << " µs:" << text
              << " " << stack.trouble << "\n";
    return right;
  }

 private:
  std::string name_of(const Frame& frame) const {
    const std::uint64_t pc = frame.pc - (frame.returns_here ? 1 : 0);
    const Module* const module = space_.module(pc);
    if (module == nullptr || module->path != program_) return space_.name(frame.pc);
    const std::uint64_t address = pc - module->bias;
    for (const Range& range : functions_) {
      if (address >= range.start && address < range.end) return range.name;
    }
    return space_.name(frame.pc);
  }

  std::string program_;
  std::vector<Range> functions_;
  AddressSpace space_;
  Unwinder unwinder_;
  StackImage image_;
};

int judge(pid_t pid, const std::string& program, const std::string& twin) {
  const auto threads = wait_until_blocked(pid);
  if (threads.empty()) {
    std::cout << "the program's threads did not all block\n";
    return 1;
  }
  Judge judge(pid, program, twin);
  std::size_t whole = 0;
  for (const auto& [name, line] : threads) whole += judge.right(name, line) ? 1 : 0;
  std::cout << whole << " of " << kThreads << "\n";
  return whole == kThreads ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) return 2;
  char* const program = realpath(arguments[1], nullptr);
  if (program == nullptr) return 2;
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setpgid(0, 0);
    execl(program, program, nullptr);
    _exit(127);
  }
  const int result = judge(pid, program, arguments[2]);
  kill(-pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  return result;
}
