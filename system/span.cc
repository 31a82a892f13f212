#include "system/span.h"

#include <limits>

namespace impasse::system {
namespace {

constexpr std::uint64_t kMillisecond = 1'000'000;
constexpr std::uint64_t kSecond = 1'000 * kMillisecond;
constexpr std::uint64_t kMinute = 60 * kSecond;
constexpr std::uint64_t kHour = 60 * kMinute;
constexpr std::uint64_t kDay = 24 * kHour;

std::string tenths(std::uint64_t ns, std::uint64_t unit, const char* suffix, Digits digits) {
  std::string text = std::to_string(ns / unit);
  const std::uint64_t tenth = ns % unit * 10 / unit;
  if (tenth != 0 || digits == Digits::kAsMeasured) text += "." + std::to_string(tenth);
  return text + suffix;
}

struct Unit {
  std::uint64_t ns;
  const char* suffix;
};

std::string two(std::uint64_t ns, Unit unit, Unit below, Digits digits) {
  std::string text = std::to_string(ns / unit.ns) + unit.suffix;
  const std::uint64_t rest = ns % unit.ns / below.ns;
  if (rest != 0 || digits == Digits::kAsMeasured) text += " " + std::to_string(rest) + below.suffix;
  return text;
}

}  // namespace

std::string span_text(std::uint64_t ns, Digits digits) {
  if (ns < kMillisecond) return tenths(ns, kMillisecond, "ms", digits);
  if (ns < kSecond) return std::to_string(ns / kMillisecond) + "ms";
  if (ns < kMinute) return tenths(ns, kSecond, "s", digits);
  if (ns < kHour) return two(ns, {kMinute, "m"}, {kSecond, "s"}, digits);
  if (ns < kDay) return two(ns, {kHour, "h"}, {kMinute, "m"}, digits);
  return two(ns, {kDay, "d"}, {kHour, "h"}, digits);
}

bool span_of(const timespec& time, std::uint64_t& ns) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  if (time.tv_sec < 0 || time.tv_nsec < 0 || time.tv_nsec >= 1'000'000'000) return false;
  const auto seconds = static_cast<std::uint64_t>(time.tv_sec);
  ns = seconds >= kMost / kSecond ? kMost
                                  : seconds * kSecond + static_cast<std::uint64_t>(time.tv_nsec);
  return true;
}

}  // namespace impasse::system
