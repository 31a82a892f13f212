#include "report/words.h"

#include <array>
#include <cstdio>

namespace impasse::report {

std::string_view lock_word(LockKind kind) {
  switch (kind) {
    case LockKind::kMutex:
      return "mutex";
    case LockKind::kRwlock:
      return "rwlock";
    case LockKind::kSpin:
      return "spinlock";
    case LockKind::kOnce:
      return "once";
    case LockKind::kCondition:
      return "condition";
    case LockKind::kSemaphore:
      return "semaphore";
    case LockKind::kBarrier:
      return "barrier";
  }
  return "lock";
}

std::string_view mode_word(const HoldFact& hold) {
  return hold.shared ? "shared" : "exclusive";
}

std::string_view phase_word(std::uint8_t phase) {
  switch (phase) {
    case hold_phase::kHeld:
      return "held";
    case hold_phase::kAcquiring:
      return "acquiring";
    case hold_phase::kGivenBack:
      return "given_back";
    default:
      return "unknown";
  }
}

std::string_view wait_word(WaitKind kind) {
  switch (kind) {
    case WaitKind::kNone:
      return "none";
    case WaitKind::kMutex:
      return "mutex";
    case WaitKind::kRead:
      return "read";
    case WaitKind::kWrite:
      return "write";
    case WaitKind::kSpin:
      return "spin";
    case WaitKind::kCondition:
      return "condition";
    case WaitKind::kJoin:
      return "join";
    case WaitKind::kSemaphore:
      return "semaphore";
    case WaitKind::kBarrier:
      return "barrier";
    case WaitKind::kOnce:
      return "once";
  }
  return "unknown";
}

std::string_view life_word(ThreadLife life) {
  switch (life) {
    case ThreadLife::kFree:
      return "free";
    case ThreadLife::kStarting:
      return "starting";
    case ThreadLife::kLive:
      return "live";
    case ThreadLife::kLeaving:
      return "leaving";
  }
  return "unknown";
}

std::string_view departure_word(DepartureReason reason) {
  switch (reason) {
    case DepartureReason::kNone:
      return "unknown";
    case DepartureReason::kThreadEnded:
      return "thread_ended";
    case DepartureReason::kForked:
      return "forked";
  }
  return "unknown";
}

std::string_view state_word(char letter) {
  switch (letter) {
    case 'R':
      return "running";
    case 'S':
      return "sleeping";
    case 'D':
      return "in uninterruptible sleep";
    case 'T':
      return "stopped";
    case 't':
      return "stopped by a debugger";
    case 'Z':
    case 'X':
      return "ended";
    case 'I':
      return "idle";
    default:
      return "state unknown";
  }
}

bool waits_for_lock(WaitKind kind) {
  return kind == WaitKind::kMutex || kind == WaitKind::kRead || kind == WaitKind::kWrite ||
         kind == WaitKind::kSpin || kind == WaitKind::kOnce;
}

std::string hex(std::uint64_t value) {
  std::array<char, 24> text{};
  std::snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
  return text.data();
}

std::string site(std::uint64_t address, const symbolize::Modules& modules) {
  if (address == 0) return "an unknown place";
  const auto place = modules.find(address);
  if (!place) return hex(address);
  return printable(place->module->name()) + "+" + hex(place->offset);
}

std::size_t utf8_length(std::string_view bytes) {
  if (bytes.empty()) return 0;
  const auto at = [&bytes](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char lead = at(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || bytes.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  // Longer than needed, a half of a surrogate pair, beyond Unicode's end.
  const bool wrong = (lead == 0xe0 && at(1) < 0xa0) || (lead == 0xed && at(1) > 0x9f) ||
                     (lead == 0xf0 && at(1) < 0x90) || (lead == 0xf4 && at(1) > 0x8f);
  return wrong ? 0 : length;
}

std::string printable(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    std::size_t length = utf8_length(bytes);
    const auto first = static_cast<unsigned char>(bytes[0]);
    // U+0080 … U+009F are control characters too.
    const bool control =
        first < 0x20 || first == 0x7f ||
        (first == 0xc2 && length == 2 && static_cast<unsigned char>(bytes[1]) < 0xa0);
    if (length == 0 || control) {
      std::array<char, 8> escaped{};
      std::snprintf(escaped.data(), escaped.size(), "\\x%02x", first);
      text += escaped.data();
      length = 1;
    } else {
      text += bytes.substr(0, length);
    }
    bytes.remove_prefix(length);
  }
  return text;
}

}  // namespace impasse::report
