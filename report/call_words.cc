#include "report/call_words.h"

#include <algorithm>

#include "report/ages.h"
#include "report/ink.h"
#include "report/words.h"

namespace impasse::report {
namespace {

constexpr std::size_t kWorstShown = 5;
constexpr std::uint64_t kWorthSayingNs = 10'000'000;

std::string times(std::uint64_t count) {
  return count == 1 ? "once" : counted(count, "time", "times");
}

// Calls may be too short for duration()'s last digit.
std::string span(std::uint64_t ns) {
  constexpr std::uint64_t kShortest = 100'000;
  return ns < kShortest ? "less than 0.1ms" : duration(ns);
}

// "1,204 times, 9.8s in all, 3.1s at most"
std::string figures(std::uint64_t count, std::uint64_t sum_ns, std::uint64_t most_ns) {
  if (count == 1) return "once, for " + span(sum_ns);
  const std::string all = times(count) + ", " + span(sum_ns) + " in all";
  return span(sum_ns) == span(most_ns) ? all : all + ", " + span(most_ns) + " at most";
}

std::string line(const Phrases& say, const CallTally& call) {
  std::string text = std::string(word_of(call.call)) + " at " + say.call_place(call.site);
  if (call.held_site.pc != 0) text += " (taken at " + say.call_place(call.held_site) + ")";
  text += ": " + figures(call.count, call.sum_ns, call.most_ns);
  if (const auto ago = say.age(call.last_ns))
    text += (call.count == 1 ? ", ended " : ", last ended ") + duration(*ago) + " ago";
  return text;
}

bool same_places(const CallFact& a, const CallFact& b) {
  return a.call == b.call && a.site == b.site && a.held_site == b.held_site;
}

}  // namespace

std::vector<std::string> call_lines(const Phrases& say) {
  std::vector<std::string> lines;
  std::uint32_t lock = kNobody;
  for (const CallTally& call : say.report().calls) {
    if (lines.empty() || call.lock != lock) {
      lock = call.lock;
      lines.push_back("Made while " + say.lock(lock) + " was held, and ended:");
    }
    lines.push_back("  " + line(say, call));
  }
  return lines;
}

std::string worst_calls(std::span<const CallFact> calls, const symbolize::Modules& modules) {
  std::vector<CallFact> worst;
  for (const CallFact& call : calls) {
    const auto known = std::find_if(worst.begin(), worst.end(), [&call](const CallFact& other) {
      return same_places(call, other);
    });
    if (known == worst.end()) {
      worst.push_back(call);
      continue;
    }
    known->count += call.count;
    known->sum_ns += call.sum_ns;
    known->most_ns = std::max(known->most_ns, call.most_ns);
  }
  const std::size_t shown = std::min(worst.size(), kWorstShown);
  std::partial_sort(worst.begin(), worst.begin() + static_cast<std::ptrdiff_t>(shown), worst.end(),
                    [](const CallFact& a, const CallFact& b) { return a.sum_ns > b.sum_ns; });
  std::string text;
  for (std::size_t i = 0; i < shown; ++i) {
    const CallFact& call = worst[i];
    if (call.sum_ns < kWorthSayingNs) break;
    // Both are return addresses: the byte before belongs to the call.
    text += "impasse: " + std::string(word_of(call.call)) + " at " + site(call.site - 1, modules) +
            " under a lock (taken at " + site(call.held_site - 1, modules) +
            "): " + figures(call.count, call.sum_ns, call.most_ns) + '\n';
  }
  return text;
}

}  // namespace impasse::report
