// Lengths of time as a reader likes them: "0.4ms", "250ms", "2.5s", "5m 12s", "3h 12m", "2d 3h".
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

namespace impasse::system {

// Cut off, not rounded up; a whole number of seconds has no tenths ("2s").
std::string span_text(std::uint64_t ns);

// False for one that the kernel would refuse. What does not fit is "for ever": the largest number.
bool span_of(const timespec& time, std::uint64_t& ns);

}  // namespace impasse::system
