// The words of a report: one for each kind, mode and state, the same in every form of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "detector/snapshot.h"
#include "symbolize/modules.h"

namespace impasse::report {

std::string_view lock_word(LockKind kind);                // "mutex", "rwlock", "spinlock"
std::string_view mode_word(const HoldFact& hold);         // "exclusive", "shared"
std::string_view phase_word(std::uint8_t phase);          // "held", "acquiring", "given_back"
std::string_view wait_word(WaitKind kind);                // "mutex", "read", "write", …
std::string_view life_word(ThreadLife life);              // "starting", "live", "leaving"
std::string_view departure_word(DepartureReason reason);  // "thread_ended", "forked"
std::string_view state_word(char letter);  // "running", "sleeping", … of the system's letter
bool waits_for_lock(WaitKind kind);        // not for a condition, not for a thread

std::string hex(std::uint64_t value);  // "0x7f31c00241a8"
std::string site(std::uint64_t address,
                 const symbolize::Modules& modules);  // "prog+0x1234", or the bare address
// Bytes from outside as they may be shown on a terminal: control characters and broken UTF-8 as
// "\xNN".
std::string printable(std::string_view bytes);
// Length of the valid UTF-8 sequence at the front; 0: there is none.
std::size_t utf8_length(std::string_view bytes);

}  // namespace impasse::report
