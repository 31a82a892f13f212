#include "report/phrases.h"

#include <algorithm>

#include "report/ages.h"
#include "report/function_name.h"
#include "report/ink.h"
#include "report/words.h"

namespace impasse::report {
namespace {

constexpr std::size_t kLongestThreadName = 40;
constexpr std::size_t kLongestLockName = 80;
constexpr std::size_t kLongestDetail = 300;
constexpr std::size_t kFramesOutwards = 12;  // that a wrapper of the C++ library is deep

}  // namespace

Phrases::Phrases(const Report& report) : report_(report) {
  for (const Module& module : report.modules) modules_.push_back(&module);
  std::stable_sort(modules_.begin(), modules_.end(),
                   [](const Module* a, const Module* b) { return a->base < b->base; });
}

const Thread* Phrases::thread_at(std::uint32_t index) const {
  return index < report_.threads.size() ? &report_.threads[index] : nullptr;
}

const Lock* Phrases::lock_at(std::uint32_t index) const {
  return index < report_.locks.size() ? &report_.locks[index] : nullptr;
}

const Module* Phrases::module_of(std::uint64_t address) const {
  auto next = std::upper_bound(
      modules_.begin(), modules_.end(), address,
      [](std::uint64_t wanted, const Module* module) { return wanted < module->base; });
  if (next == modules_.begin() || (*--next)->end <= address) return nullptr;
  return *next;
}

// ---- who and what

std::string Phrases::who(std::uint32_t index) const {
  const Thread* const thread = thread_at(index);
  if (thread == nullptr) return "(a thread that is not known)";
  std::string text = thread->tid == 0 ? "(not yet numbered)" : std::to_string(thread->tid);
  if (thread->name.empty()) return text;
  return text + " \"" + cut(printable(thread->name), kLongestThreadName) + "\"";
}

std::string Phrases::thread(std::uint32_t index) const {
  return thread_at(index) == nullptr ? "a thread that is not known" : "thread " + who(index);
}

std::string Phrases::lock(std::uint32_t index) const {
  const Lock* const lock = lock_at(index);
  if (lock == nullptr) return "a lock that is not known";
  if (!lock->name.empty()) return cut(printable(lock->name), kLongestLockName);
  return std::string(lock_word(lock->kind)) + " " + hex(lock->address);
}

std::string Phrases::lock_in_full(std::uint32_t index) const {
  const Lock* const lock = lock_at(index);
  if (lock == nullptr || lock->name.empty()) return this->lock(index);
  return this->lock(index) + " (" + std::string(lock_word(lock->kind)) + " " + hex(lock->address) +
         ")";
}

std::string Phrases::lock_of_kind(std::uint32_t index) const {
  const Lock* const lock = lock_at(index);
  if (lock == nullptr || lock->name.empty()) return this->lock(index);
  return std::string(lock_word(lock->kind)) + " " + this->lock(index);
}

std::string Phrases::awaited(const Wait& wait) const {
  if (lock_at(wait.lock) != nullptr || is_held(lock_kind(wait.kind))) return lock(wait.lock);
  return std::string(lock_word(lock_kind(wait.kind))) + " " + hex(wait.object);
}

std::string Phrases::awaited_of_kind(const Wait& wait) const {
  return lock_at(wait.lock) == nullptr ? awaited(wait) : lock_of_kind(wait.lock);
}

std::string Phrases::awaited_in_full(const Wait& wait) const {
  return lock_at(wait.lock) == nullptr ? awaited(wait) : lock_in_full(wait.lock);
}

// ---- where

std::string Phrases::place_of_source(const symbolize::Source& source) const {
  std::string text = source.function.empty() ? "" : short_function(source.function);
  if (source.file.empty()) return text;
  if (!text.empty()) text += " ";
  text += file_name(source.file);
  if (source.line != 0) text += ":" + std::to_string(source.line);
  return text;
}

std::string Phrases::module_place(std::uint64_t pc) const {
  const Module* const module = module_of(pc);
  if (module == nullptr) return hex(pc);
  return file_name(module->path) + " +" + hex(pc - module->base);
}

std::string Phrases::place(const symbolize::Frame& frame) const {
  for (const symbolize::Source& source : frame.sources) {
    std::string text = place_of_source(source);
    if (!text.empty()) return text;
  }
  if (frame.pc == 0) return "an unknown place";
  const Module* const module = module_of(frame.pc);
  if (module == nullptr) return hex(frame.pc);
  return file_name(module->path) + "+" + hex(frame.pc - module->base);
}

std::string Phrases::caller_name(const symbolize::Frame& frame) const {
  for (const symbolize::Source& source : frame.sources) {
    if (!source.function.empty()) return short_function(source.function);
  }
  return place(frame);
}

std::optional<std::string> Phrases::outside_library(const symbolize::Frame& frame) const {
  for (const symbolize::Source& source : frame.sources) {
    if (source.function.empty() || is_library_wrapper(source.function, source.file)) continue;
    return place_of_source(source);
  }
  return std::nullopt;
}

// From the frame of this number outwards; `site` is the call itself.
std::string Phrases::place_outwards(const Thread& thread, std::size_t frame,
                                    const symbolize::Frame& site) const {
  if (site.sources.empty()) return place(site);
  if (auto found = outside_library(site)) return *found;
  const auto& frames = report_.stack_of(thread).frames;
  for (std::size_t i = frame; i < frames.size() && i < frame + kFramesOutwards; ++i) {
    if (frames[i].sources.empty()) break;
    if (auto found = outside_library(frames[i])) return *found;
  }
  return place(site);
}

std::string Phrases::wait_place(const Thread& thread) const {
  return thread.wait ? call_place(thread, thread.wait->site) : stack_place(thread);
}

std::string Phrases::call_place(const Thread& thread, const symbolize::Frame& site) const {
  const auto& frames = report_.stack_of(thread).frames;
  const auto at = std::find_if(frames.begin(), frames.end(), [&site](const symbolize::Frame& f) {
    return f.pc == site.pc && site.pc != 0;
  });
  return place_outwards(thread, static_cast<std::size_t>(at - frames.begin()), site);
}

std::string Phrases::hold_place(const Thread& thread, const Hold& hold) const {
  const std::size_t all = report_.stack_of(thread).frames.size();
  return place_outwards(thread, hold.frame == kNobody ? all : hold.frame, hold.site);
}

std::string Phrases::call_place(const symbolize::Frame& site) const {
  return outside_library(site).value_or(place(site));
}

std::string Phrases::call_site(const symbolize::Frame& site) const {
  std::string place = call_place(site);
  const bool lines = !site.sources.empty() && site.sources.front().line != 0;
  const std::string module = module_place(site.pc);
  if (!lines && place != module) place += " " + module;
  return place;
}

std::string Phrases::stack_place(const Thread& thread) const {
  const auto& frames = report_.stack_of(thread).frames;
  for (const symbolize::Frame& frame : frames) {
    if (auto found = outside_library(frame)) return *found;
  }
  return frames.empty() ? "an unknown place" : place(frames.front());
}

// ---- for how long

std::optional<std::uint64_t> Phrases::age(std::uint64_t since_ns) const {
  if (since_ns == 0) return std::nullopt;
  const std::uint64_t now = report_.moment.monotonic_ns;
  return now > since_ns ? now - since_ns : 0;
}

std::string Phrases::wait_age(const Wait& wait) const {
  const auto passed = age(wait.since_ns);
  if (!passed) return "";
  return wait.since_about ? about(*passed) : duration(*passed);
}

std::string Phrases::hold_age(const Hold& hold) const {
  const auto passed = age(hold.since_ns);
  return passed ? about(*passed) : "";
}

// ---- holds and activities

const Hold* Phrases::hold_of(std::uint32_t index, std::uint32_t lock) const {
  const Thread* const thread = thread_at(index);
  if (thread == nullptr || lock == kNobody) return nullptr;
  const auto held = std::find_if(thread->holds.begin(), thread->holds.end(), [lock](const Hold& h) {
    return h.lock == lock && h.phase == hold_phase::kHeld;
  });
  return held == thread->holds.end() ? nullptr : &*held;
}

std::string Phrases::mode(const Hold& hold, std::uint32_t index) const {
  const Lock* const lock = lock_at(index);
  const bool rwlock = lock != nullptr && lock->kind == LockKind::kRwlock;
  std::string text = !rwlock ? "" : hold.shared ? "shared" : "exclusive";
  if (hold.levels > 1) {
    text += (text.empty() ? "" : ", ") + std::to_string(hold.levels) + " levels";
  }
  return text;
}

std::string Phrases::doing_in_wait(const Wait& wait) const {
  std::string text;
  switch (wait.kind) {
    case WaitKind::kMutex:
    case WaitKind::kSpin:
      text = "waiting for " + lock(wait.lock);
      break;
    case WaitKind::kRead:
      text = "waiting to read " + lock(wait.lock);
      break;
    case WaitKind::kWrite:
      text = "waiting to write " + lock(wait.lock);
      break;
    case WaitKind::kCondition:
      text = "waiting on " + awaited_of_kind(wait);
      if (wait.mutex != kNobody) text += ", having given back " + lock(wait.mutex);
      break;
    case WaitKind::kSemaphore:
      text = "waiting for " + awaited_of_kind(wait);
      break;
    case WaitKind::kBarrier:
      text = "waiting at " + awaited_of_kind(wait);
      break;
    case WaitKind::kOnce:
      text = "waiting for another thread to end the initializer of " + awaited(wait);
      break;
    case WaitKind::kJoin:
      text = "waiting for the end of " +
             (wait.thread == kNobody ? "a thread that is not known" : thread(wait.thread));
      break;
    case WaitKind::kNone:
      return "waiting";
  }
  return wait.timed ? text + ", with a time limit" : text;
}

std::string Phrases::doing(const Thread& thread) const {
  const std::string text = doing_what(thread);
  if (thread.wait) {
    const std::string passed = wait_age(*thread.wait);
    return passed.empty() ? text : text + ", for " + passed;
  }
  const auto passed = age(thread.activity.since_ns);
  return passed ? text + ", for at least " + duration(*passed) : text;
}

std::string Phrases::doing_what(const Thread& thread) const {
  const system::Activity& now = thread.activity;
  if (thread.wait) return doing_in_wait(*thread.wait);
  std::string text;
  switch (now.kind) {
    case system::ActivityKind::kInWait:
      text = "waiting";
      break;
    case system::ActivityKind::kInSystemCall:
      text = "in " + cut(printable(now.call), kLongestDetail) + "()";
      if (!now.detail.empty()) {
        text += now.detail.starts_with("fd ") ? " on " : ", ";
        text += cut(printable(now.detail), kLongestDetail);
      }
      break;
    case system::ActivityKind::kInKernel:
      text = "asleep in the kernel";
      if (!now.kernel_function.empty()) text += ", in " + printable(now.kernel_function);
      break;
    case system::ActivityKind::kRunning:
      return "running";
    case system::ActivityKind::kStopped:
      return now.state == 't' ? "stopped by a debugger" : "stopped by a signal";
    case system::ActivityKind::kGone:
      return "gone";
    case system::ActivityKind::kLeftBehind:
      return "gone: it did not come along into this forked process";
    case system::ActivityKind::kStarting:
      return "being created";
    case system::ActivityKind::kUnknown:
      return now.trouble.empty() ? "in a state that is not known"
                                 : "in a state that is not known (" + printable(now.trouble) + ")";
  }
  return now.uninterruptible ? text + ", where no signal reaches it" : text;
}

}  // namespace impasse::report
