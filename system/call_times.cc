#include "system/call_times.h"

#include <sys/time.h>

#include "system/span.h"

namespace impasse::system {
namespace {

constexpr const char* kNoLimit = "no time limit";
constexpr const char* kUnreadable = "an unreadable time limit";

bool span_at(const Memory& memory, std::uint64_t where, std::uint64_t& ns) {
  timespec time{};
  return memory.read_all(where, &time, sizeof time) && span_of(time, ns);
}

std::string limit_words(std::uint64_t ns) {
  return "time limit " + span_text(ns);
}

}  // namespace

std::string limit_of_timespec(const Memory& memory, std::uint64_t where) {
  if (where == 0) return kNoLimit;
  std::uint64_t ns = 0;
  return span_at(memory, where, ns) ? limit_words(ns) : kUnreadable;
}

std::string limit_of_timeval(const Memory& memory, std::uint64_t where) {
  if (where == 0) return kNoLimit;
  timeval time{};
  std::uint64_t ns = 0;
  constexpr long kMillion = 1'000'000;
  // More than a second of microseconds is all right for the kernel.
  if (!memory.read_all(where, &time, sizeof time) || time.tv_usec < 0 ||
      !span_of({time.tv_sec, time.tv_usec % kMillion * 1'000}, ns)) {
    return kUnreadable;
  }
  ns += static_cast<std::uint64_t>(time.tv_usec / kMillion) * 1'000'000'000;
  return limit_words(ns);
}

std::string limit_of_milliseconds(int ms) {
  return ms < 0 ? kNoLimit : limit_words(static_cast<std::uint64_t>(ms) * 1'000'000);
}

std::string time_left(const Memory& memory, std::uint64_t where, clockid_t by) {
  if (where == 0) return kNoLimit;
  timespec now{};
  std::uint64_t end_ns = 0;
  std::uint64_t now_ns = 0;
  if (!span_at(memory, where, end_ns) || clock_gettime(by, &now) != 0 || !span_of(now, now_ns)) {
    return kUnreadable;
  }
  return end_ns > now_ns ? span_text(end_ns - now_ns) + " left" : "its time is up";
}

std::string time_asked_for(const Memory& memory, std::uint64_t where) {
  std::uint64_t ns = 0;
  return (span_at(memory, where, ns) ? span_text(ns) : "an unreadable time") + " asked for";
}

}  // namespace impasse::system
