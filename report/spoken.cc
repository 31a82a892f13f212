#include "report/spoken.h"

#include <array>

#include "report/ink.h"
#include "report/words.h"

namespace impasse::report {
namespace {

constexpr std::size_t kLongestFile = 60;

}  // namespace

std::string_view wish(WaitKind kind) {
  switch (kind) {
    case WaitKind::kRead:
      return "wants to read";
    case WaitKind::kWrite:
      return "wants to write";
    case WaitKind::kJoin:
      return "waits for the end of";
    case WaitKind::kCondition:
      return "waits on";
    case WaitKind::kSemaphore:
      return "waits for";
    case WaitKind::kBarrier:
      return "waits at";
    case WaitKind::kOnce:
      return "waits for the initializer of";
    default:
      return "wants";
  }
}

std::string_view wait_function(WaitKind kind) {
  switch (kind) {
    case WaitKind::kMutex:
      return "pthread_mutex_lock";
    case WaitKind::kRead:
      return "pthread_rwlock_rdlock";
    case WaitKind::kWrite:
      return "pthread_rwlock_wrlock";
    case WaitKind::kSpin:
      return "pthread_spin_lock";
    case WaitKind::kCondition:
      return "pthread_cond_wait";
    case WaitKind::kJoin:
      return "pthread_join";
    case WaitKind::kSemaphore:
      return "sem_wait";
    case WaitKind::kBarrier:
      return "pthread_barrier_wait";
    case WaitKind::kOnce:
      return "pthread_once";
    case WaitKind::kNone:
      break;
  }
  return "waiting";
}

std::string spoken_duration(std::uint64_t ns) {
  struct Unit {
    std::uint64_t ns;
    const char* one;
    const char* many;
  };
  static constexpr std::array<Unit, 4> kUnits = {{{86'400'000'000'000, "day", "days"},
                                                  {3'600'000'000'000, "hour", "hours"},
                                                  {60'000'000'000, "minute", "minutes"},
                                                  {1'000'000'000, "second", "seconds"}}};
  for (const Unit& unit : kUnits) {
    if (ns >= unit.ns) return counted(ns / unit.ns, unit.one, unit.many);
  }
  return std::to_string(ns / 1'000'000) + " ms";
}

std::string spoken_number(std::uint64_t number) {
  constexpr std::array<const char*, 13> kNumbers = {"No",   "One",    "Two",   "Three", "Four",
                                                    "Five", "Six",    "Seven", "Eight", "Nine",
                                                    "Ten",  "Eleven", "Twelve"};
  return number < kNumbers.size() ? kNumbers[number] : with_commas(number);
}

std::string with_commas(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

std::string counted(std::uint64_t number, std::string_view one, std::string_view many) {
  return with_commas(number) + " " + std::string(number == 1 ? one : many);
}

std::string file_name(std::string_view path) {
  const std::size_t slash = path.rfind('/');
  if (slash != std::string_view::npos && slash + 1 < path.size()) path.remove_prefix(slash + 1);
  return cut(printable(path.substr(0, 4096)), kLongestFile);
}

std::string capital(std::string text) {
  if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') {
    text[0] = static_cast<char>(text[0] - 'a' + 'A');
  }
  return text;
}

}  // namespace impasse::report
