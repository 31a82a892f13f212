#include "report/ages.h"

#include <array>
#include <chrono>
#include <cstdio>

#include "system/span.h"

namespace impasse::report {
namespace {

constexpr std::uint64_t kMinute = 60'000'000'000;

// By the calendar's rules alone: libc's functions read the time zone, under a lock and with the
// program's malloc.
std::string formatted(std::uint64_t wall_ns, char between, const char* end) {
  using namespace std::chrono;
  const sys_time<nanoseconds> moment{nanoseconds(wall_ns)};
  const auto day = floor<days>(moment);
  const year_month_day date(day);
  const hh_mm_ss time(floor<milliseconds>(moment - day));
  std::array<char, 48> text{};
  std::snprintf(
      text.data(), text.size(), "%04d-%02u-%02u%c%02u:%02u:%02u.%03u%s",
      static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
      static_cast<unsigned>(date.day()), between, static_cast<unsigned>(time.hours().count()),
      static_cast<unsigned>(time.minutes().count()), static_cast<unsigned>(time.seconds().count()),
      static_cast<unsigned>(time.subseconds().count()), end);
  return text.data();
}

}  // namespace

std::string duration(std::uint64_t ns) {
  return system::span_text(ns, system::Digits::kAsMeasured);
}

std::string wall_time(std::uint64_t wall_ns) {
  return formatted(wall_ns, ' ', " UTC");
}
std::string iso_time(std::uint64_t wall_ns) {
  return formatted(wall_ns, 'T', "Z");
}

Ages::Ages(const Facts& facts)
    : now_ns_(facts.alive() ? facts.monotonic_ns : facts.snapshot.now_ns),
      tick_(facts.snapshot.tick),
      tick_ns_(facts.snapshot.tick_ns),
      last_turn_ns_(facts.snapshot.now_ns),
      alive_(facts.alive()) {}

std::optional<std::uint64_t> Ages::since(std::uint64_t monotonic_ns) const {
  if (monotonic_ns == 0) return std::nullopt;
  return now_ns_ > monotonic_ns ? now_ns_ - monotonic_ns : 0;
}

std::optional<std::uint64_t> Ages::since_tick(std::uint32_t tick) const {
  if (tick == 0 || tick_ == 0) return std::nullopt;
  // The stamp has the low half of the clock only; a stamp that is younger than the clock is of now.
  const auto passed = static_cast<std::int32_t>(static_cast<std::uint32_t>(tick_) - tick);
  return passed > 0 ? static_cast<std::uint64_t>(passed) * tick_ns_ : 0;
}

std::optional<std::uint64_t> Ages::standstill() const {
  if (!alive_ || tick_ == 0 || now_ns_ < last_turn_ns_ + kStandstillNs) return std::nullopt;
  return now_ns_ - last_turn_ns_;
}

std::string about(std::uint64_t stamped_ns) {
  if (stamped_ns <= kStampStepNs) return "less than " + duration(2 * kStampStepNs);
  if (stamped_ns >= kMinute) return duration(stamped_ns);
  return "about " + duration(stamped_ns / kStampStepNs * kStampStepNs);
}

std::string for_about(std::optional<std::uint64_t> stamped_ns) {
  return stamped_ns ? ", for " + about(*stamped_ns) : "";
}

}  // namespace impasse::report
