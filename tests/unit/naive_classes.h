// All circles of classes that what was seen makes, by the rules' definition and nothing else: for
// tests of OrderClasses.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <vector>

#include "detector/order_circles.h"
#include "order_history.h"

namespace impasse {

struct Seen {
  OrderSight sight;
  int point = 0;
};

inline bool conflict(const SightedLock& a, const SightedLock& b) {
  return !a.shared || !b.shared || a.prefers_writers || b.prefers_writers;
}

// Told by the place and the kind alone.
inline bool akin(const SightedLock& a, const SightedLock& b) {
  return a.birth != 0 && a.birth == b.birth && a.kind == b.kind;
}

// The rules by definition. A price is (phases, timed, length) as one number, the lowest the best.
class NaiveClasses {
 public:
  static constexpr int kNoCircle = 1'000'000;

  NaiveClasses(const OrderHistory& history, bool all) : history_(history), all_(all) {}
  std::vector<Seen> seen;

  enum class Objects { kDifferent, kTheSame };

  // The best circle of two classes and more through one order of this sight: of objects that never
  // were all the same, or of the very same ones.
  int best(const Seen& first, std::size_t held, Objects objects) const {
    int found = kNoCircle;
    Path path{{&first, held}};
    extend(path, objects, found);
    return found;
  }

  // Whether a circle of two within one class, of four objects, has this as its new part.
  bool contradicted(const Seen& one, std::size_t held) const {
    return std::any_of(seen.begin(), seen.end(), [&](const Seen& other) {
      for (std::size_t k = 0; k < other.sight.held.size(); ++k) {
        if (contradict(one, held, other, k)) return true;
      }
      return false;
    });
  }
  bool contradict(const Seen& a, std::size_t a_held, const Seen& b, std::size_t b_held) const {
    const SightedLock& a_from = a.sight.held[a_held];
    const SightedLock& b_from = b.sight.held[b_held];
    if (!is_within(a.sight, a_held) || !is_within(b.sight, b_held)) return false;
    if (!akin(a_from, b_from) || a.sight.thread == b.sight.thread) return false;
    const std::set<LockLife> ends{a_from.life, b_from.life, a.sight.wanted.life,
                                  b.sight.wanted.life};
    if (ends.size() != 4 || upwards(a.sight, a_held) == upwards(b.sight, b_held)) return false;
    if (!conflict(a_from, b.sight.wanted) || !conflict(b_from, a.sight.wanted)) return false;
    for (const SightedLock& x : a.sight.held) {
      for (const SightedLock& y : b.sight.held) {
        if (x.shared && y.shared) continue;
        if (x.life == a.sight.wanted.life || y.life == b.sight.wanted.life) continue;
        if (x.life == y.life || (akin(x, y) && !akin(x, a_from))) return false;
      }
    }
    return all_ || !ordered(a, b);
  }
  // An order within a class, and no step of a walk hand over hand.
  static bool is_within(const OrderSight& sight, std::size_t held) {
    const SightedLock& from = sight.held[held];
    if (!akin(from, sight.wanted) || from.life == sight.wanted.life) return false;
    const auto others = std::count_if(sight.held.begin(), sight.held.end(),
                                      [&](const SightedLock& lock) { return akin(lock, from); });
    return from.site != sight.wanted.site || others > 1;
  }
  static bool upwards(const OrderSight& sight, std::size_t held) {
    return sight.held[held].life.address < sight.wanted.life.address;
  }

  // What a told circle of two classes and more costs; nothing if it is none.
  std::optional<int> price(const OrderCircle& circle) const {
    Path path;
    for (const OrderStep& step : circle.steps) {
      const auto its = find(step);
      if (!its || (!path.empty() && !may_follow(path, *its->seen, its->held))) return std::nullopt;
      path.push_back(*its);
    }
    if (path.size() < 2 || !closes(path) || same_objects(path)) return std::nullopt;
    return price(path);
  }
  struct Place {
    const Seen* seen;
    std::size_t held;
    const SightedLock& from() const { return seen->sight.held[held]; }
    const SightedLock& wanted() const { return seen->sight.wanted; }
  };
  // The one that was seen: which of its held locks the step comes from.
  std::optional<Place> find(const OrderStep& step) const {
    for (const Seen& one : seen) {
      if (one.sight.moment != step.sight.moment) continue;
      const auto& held = one.sight.held;
      const auto from = std::find(held.begin(), held.end(), step.sight.held[step.held]);
      if (from == held.end() || from->life != step.from || step.sight.wanted != one.sight.wanted ||
          step.to != one.sight.wanted.life) {
        return std::nullopt;
      }
      return Place{&one, static_cast<std::size_t>(from - held.begin())};
    }
    return std::nullopt;
  }

 private:
  using Path = std::vector<Place>;

  bool ordered(const Seen& a, const Seen& b) const {
    return history_.before(a.point, b.point) || history_.before(b.point, a.point);
  }
  static bool gate(const OrderSight& a, const OrderSight& b) {
    for (const SightedLock& x : a.held) {
      for (const SightedLock& y : b.held) {
        if (x.life == a.wanted.life || y.life == b.wanted.life || (x.shared && y.shared)) continue;
        if (x.life == y.life || akin(x, y)) return true;
      }
    }
    return false;
  }
  bool may_follow(const Path& path, const Seen& next, std::size_t held) const {
    const SightedLock& from = next.sight.held[held];
    if (!akin(from, path.back().wanted()) || akin(from, next.sight.wanted)) return false;
    if (!conflict(from, path.back().wanted())) return false;
    return std::none_of(path.begin(), path.end(), [&](const Place& place) {
      return akin(place.from(), from) || place.seen->sight.thread == next.sight.thread ||
             gate(place.seen->sight, next.sight) || (!all_ && ordered(*place.seen, next));
    });
  }
  static bool closes(const Path& path) {
    return akin(path.back().wanted(), path.front().from()) &&
           conflict(path.front().from(), path.back().wanted());
  }
  static bool same_objects(const Path& path) {
    for (std::size_t i = 0; i < path.size(); ++i) {
      if (path[i].wanted().life != path[(i + 1) % path.size()].from().life) return false;
    }
    return true;
  }
  int price(const Path& path) const {
    bool timed = false;
    bool phases = false;
    for (const Place& one : path) {
      timed = timed || one.wanted().timed;
      for (const Place& other : path) {
        phases = phases || (one.seen != other.seen && ordered(*one.seen, *other.seen));
      }
    }
    return (phases ? 200 : 0) + (timed ? 100 : 0) + static_cast<int>(path.size());
  }
  void extend(Path& path, Objects objects, int& found) const {
    if (path.size() > 1 && closes(path)) {
      if (same_objects(path) == (objects == Objects::kTheSame)) {
        found = std::min(found, price(path));
      }
      return;
    }
    for (const Seen& next : seen) {
      for (std::size_t held = 0; held < next.sight.held.size(); ++held) {
        if (!may_follow(path, next, held)) continue;
        path.push_back({&next, held});
        extend(path, objects, found);
        path.pop_back();
      }
    }
  }

  const OrderHistory& history_;
  const bool all_;
};

}  // namespace impasse
