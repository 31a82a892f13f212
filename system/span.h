// Lengths of time as a reader likes them: "0.4ms", "250ms", "2.5s", "5m 12s", "3h 12m", "2d 3h".
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

namespace impasse::system {

// What is measured is as exact as its last digit ("2.0s", "1m 0s"); what somebody chose is said as
// chosen ("2s", "1m").
enum class Digits : std::uint8_t { kAsChosen, kAsMeasured };

// Cut off, not rounded up.
std::string span_text(std::uint64_t ns, Digits digits = Digits::kAsChosen);

// False for one that the kernel would refuse. What does not fit is "for ever": the largest number.
bool span_of(const timespec& time, std::uint64_t& ns);

}  // namespace impasse::system
