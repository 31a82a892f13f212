#include "report/call_words.h"

#include <algorithm>
#include <tuple>
#include <utility>

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

auto places(const CallFact& call) {
  return std::tuple(call.call, call.site, call.held_site);
}

bool same_places(const CallTally& a, const CallTally& b) {
  return a.call == b.call && a.site.pc == b.site.pc && a.held_site.pc == b.held_site.pc;
}

// Those of several locks become one: whoever made a thousand objects wants to read one line.
std::vector<CallFact> worst_of(std::span<const CallFact> calls) {
  std::vector<CallFact> all(calls.begin(), calls.end());
  std::sort(all.begin(), all.end(),
            [](const CallFact& a, const CallFact& b) { return places(a) < places(b); });
  std::vector<CallFact> worst;
  for (const CallFact& call : all) {
    if (worst.empty() || places(worst.back()) != places(call)) {
      worst.push_back(call);
      continue;
    }
    CallFact& known = worst.back();
    if (known.lock != call.lock) known.lock = 0;
    known.count += call.count;
    known.sum_ns += call.sum_ns;
    known.most_ns = std::max(known.most_ns, call.most_ns);
    known.last_ns = std::max(known.last_ns, call.last_ns);
  }
  std::erase_if(worst, [](const CallFact& call) { return call.sum_ns < kWorthSayingNs; });
  const std::size_t shown = std::min(worst.size(), kWorstShown);
  std::partial_sort(worst.begin(), worst.begin() + static_cast<std::ptrdiff_t>(shown), worst.end(),
                    [](const CallFact& a, const CallFact& b) { return a.sum_ns > b.sum_ns; });
  worst.resize(shown);
  return worst;
}

std::uint32_t lock_in(Report& report, std::uint64_t address) {
  std::uint32_t at = 0;
  while (at < report.locks.size() && report.locks[at].address != address) ++at;
  if (at == report.locks.size()) report.locks.emplace_back().address = address;
  return at;
}

void keep_module(Report& report, const Module* module) {
  if (module == nullptr) return;
  const bool known = std::any_of(report.modules.begin(), report.modules.end(),
                                 [module](const Module& m) { return m.base == module->base; });
  if (!known) report.modules.push_back(*module);
}

// A library may have been unloaded, and another one stands where it was.
bool same_file(const Module* one, const Module* other) {
  return one != nullptr && other != nullptr && one->base == other->base && one->path == other->path;
}

const symbolize::Frame* frame_at(const Report& report, std::uint64_t pc) {
  for (const CallTally& call : report.calls) {
    if (call.site.pc == pc) return &call.site;
    if (call.held_site.pc == pc) return &call.held_site;
  }
  return nullptr;
}

// Whoever looks an address up himself wants the byte before, which belongs to the call.
std::string code_place(const Phrases& say, symbolize::Frame frame) {
  if (frame.sources.empty() && frame.pc != 0) --frame.pc;
  return say.call_place(frame);
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

Report worst_calls(std::span<const CallFact> calls, const symbolize::Modules& modules) {
  Report report;
  const std::vector<CallFact> worst = worst_of(calls);
  if (worst.empty()) return report;
  for (const symbolize::Module& module : modules.all()) {
    report.modules.push_back(
        {module.path, module.base, module.end, module.build_id, module.deleted});
  }
  for (const CallFact& fact : worst) {
    CallTally& call = report.calls.emplace_back();
    if (fact.lock != 0) call.lock = lock_in(report, fact.lock);
    call.call = fact.call;
    call.site.pc = fact.site;
    call.held_site.pc = fact.held_site;
    call.count = fact.count;
    call.sum_ns = fact.sum_ns;
    call.most_ns = fact.most_ns;
    call.last_ns = fact.last_ns;
  }
  return report;
}

void add_calls(Report& calls, const Report& more, std::size_t most) {
  const Phrases say(more);
  for (const CallTally& one : more.calls) {
    if (calls.calls.size() >= most) return;
    const Lock* const lock = say.lock_at(one.lock);
    CallTally call = one;
    call.lock = kNobody;
    if (lock != nullptr) {
      call.lock = lock_in(calls, lock->address);
      calls.locks[call.lock].name = lock->name;
    }
    const bool known = std::any_of(calls.calls.begin(), calls.calls.end(), [&](const CallTally& c) {
      return c.lock == call.lock && same_places(c, call);
    });
    if (known) continue;
    keep_module(calls, say.module_of(call.site.pc));
    keep_module(calls, say.module_of(call.held_site.pc));
    calls.calls.push_back(std::move(call));
  }
}

bool take_names(Report& worst, const Report& known) {
  const Phrases here(worst);
  const Phrases there(known);
  bool all = true;
  for (CallTally& call : worst.calls) {
    for (symbolize::Frame CallTally::*const site : {&CallTally::site, &CallTally::held_site}) {
      symbolize::Frame& frame = call.*site;
      const symbolize::Frame* const looked_up = frame_at(known, frame.pc);
      const bool same =
          looked_up != nullptr && same_file(here.module_of(frame.pc), there.module_of(frame.pc));
      if (same) frame.sources = looked_up->sources;
      all = all && (same || frame.pc == 0);
    }
  }
  for (Lock& lock : worst.locks) {
    const auto looked_up =
        std::find_if(known.locks.begin(), known.locks.end(),
                     [&lock](const Lock& other) { return other.address == lock.address; });
    if (looked_up == known.locks.end()) return false;
    lock.name = looked_up->name;
  }
  return all;
}

std::string worst_call_lines(const Report& worst) {
  const Phrases say(worst);
  std::string text;
  for (const CallTally& call : worst.calls) {
    const Lock* const lock = say.lock_at(call.lock);
    const bool named = lock != nullptr && !lock->name.empty();
    text += "impasse: " + std::string(word_of(call.call)) + " at " + code_place(say, call.site) +
            " under " + (named ? say.lock(call.lock) : "a lock") + " (taken at " +
            code_place(say, call.held_site) +
            "): " + figures(call.count, call.sum_ns, call.most_ns) + '\n';
  }
  return text;
}

}  // namespace impasse::report
