#include "report/small_print.h"

#include <algorithm>
#include <set>

#include "report/ages.h"
#include "report/frames.h"
#include "report/ink.h"
#include "report/signal_words.h"
#include "report/words.h"

namespace impasse::report {
namespace {

constexpr std::size_t kLocksShown = 16;
constexpr std::size_t kSignalPlacesShown = 6;  // of one of them
constexpr std::size_t kNameColumns = 40;
constexpr std::size_t kModulesShown = 24;
constexpr std::size_t kRowsShown = 64;
constexpr std::size_t kLongestText = 400;

std::string text_of(const std::string& bytes) {
  return cut(printable(bytes), kLongestText);
}

std::string heading(const std::string& words) {
  return "\n" + bold(words) + "\n";
}

// ---- locks

std::string memory_words(const Phrases& say, const Lock& lock) {
  switch (lock.memory) {
    case Memory::kGlobal: {
      const bool known = lock.module < say.report().modules.size();
      return known ? "global of " + file_name(say.report().modules[lock.module].path) : "global";
    }
    case Memory::kHeap:
      return "on the heap";
    case Memory::kStack:
      return lock.stack_of == kNobody ? "on a stack" : "on the stack of " + say.who(lock.stack_of);
    case Memory::kMapped:
      return "in mapped memory";
    case Memory::kUnknown:
      break;
  }
  return "";
}

// libc's own word about the owner, where it says something else than what impasse saw.
std::string owner_words(const Phrases& say, std::uint32_t index) {
  const Lock& lock = say.report().locks[index];
  if (lock.owner_word == 0) return "";
  for (const Thread& thread : say.report().threads) {
    if (thread.tid != lock.owner_word) continue;
    const bool agrees = std::any_of(
        thread.holds.begin(), thread.holds.end(),
        [index](const Hold& h) { return h.lock == index && h.phase != hold_phase::kGivenBack; });
    if (agrees) return "";
  }
  return "; libc says that thread " + std::to_string(lock.owner_word) + " has it";
}

// Who woke those that waited for it.
std::string signaller_lines(const Phrases& say, std::uint32_t index) {
  const Lock& lock = say.report().locks[index];
  const std::string verb(signal_verb(lock.kind));
  const std::vector<SignalPlace> places = signal_places(say, index);
  std::string text;
  for (std::size_t i = 0; i < places.size() && i < kSignalPlacesShown; ++i) {
    text += "    " + verb + " " + signal_place_words(say, places[i]) + "\n";
  }
  if (places.size() > kSignalPlacesShown) {
    text += "    … " + counted(places.size() - kSignalPlacesShown, "other place", "other places") +
            ": in the JSON form\n";
  }
  if (lock.signallers_ended) {
    text += "    " + verb + " by threads that have ended, too";
    if (say.thread_at(lock.signallers_maker) != nullptr) {
      text += "; all made by " + say.who(lock.signallers_maker);
    }
    text += "\n";
  }
  return text;
}

std::string lock_line(const Phrases& say, std::uint32_t index, std::size_t name_width) {
  const Lock& lock = say.report().locks[index];
  std::string text = "  ";
  if (name_width != 0) text += padded(lock.name.empty() ? "" : say.lock(index), name_width) + "  ";
  text += std::string(lock_word(lock.kind)) + " " + hex(lock.address);
  if (!lock.variety.empty()) text += ", " + text_of(lock.variety);
  const std::string memory = memory_words(say, lock);
  if (!memory.empty()) text += ", " + memory;
  if (lock.contended != 0) {
    text +=
        ", waited for " + (lock.contended == 1 ? "once" : counted(lock.contended, "time", "times"));
    if (lock.waited_ns != 0) text += " (" + duration(lock.waited_ns) + " in all)";
  }
  return text + owner_words(say, index) + "\n" + signaller_lines(say, index);
}

// Those of the finding first, then those most waited for.
std::vector<std::uint32_t> by_interest(const Report& report) {
  std::vector<int> rank(report.locks.size(), 2);
  const auto mark = [&rank](std::uint32_t lock, int value) {
    if (lock < rank.size()) rank[lock] = std::min(rank[lock], value);
  };
  mark(report.finding.root_lock, 0);
  for (const Link& link : report.finding.cycle) mark(link.lock, 0);
  for (const Link& link : report.finding.crowd) mark(link.lock, 1);
  for (const Order& order : report.finding.orders) {
    mark(order.from, 0);
    mark(order.to, 0);
    for (const Order::Held& held : order.others) mark(held.lock, 1);
  }
  std::vector<std::uint32_t> order(report.locks.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return rank[a] != rank[b] ? rank[a] < rank[b]
                              : report.locks[a].contended > report.locks[b].contended;
  });
  return order;
}

std::string locks(const Phrases& say) {
  const std::vector<std::uint32_t> order = by_interest(say.report());
  if (order.empty()) return "";
  std::string text = heading("LOCKS");
  std::size_t width = 0;
  for (std::size_t i = 0; i < order.size() && i < kLocksShown; ++i) {
    if (say.report().locks[order[i]].name.empty()) continue;
    width = std::max(width, std::min(columns(say.lock(order[i])), kNameColumns));
  }
  for (std::size_t i = 0; i < order.size() && i < kLocksShown; ++i) {
    text += lock_line(say, order[i], width);
  }
  if (order.size() > kLocksShown) {
    text += "  … " + counted(order.size() - kLocksShown, "more", "more") + "\n";
  }
  return text;
}

// ---- modules

std::string modules(const Phrases& say) {
  const Report& report = say.report();
  std::set<const Module*> used;
  for_each_frame(report, [&](const symbolize::Frame& frame) {
    if (const Module* module = say.module_of(frame.pc)) used.insert(module);
  });
  if (report.modules.empty()) return "";
  std::string text = heading("MODULES");
  std::size_t shown = 0;
  std::size_t width = 0;
  for (const Module* module : used) {
    width = std::max(width, std::min<std::size_t>(60, columns(text_of(module->path))));
  }
  for (const Module& module : report.modules) {
    if (!used.contains(&module) || shown == kModulesShown) continue;
    ++shown;
    text += "  " + dim(hex(module.base)) + "  " + padded(text_of(module.path), width) + "  " +
            (module.build_id.empty() ? "no build-id" : "build-id " + text_of(module.build_id)) +
            (module.deleted ? ", file removed or replaced since" : "") + "\n";
  }
  if (const std::size_t others = report.modules.size() - shown; others != 0) {
    text += "  " + counted(others, "other", "others") + (shown == 0 ? "" : ", in no frame above") +
            "\n";
  }
  return text;
}

// ---- options, what is missing, notes

std::string options(const Report& report) {
  if (report.options.empty()) return "";
  std::string text = heading("OPTIONS") + " ";
  for (std::size_t i = 0; i < report.options.size() && i < kRowsShown; ++i) {
    text += " " + text_of(report.options[i].first) + "=" + text_of(report.options[i].second);
  }
  return text + "\n";
}

// The texts are plural: "stacks of lock orders that found no room".
std::string singular(std::string text) {
  std::size_t end = text.size();
  for (const std::string_view after : {" that ", " of ", " under "}) {
    end = std::min(end, text.find(after));
  }
  std::string head;
  for (std::size_t i = 0; i < end; ++i) {
    const bool ends_word = i + 1 == end || text[i + 1] == ' ' || text[i + 1] == ',';
    if (text[i] != 's' || !ends_word) head += text[i];
  }
  const auto replace = [](std::string& in, std::string_view what, std::string_view with) {
    if (const auto at = in.find(what); at != std::string::npos) in.replace(at, what.size(), with);
  };
  replace(head, " and ", " or ");
  text.erase(0, end);
  if (text.starts_with(" that were ")) replace(text, " were ", " was ");
  return head + text;
}

std::string dropped_words(const std::string& text, std::uint64_t count) {
  if (text.starts_with("the ")) return text;  // what happens once
  return with_commas(count) + " " + (count == 1 ? singular(text) : text);
}

std::string dropped(const Report& report) {
  if (report.dropped.empty()) return heading("NOTHING DROPPED");
  std::string text = heading("DROPPED");
  for (std::size_t i = 0; i < report.dropped.size() && i < kRowsShown; ++i) {
    text += "  " + dropped_words(text_of(report.dropped[i].first), report.dropped[i].second) + "\n";
  }
  return text;
}

std::string notes(const Report& report) {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < report.notes.size() && i < kRowsShown; ++i) {
    all.push_back(text_of(report.notes[i]));
  }
  if (report.notes.size() > kRowsShown) all.emplace_back("… more in the JSON form");
  bool guessed = false;
  for_each_frame(report, [&guessed](const symbolize::Frame& frame) {
    guessed = guessed || frame.grade == symbolize::Grade::kGuessed;
  });
  if (guessed) {
    all.emplace_back("Frames marked with ~ are a guess: a register had to be recovered.");
  }
  if (all.empty()) return "";
  std::string text = heading("NOTES");
  for (const std::string& note : all) text += "  " + note + "\n";
  return text;
}

}  // namespace

std::string small_print(const Phrases& say) {
  const Report& report = say.report();
  std::string text = locks(say) + modules(say) + options(report) + notes(report) + dropped(report);
  if (!report.finding.fingerprint.empty() && report.finding.kind != FindingKind::kDump) {
    text += "\nfingerprint " + cut(printable(report.finding.fingerprint), 64) +
            ", the same whenever this happens in this build\n";
  }
  return text;
}

}  // namespace impasse::report
