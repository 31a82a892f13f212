#include "report_scene.h"

namespace impasse::report {
namespace {

constexpr std::uint64_t kProgram = 0x55d0c0400000;
constexpr std::uint64_t kLibc = 0x7f31c1a00000;

// The same line has the same address in every scene.
std::uint64_t address_of(const At& where) {
  std::uint64_t hash = 1469598103934665603U;
  for (const char c : where.function + where.file) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  }
  return (hash & 0xfff0) * 4 + where.line * 4;
}

symbolize::Stack whole_stack(const symbolize::Frame& frame) {
  symbolize::Stack stack;
  stack.frames = {frame};
  stack.whole = true;
  return stack;
}

}  // namespace

void edit_stack(Report& report, std::uint32_t thread,
                const std::function<void(symbolize::Stack&)>& edit) {
  symbolize::Stack stack = report.stack_of(report.threads[thread]);
  edit(stack);
  report.threads[thread].stack = report.stacks.keep(std::move(stack));
}

ReportScene::ReportScene(FindingKind kind, std::string program, std::uint32_t pid) {
  report.process = {pid,      program, "/opt/" + program + "/bin/" + program,
                    "node-7", "0.1.0", kNow - 11'520 * kSecond};
  report.moment = {kNow, 1'794'530'513'320 * kMillisecond};
  report.finding.kind = kind;
  report.finding.number = 1;
  report.finding.fingerprint = "5f0c9d1e2ab34477";
  report.finding.found_ns = kNow - 20 * kMillisecond;
  report.named = true;
  report.modules = {
      {"/opt/" + program + "/bin/" + program, kProgram, kProgram + 0x400000,
       "8b1f0a44c0de5511d2b6a1c37a3f9e0012345678", false},
      {"/usr/lib/x86_64-linux-gnu/libc.so.6", kLibc, kLibc + 0x1e0000,
       "93ac62b1e0b1a4d97c9de5a3f8d7b6e54a3c2b1d", false},
      {"/usr/lib/x86_64-linux-gnu/libssl.so.3", kLibc + 0x400000, kLibc + 0x500000, "", true},
  };
}

symbolize::Frame ReportScene::frame(const At& where) {
  symbolize::Frame frame;
  const bool libc = where.file.empty();
  frame.pc = (libc ? kLibc : kProgram) + 0x1000 + address_of(where);
  frame.sources = {{where.function, where.file, where.line}};
  frame.function_offset = 0x41;
  return frame;
}

std::uint32_t ReportScene::thread(std::uint32_t tid, std::string name) {
  Thread thread;
  thread.tid = tid;
  thread.name = std::move(name);
  thread.started_ns = kNow - 11'000 * kSecond;
  report.threads.push_back(std::move(thread));
  return static_cast<std::uint32_t>(report.threads.size() - 1);
}

std::uint32_t ReportScene::lock(std::string name, LockKind kind, Memory memory) {
  Lock lock;
  lock.address =
      (memory == Memory::kHeap ? 0x7f31c0024180 : kProgram + 0x3f0000) + 0x28 * report.locks.size();
  lock.kind = kind;
  lock.name = std::move(name);
  lock.memory = memory;
  if (memory == Memory::kGlobal) lock.module = 0;
  report.locks.push_back(std::move(lock));
  return static_cast<std::uint32_t>(report.locks.size() - 1);
}

void ReportScene::took(std::uint32_t thread, std::uint32_t lock, std::uint64_t ago, At where,
                       bool shared) {
  Hold hold;
  hold.lock = lock;
  hold.shared = shared;
  hold.since_ns = ago == 0 ? 0 : kNow - ago;
  hold.site = frame(where);
  report.threads[thread].holds.push_back(std::move(hold));
}

void ReportScene::waits(std::uint32_t thread, WaitKind kind, std::uint32_t lock, std::uint64_t ago,
                        At where) {
  Wait wait;
  wait.kind = kind;
  wait.lock = lock;
  wait.object = report.locks[lock].address;
  wait.since_ns = kNow - ago;
  wait.site = frame(where);
  ++report.locks[lock].contended;
  Thread& waiting = report.threads[thread];
  waiting.activity.kind = system::ActivityKind::kInWait;
  waiting.stack = report.stacks.keep(whole_stack(wait.site));
  waiting.wait = std::move(wait);
}

void ReportScene::signals(std::uint32_t thread, std::uint32_t object, SignalKind how,
                          std::uint64_t count, std::uint64_t ago, At where) {
  Signaller signaller;
  signaller.thread = thread;
  if (thread != kNobody) {
    signaller.tid = report.threads[thread].tid;
    signaller.name = report.threads[thread].name;
  }
  signaller.how = how;
  signaller.site = frame(where);
  signaller.count = count;
  signaller.last_ns = kNow - ago;
  report.locks[object].signallers.push_back(std::move(signaller));
}

void ReportScene::joins(std::uint32_t thread, std::uint32_t other, std::uint64_t ago, At where) {
  Wait wait;
  wait.kind = WaitKind::kJoin;
  wait.object = 0x7f31bb7fe6c0;
  wait.thread = other;
  wait.since_ns = kNow - ago;
  wait.site = frame(where);
  Thread& waiting = report.threads[thread];
  waiting.activity.kind = system::ActivityKind::kInWait;
  waiting.stack = report.stacks.keep(whole_stack(wait.site));
  waiting.wait = std::move(wait);
}

void ReportScene::sleeps(std::uint32_t thread, std::string call, std::string detail,
                         std::uint64_t ago) {
  Thread& sleeper = report.threads[thread];
  sleeper.activity.kind = system::ActivityKind::kInSystemCall;
  sleeper.activity.state = 'S';
  sleeper.activity.number = 45;
  sleeper.activity.call = call;
  sleeper.activity.detail = std::move(detail);
  sleeper.activity.since_ns = ago == 0 ? 0 : kNow - ago;
  symbolize::Frame inner = frame({call, "", 0});
  inner.returns_here = false;
  sleeper.stack = report.stacks.keep(whole_stack(inner));
}

void ReportScene::calls(std::uint32_t lock, BlockingCall call, Times times, std::uint64_t ago,
                        At where, At taken) {
  report.calls.push_back({lock, call, frame(where), frame(taken), times.count, times.sum_ns,
                          times.most_ns, kNow - ago});
}

void ReportScene::called_from(std::uint32_t thread, const std::vector<At>& callers) {
  stack(thread, [&](symbolize::Stack& stack) {
    for (const At& caller : callers) stack.frames.push_back(frame(caller));
  });
}

void ReportScene::stack(std::uint32_t thread, const std::function<void(symbolize::Stack&)>& edit) {
  edit_stack(report, thread, edit);
}

Link ReportScene::link(std::uint32_t waiter, std::uint32_t blocker) {
  Link link{waiter, blocker, kNobody, LinkReason::kHolder};
  const Wait& wait = *report.threads[waiter].wait;
  link.lock = wait.lock;
  if (wait.kind == WaitKind::kJoin) link.reason = LinkReason::kJoin;
  report.threads[waiter].involved = true;
  if (blocker != kNobody) report.threads[blocker].involved = true;
  return link;
}

void ReportScene::cycle(std::vector<std::uint32_t> threads) {
  for (std::size_t i = 0; i < threads.size(); ++i) {
    report.finding.cycle.push_back(link(threads[i], threads[(i + 1) % threads.size()]));
  }
  report.finding.root = threads[0];
  report.finding.root_lock = report.finding.cycle[0].lock;
}

void ReportScene::behind(std::uint32_t waiter, std::uint32_t blocker, LinkReason reason) {
  Link one = link(waiter, blocker);
  if (one.reason == LinkReason::kHolder) one.reason = reason;
  report.finding.crowd.push_back(one);
}

void ReportScene::root(std::uint32_t thread, std::uint32_t lock) {
  report.finding.root = thread;
  report.finding.root_lock = lock;
  if (thread != kNobody) report.threads[thread].involved = true;
}

}  // namespace impasse::report
