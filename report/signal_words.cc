#include "report/signal_words.h"

#include <algorithm>

#include "report/ages.h"
#include "report/ink.h"
#include "report/words.h"

namespace impasse::report {
namespace {

constexpr std::size_t kLongestName = 40;

// "41 times, last about 3.2s ago"; "once, about 3.2s ago"
std::string times_and_age(const Phrases& say, std::uint64_t count, const Signaller& newest) {
  const std::string age = signal_age(say, newest);
  if (age.empty()) return spoken_times(count);
  return spoken_times(count) + (count > 1 ? ", last " : ", ") + age;
}

}  // namespace

std::string_view signal_verb(SignalKind how) {
  switch (how) {
    case SignalKind::kBroadcast:
      return "broadcast";
    case SignalKind::kPost:
      return "posted";
    case SignalKind::kSignal:
      break;
  }
  return "signalled";
}

std::string_view signal_verb(LockKind object) {
  return object == LockKind::kSemaphore ? "posted" : "signalled";
}

std::string signaller_name(const Phrases& say, const Signaller& signaller) {
  if (say.thread_at(signaller.thread) != nullptr) return say.who(signaller.thread);
  std::string text = std::to_string(signaller.tid);
  if (!signaller.name.empty()) text += " \"" + cut(printable(signaller.name), kLongestName) + "\"";
  return text + " (ended)";
}

std::string spoken_times(std::uint64_t count) {
  return count == 1 ? "once" : counted(count, "time", "times");
}

std::string signal_age(const Phrases& say, const Signaller& signaller) {
  const auto passed = say.age(signaller.last_ns);
  return passed ? about(*passed) + " ago" : "";
}

std::vector<SignalPlace> signal_places(const Phrases& say, std::uint32_t index) {
  std::vector<SignalPlace> places;
  const Lock* const lock = say.lock_at(index);
  if (lock == nullptr) return places;
  for (const Signaller& one : lock->signallers) {
    std::string place = say.call_place(one.site);
    auto known = std::find_if(places.begin(), places.end(),
                              [&place](const SignalPlace& p) { return p.place == place; });
    if (known == places.end()) {
      known = places.insert(places.end(), SignalPlace{std::move(place), &one, 0, {}});
    }
    known->count += one.count;
    if (one.last_ns > known->newest->last_ns) known->newest = &one;
    if (std::find(known->tids.begin(), known->tids.end(), one.tid) == known->tids.end()) {
      known->tids.push_back(one.tid);
    }
  }
  std::stable_sort(places.begin(), places.end(), [](const SignalPlace& a, const SignalPlace& b) {
    return a.newest->last_ns > b.newest->last_ns;
  });
  return places;
}

std::string signal_place_words(const Phrases& say, const SignalPlace& place,
                               const std::string& several) {
  const std::string newest = signaller_name(say, *place.newest);
  const std::string times = times_and_age(say, place.count, *place.newest);
  if (place.tids.size() == 1) return "by " + newest + " at " + place.place + ", " + times;
  const std::string by =
      several.empty() ? counted(place.tids.size(), "thread", "threads") : several;
  return "by " + by + " at " + place.place + ", " + times + " by " + newest;
}

std::string last_signal(const Phrases& say, std::uint32_t index) {
  const Lock* const lock = say.lock_at(index);
  if (lock == nullptr || lock->signallers.empty()) return "";
  const auto newest = std::max_element(
      lock->signallers.begin(), lock->signallers.end(),
      [](const Signaller& a, const Signaller& b) { return a.last_ns < b.last_ns; });
  const std::string age = signal_age(say, *newest);
  std::uint64_t count = 0;
  for (const Signaller& one : lock->signallers) count += one.count;
  return "last " + std::string(signal_verb(newest->how)) + (age.empty() ? "" : " " + age) + " by " +
         signaller_name(say, *newest) + " at " + say.call_place(newest->site) + ", " +
         spoken_times(count) + (lock->signallers.size() > 1 ? " in all" : "");
}

}  // namespace impasse::report
