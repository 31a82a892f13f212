// A preloaded object like ours, with nothing in it but the naming: a thread with memory of its own
// that waits for questions and answers them.
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "names/asking.h"
#include "symbolize/arena.h"
#include "symbolize/namer.h"

namespace {

using impasse::symbolize::Frame;
using impasse::symbolize::Namer;
using impasse::symbolize::OwnArena;

constinit std::atomic<std::uint32_t> asked{0};
constinit std::atomic<bool> answered{false};
const Question* questions = nullptr;
std::size_t question_count = 0;

std::uint64_t now_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

void say(const std::string& text) {
  if (write(STDOUT_FILENO, text.data(), text.size()) < 0) _exit(8);
}

long resident_kib() {
  char text[128] = {};
  const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  if (fd < 0 || read(fd, text, sizeof text - 1) <= 0) _exit(8);
  close(fd);
  long pages = 0;
  sscanf(text, "%*s %ld", &pages);
  return pages * 4;
}

std::string answer(Namer& namer, const Question& question) {
  std::string text;
  if (question.data) {
    const auto name = namer.symbol_of_data(question.address);
    return "data " + (name ? name->name + " +" + std::to_string(name->offset) : "?") + "\n";
  }
  Frame frame;
  frame.pc = question.address;
  frame.returns_here = question.returns_here;
  namer.name(frame);
  text = "frame +" + std::to_string(frame.function_offset) + "\n";
  for (const auto& source : frame.sources) {
    text += "  " + source.function + " " + source.file + ":" + std::to_string(source.line) + "\n";
  }
  return text;
}

void burst() {
  const std::uint64_t begin = now_us();
  const long before = resident_kib();
  Namer namer;
  std::string text;
  for (std::size_t i = 0; i < question_count; ++i) {
    text += answer(namer, questions[i]);
    if (i == 0) text += "first_us " + std::to_string(now_us() - begin) + "\n";
  }
  text += "resident_kib " + std::to_string(resident_kib() - before) + "\n";
  if (!namer.trouble().empty()) text += "trouble " + namer.trouble() + "\n";
  say(text);
}

void measure_lookups() {
  constexpr std::uint64_t kSpan = 4000;
  Namer namer;
  Frame frame;
  namer.name(frame);
  frame.pc = questions[0].address;
  namer.name(frame);
  const std::uint64_t begin = now_us();
  for (std::uint64_t i = 0; i < kSpan; ++i) {
    frame.pc = questions[0].address - kSpan / 2 + i;
    namer.name(frame);
  }
  say("lookup_ns " + std::to_string((now_us() - begin) * 1000 / kSpan) + "\n");
}

void* work(void*) {
  while (asked.load() == 0) syscall(SYS_futex, &asked, FUTEX_WAIT_PRIVATE, 0, nullptr, nullptr, 0);
  const OwnArena arena;
  // A second burst finds what the first has left behind.
  for (int i = 0; i < 4; ++i) {
    if (i == 1) say("resident_begin " + std::to_string(resident_kib()) + "\n");
    burst();
  }
  say("resident_end " + std::to_string(resident_kib()) + "\n");
  say("in_use " + std::to_string(OwnArena::facts().bytes_in_use) + "\n");
  if (getenv("MEASURE") != nullptr) measure_lookups();
  answered.store(true);
  return nullptr;
}

__attribute__((constructor)) void load() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  pthread_create(&thread, nullptr, work, nullptr);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace

extern "C" __attribute__((visibility("default"))) void ask_names(const Question* asked_questions,
                                                                 std::size_t count) {
  questions = asked_questions;
  question_count = count;
  asked.store(1);
  syscall(SYS_futex, &asked, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  for (int ms = 0; ms < 20'000 && !answered.load(); ms += 5) {
    const timespec step{0, 5'000'000};
    nanosleep(&step, nullptr);
  }
  _exit(answered.load() ? 0 : 9);
}
