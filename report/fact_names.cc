#include "report/fact_names.h"

#include <algorithm>
#include <map>
#include <set>

#include "report/report_words.h"
#include "report/words.h"

namespace impasse::report {
namespace {

// Everything in a snapshot that may have a name.
struct Nameable {
  explicit Nameable(const Snapshot& snapshot) {
    for (const ThreadFact& thread : snapshot.threads) add(thread);
    for (const DepartureFact& gone : snapshot.departures) add(gone.hold);
    for (const LockFact& lock : snapshot.locks) {
      places.insert(lock.first_site);
      locks.try_emplace(lock.address, lock.kind);
    }
    places.erase(0);
    locks.erase(0);
  }

  std::set<std::uint64_t> places;
  std::map<std::uint64_t, LockKind> locks;

 private:
  void add(const HoldFact& hold) {
    places.insert(hold.site);
    locks.try_emplace(hold.lock, hold.kind);
  }
  void add(const ThreadFact& thread) {
    places.insert(thread.entry);
    for (const HoldFact& hold : thread.holds) add(hold);
    for (const SignalFact& signal : thread.signals) places.insert(signal.site);
    if (!thread.wait) return;
    places.insert(thread.wait->site);
    if (thread.wait->kind == WaitKind::kJoin) return;  // its object is a thread
    locks.try_emplace(thread.wait->object, lock_kind(thread.wait->kind));
    locks.try_emplace(thread.wait->partner, LockKind::kMutex);
  }
};

}  // namespace

Report to_be_named(const Snapshot& snapshot, const symbolize::Modules& modules) {
  Report names;
  for (const symbolize::Module& module : modules.all()) {
    if (module.deleted) continue;
    names.modules.push_back({module.path, module.base, module.end, module.build_id, false});
  }
  const Nameable all(snapshot);
  Thread& thread = names.threads.emplace_back();
  for (const std::uint64_t place : all.places) thread.holds.emplace_back().site.pc = place;
  for (const auto& [address, kind] : all.locks) {
    Lock& lock = names.locks.emplace_back();
    lock.address = address;
    lock.kind = kind;
  }
  return names;
}

FactNames::FactNames(const Facts& facts) : facts_(facts), say_(facts.names) {}

std::string FactNames::place_name(std::uint64_t pc) const {
  if (facts_.names.threads.empty()) return "";
  const auto& holds = facts_.names.threads.front().holds;
  const auto found =
      std::lower_bound(holds.begin(), holds.end(), pc,
                       [](const Hold& hold, std::uint64_t at) { return hold.site.pc < at; });
  const bool named = found != holds.end() && found->site.pc == pc && !found->site.sources.empty();
  return named ? say_.call_site(found->site) : "";
}

std::string FactNames::place(std::uint64_t pc) const {
  std::string name = place_name(pc);
  return name.empty() ? site(pc, facts_.modules) : name;
}

std::string FactNames::lock_name(std::uint64_t address) const {
  const auto& locks = facts_.names.locks;
  const auto found = std::lower_bound(
      locks.begin(), locks.end(), address,
      [](const Lock& lock, std::uint64_t wanted) { return lock.address < wanted; });
  if (found == locks.end() || found->address != address || found->name.empty()) return "";
  return say_.lock(static_cast<std::uint32_t>(found - locks.begin()));
}

std::string FactNames::lock(std::string_view kind, std::uint64_t address) const {
  const std::string name = lock_name(address);
  const std::string where = std::string(kind) + " " + hex(address);
  return name.empty() ? where : name + " (" + where + ")";
}

}  // namespace impasse::report
