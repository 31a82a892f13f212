// Who woke those that wait for a condition or a semaphore: the parts of sentences about it.
//
// Promises: whatever indices a report has, an answer comes back; everything from outside is
// printable.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "report/phrases.h"

namespace impasse::report {

// A finding about a group of threads that only each other could wake.
constexpr bool is_stuck_group(FindingKind kind) {
  return kind == FindingKind::kStuckCondition || kind == FindingKind::kAllAsleep;
}

std::string_view signal_verb(SignalKind how);   // "signalled", "broadcast", "posted"
std::string_view signal_verb(LockKind object);  // "signalled", "posted"
std::string signaller_name(const Phrases& say, const Signaller& signaller);  // `812 "feeder"`
std::string spoken_times(std::uint64_t count);                               // "once", "41 times"
std::string signal_age(const Phrases& say, const Signaller& signaller);      // "about 3.2s ago"

// All that was signalled at one place of the program, by whichever threads.
struct SignalPlace {
  std::string place;
  const Signaller* newest = nullptr;
  std::uint64_t count = 0;
  std::vector<std::uint32_t> tids;  // different ones
};
// The newest first.
std::vector<SignalPlace> signal_places(const Phrases& say, std::uint32_t lock);
// "by 812 "feeder" at Queue::put queue.cc:77, 41 times, last about 3.2s ago"
// `several`: what more than one of them are called.
std::string signal_place_words(const Phrases& say, const SignalPlace& place,
                               const std::string& several = "");

// "last signalled about 3.2s ago by 812 "feeder" at Queue::put queue.cc:77, 41 times"; empty:
// nobody did, as far as is known.
std::string last_signal(const Phrases& say, std::uint32_t lock);

}  // namespace impasse::report
