// A lock that a signal handler waits for, and its own thread holds: taken by what the handler has
// interrupted, or by the handler itself.
#include <gtest/gtest.h>

#include "report/report_text.h"
#include "report_scene.h"

namespace impasse::report {
namespace {

constexpr std::uint32_t kInHandler = 1;
constexpr std::uint32_t kInterrupted = 3;

// on_usr1() waits, called by handler(), which came to sweep(). `taken_in`: the frame.
std::string text_of(std::uint32_t taken_in) {
  ReportScene scene(FindingKind::kSelfDeadlock);
  const auto sweeper = scene.thread(91, "sweeper");
  const auto lock = scene.lock("queue_lock", LockKind::kMutex);
  scene.took(sweeper, lock, 2 * kSecond, {"take", "queue.c", 30});
  scene.waits(sweeper, WaitKind::kMutex, lock, kSecond, {"on_usr1", "queue.c", 77});
  scene[sweeper].wait->in_signal_handler = true;
  scene[sweeper].holds.front().frame = taken_in;
  symbolize::Frame delivered = scene.frame({"__restore_rt", "", 0});
  delivered.signal = true;
  const symbolize::Frame handler = scene.frame({"handler", "queue.c", 80});
  const symbolize::Frame interrupted = scene.frame({"sweep", "queue.c", 33});
  scene.stack(sweeper, [&](symbolize::Stack& stack) {
    stack.frames.resize(1);
    stack.frames.insert(stack.frames.end(), {handler, delivered, interrupted});
  });
  scene.cycle({sweeper});
  return report_text(scene.report, {});
}

bool says(const std::string& text, const char* words) {
  return text.find(words) != std::string::npos;
}

TEST(HandlerWords, WhatWasInterruptedHoldsIt) {
  for (const std::uint32_t frame : {kInterrupted, kNobody}) {
    const std::string text = text_of(frame);
    EXPECT_TRUE(says(text, "a signal handler asks for")) << text;
    EXPECT_TRUE(says(text, "no locks in signal handlers")) << text;
  }
}

TEST(HandlerWords, TheHandlerItselfHoldsIt) {
  const std::string text = text_of(kInHandler);
  EXPECT_FALSE(says(text, "interrupted holds")) << text;
  EXPECT_TRUE(says(text, "which it holds already")) << text;
  EXPECT_TRUE(says(text, "in a signal handler")) << text;
}

}  // namespace
}  // namespace impasse::report
