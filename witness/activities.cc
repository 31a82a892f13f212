#include "witness/activities.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "witness/running_stack.h"

namespace impasse::witness {
namespace {

constexpr std::size_t kMostStrangers = 16'384;
constexpr std::uint64_t kForgetAfterNs = 60'000'000'000;
// The names of our own threads begin so (see preload/watchdog_thread.cc).
constexpr std::string_view kOurThreads[] = {"impasse", "impasse/names"};

}  // namespace

void Standstills::look(const system::ProcFiles& process, std::uint32_t tid, std::uint64_t now_ns) {
  const system::TaskLook now = look_at_task(process, tid);
  Standstill& known = by_tid_[tid];
  if (known.since_ns == 0 || !has_not_moved(known.look, now)) known.since_ns = now_ns;
  known.look = now;
  known.looked_ns = now_ns;
}

std::uint64_t Standstills::since(std::uint32_t tid, const system::TaskLook& now) const {
  const auto known = by_tid_.find(tid);
  if (known == by_tid_.end() || !has_not_moved(known->second.look, now)) return 0;
  return known->second.since_ns;
}

void Standstills::forget_old(std::uint64_t now_ns) {
  std::erase_if(by_tid_, [now_ns](const auto& one) {
    return now_ns > one.second.looked_ns + kForgetAfterNs;
  });
}

symbolize::Stack Activities::watch(report::Thread& thread, bool may_ask) {
  const system::TaskLook look = look_at_task(process_, thread.tid);
  system::Activity seen = system::describe(process_, thread.tid, look, memory_, descriptors_);
  seen.since_ns = standstills_.since(thread.tid, look);
  // A wait that left no more than an intent is told by the wait; its system call adds nothing.
  const bool waits = thread.wait.has_value();
  if (!waits || seen.kind == system::ActivityKind::kRunning ||
      seen.kind == system::ActivityKind::kGone) {
    thread.activity = std::move(seen);
  }
  if (look.asleep() && look.call.sp != 0) {
    const std::uint32_t tid = thread.tid;
    const system::ProcFiles& process = process_;
    return stacks_.of_sleeper(look.call.pc, look.call.sp, [&process, tid, &look] {
      return look_at_call(process, tid) == look.call;
    });
  }
  const bool runs = look.call.form == system::CallForm::kRunning;
  if (runs && may_ask) return ask(thread.tid);
  symbolize::Stack none;
  none.trouble = runs ? "it runs, and was not asked for its stack" : thread.activity.trouble;
  return none;
}

symbolize::Stack Activities::ask(std::uint32_t tid) {
  RunningStack given;
  const Asked answer = ask_running_thread(tid, given);
  if (answer == Asked::kGiven) {
    return stacks_.of_copy(symbolize::Registers::from_signal(given.registers.data()), given.address,
                           given.bytes, given.size);
  }
  symbolize::Stack none;
  none.trouble = trouble_words(answer);
  return none;
}

void Activities::add_strangers(report::Report& report, bool may_ask) {
  std::unordered_set<std::uint32_t> known;
  for (const report::Thread& thread : report.threads) known.insert(thread.tid);
  std::vector<std::uint32_t> tids;
  bool more = false;
  process_.tasks(tids, kMostStrangers, more);
  std::sort(tids.begin(), tids.end());
  for (const std::uint32_t tid : tids) {
    if (known.contains(tid)) continue;
    report::Thread thread;
    thread.tid = tid;
    char name[64];
    std::size_t size = 0;
    if (process_.read(tid, "comm", name, sizeof name, size) != 0) continue;
    thread.name.assign(name, size);
    while (!thread.name.empty() && thread.name.back() == '\n') thread.name.pop_back();
    thread.ours = std::find(std::begin(kOurThreads), std::end(kOurThreads), thread.name) !=
                  std::end(kOurThreads);
    if (!thread.ours) thread.stack = report.stacks.keep(watch(thread, may_ask));
    report.threads.push_back(std::move(thread));
  }
}

}  // namespace impasse::witness
