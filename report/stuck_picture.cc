// A stuck group drawn. Where each thread waits for one other and that is a circle, as a circle;
// else by what they wait for: who waits for it, who could give it, and what that one waits for.
#include <algorithm>
#include <unordered_set>

#include "report/ages.h"
#include "report/ink.h"
#include "report/picture.h"
#include "report/signal_words.h"
#include "report/stuck_group.h"
#include "report/words.h"

namespace impasse::report {
namespace {

using Lines = std::vector<std::string>;
constexpr std::size_t kObjectsShown = 16;
constexpr std::size_t kRowsShown = 6;  // of one object's waiters, and of its givers

// "waits on it", "wants to read it"
std::string wish_for_it(WaitKind kind) {
  if (kind == WaitKind::kJoin || kind == WaitKind::kOnce) return "waits for it";
  return std::string(wish(kind)) + " it";
}

class Drawing {
 public:
  Drawing(const Phrases& say, std::size_t width) : say_(say), width_(width), group_(say) {}

  Lines all();

 private:
  struct Row {
    std::string who;
    std::string what;
    std::string where;
  };
  std::vector<Link> whole_circle() const;
  std::string head(const Awaited& object) const;
  void object(const Awaited& object);
  void waiters(const Awaited& object, std::vector<Row>& rows) const;
  void givers(const Awaited& object, std::vector<Row>& rows) const;
  std::string named(const ThreadList& threads) const;
  std::string ages(const ThreadList& threads) const;
  std::string stuck_at(std::uint32_t thread, const Awaited& here) const;
  std::string these(const SignalPlace& place, const Awaited& here) const;
  const Wait& wait_of(std::uint32_t thread) const { return *say_.thread_at(thread)->wait; }

  const Phrases& say_;
  std::size_t width_;
  const StuckGroup group_;
  Lines lines_;
};

// Empty: there is more than a circle, or another one than the links say.
std::vector<Link> Drawing::whole_circle() const {
  const auto& crowd = say_.report().finding.crowd;
  std::vector<Link> circle;
  std::unordered_set<std::uint32_t> seen;
  if (crowd.empty() || crowd.size() != group_.members().size()) return {};
  for (std::uint32_t at = crowd.front().waiter; seen.insert(at).second;) {
    const Awaited* const object = group_.object_of(at);
    const auto link = std::find_if(crowd.begin(), crowd.end(),
                                   [at](const Link& one) { return one.waiter == at; });
    if (object == nullptr || object->givers.size() != 1 || link == crowd.end()) return {};
    circle.push_back(*link);
    at = object->givers.front();
    circle.back().blocker = at;
  }
  const bool closed = !circle.empty() && circle.back().blocker == crowd.front().waiter;
  return closed && circle.size() == crowd.size() ? circle : std::vector<Link>{};
}

std::string Drawing::head(const Awaited& object) const {
  if (object.kind == WaitKind::kJoin) return bold("the end of " + say_.thread(object.thread));
  const Lock* const lock = say_.lock_at(object.lock);
  std::string name = bold(say_.awaited(wait_of(object.waiters.front())));
  if (lock == nullptr || lock->name.empty()) return name;
  return name + ", " + std::string(lock_word(lock->kind));
}

std::string Drawing::named(const ThreadList& threads) const {
  if (threads.size() == 1) return say_.who(threads.front());
  return counted(threads.size(), "thread", "threads");
}

std::string Drawing::ages(const ThreadList& threads) const {
  const std::string longest = say_.wait_age(wait_of(threads.front()));
  const std::string shortest = say_.wait_age(wait_of(threads.back()));
  if (longest.empty()) return "";
  return shortest == longest || shortest.empty() ? longest : shortest + " … " + longest;
}

void Drawing::waiters(const Awaited& object, std::vector<Row>& rows) const {
  std::size_t shown = 0;
  std::size_t left = 0;
  for (const Kin& kin : group_.kin()) {
    if (group_.object_of(kin.threads.front()) != &object) continue;
    if (shown++ >= kRowsShown) {
      left += kin.threads.size();
      continue;
    }
    const Thread& first = *say_.thread_at(kin.threads.front());
    std::string wants = wish_for_it(first.wait->kind);
    if (kin.threads.size() > 1) wants.erase(4, 1);
    const std::string age = ages(kin.threads);
    if (!age.empty()) wants.append("  ").append(age);
    rows.push_back({named(kin.threads), std::move(wants), say_.wait_place(first)});
  }
  if (left != 0) rows.push_back({"… " + counted(left, "more thread", "more threads"), "", ""});
}

// "  which waits on not_empty": where to look next.
std::string Drawing::stuck_at(std::uint32_t thread, const Awaited& here) const {
  const Awaited* const next = group_.object_of(thread);
  if (next == nullptr) return "";
  if (next == &here) return "  ▶ " + std::string(wish(next->kind)) + " it too";
  const std::string what =
      next->kind == WaitKind::kJoin ? say_.who(next->thread) : say_.awaited(wait_of(thread));
  return "  ▶ " + std::string(wish(wait_of(thread).kind)) + " " + what;
}

// Several that gave what they wait for themselves.
std::string Drawing::these(const SignalPlace& place, const Awaited& here) const {
  const auto among_waiters = [&](std::uint32_t tid) {
    return std::any_of(here.waiters.begin(), here.waiters.end(),
                       [&](std::uint32_t waiter) { return say_.thread_at(waiter)->tid == tid; });
  };
  if (!std::all_of(place.tids.begin(), place.tids.end(), among_waiters)) return "";
  const std::string n = with_commas(place.tids.size());
  return place.tids.size() == here.waiters.size() ? "the same " + n + " threads"
                                                  : n + " of these threads";
}

void Drawing::givers(const Awaited& object, std::vector<Row>& rows) const {
  if (object.signalled()) {
    const std::vector<SignalPlace> places = signal_places(say_, object.lock);
    const std::string verb(signal_verb(lock_kind(object.kind)));
    for (std::size_t i = 0; i < places.size() && i < kRowsShown; ++i) {
      const bool one = places[i].tids.size() == 1;
      std::string text = verb + " ";
      text += signal_place_words(say_, places[i], these(places[i], object));
      if (one) text += stuck_at(places[i].newest->thread, object);
      rows.push_back({std::move(text), "", ""});
    }
    if (places.size() > kRowsShown) {
      rows.push_back(
          {"… " + counted(places.size() - kRowsShown, "other place", "other places"), "", ""});
    }
    if (places.empty()) rows.push_back({verb + " by nobody, as far as is known", "", ""});
    return;
  }
  if (object.kind == WaitKind::kBarrier) {
    rows.push_back({"who is to come to it is not known", "", ""});
    return;
  }
  std::size_t shown = 0;
  for (const std::uint32_t giver : object.givers) {
    if (shown++ == kRowsShown) {
      rows.push_back({"… " + counted(object.givers.size() - kRowsShown, "more", "more"), "", ""});
      break;
    }
    const Hold* const hold = say_.hold_of(giver, object.lock);
    std::string text = object.kind == WaitKind::kJoin ? "which" : "held by " + say_.who(giver);
    if (hold != nullptr) {
      text += ", taken at " + say_.hold_place(*say_.thread_at(giver), *hold);
    }
    const std::string next = stuck_at(giver, object);
    if (object.kind == WaitKind::kJoin && next.empty()) continue;
    rows.push_back(
        {text + (object.kind == WaitKind::kJoin ? next.substr(next.find(' ', 4)) : next), "", ""});
  }
  if (object.givers.empty()) rows.push_back({"held by nobody that is known", "", ""});
}

void Drawing::object(const Awaited& object) {
  lines_.push_back(head(object));
  std::vector<Row> rows;
  waiters(object, rows);
  givers(object, rows);
  std::size_t who = 0;
  std::size_t what = 0;
  for (const Row& row : rows) {
    if (row.where.empty()) continue;
    who = std::max(who, columns(row.who));
    what = std::max(what, columns(row.what));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::string line = i + 1 == rows.size() ? "  └─ " : "  ├─ ";
    line += rows[i].where.empty() ? rows[i].who
                                  : bold(padded(rows[i].who, who)) + "  " +
                                        padded(rows[i].what, what) + "  " + rows[i].where;
    lines_.push_back(std::move(line));
  }
}

Lines Drawing::all() {
  if (group_.members().empty()) return {};
  if (const std::vector<Link> links = whole_circle(); !links.empty()) {
    return circle(say_, links, width_);
  }
  const auto& objects = group_.objects();
  const std::size_t shown = std::min(objects.size(), kObjectsShown);
  for (std::size_t i = 0; i < shown; ++i) object(objects[i]);
  if (shown < objects.size()) {
    std::size_t left = 0;
    for (std::size_t i = shown; i < objects.size(); ++i) left += objects[i].waiters.size();
    lines_.push_back("… " + counted(left, "more thread waits", "more threads wait") + " for " +
                     counted(objects.size() - shown, "other", "others"));
  }
  return std::move(lines_);
}

}  // namespace

Lines stuck_picture(const Phrases& say, std::size_t width) {
  return Drawing(say, width).all();
}

}  // namespace impasse::report
