#include "report/stuck_group.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "report/thread_groups.h"

namespace impasse::report {
namespace {

bool is_gone(const Thread& thread) {
  return thread.activity.kind == system::ActivityKind::kGone ||
         thread.activity.kind == system::ActivityKind::kLeftBehind;
}

bool is_held_kind(WaitKind kind) {
  return kind != WaitKind::kJoin && is_held(lock_kind(kind));
}

// A reader and a writer of one lock wait for the same.
std::pair<int, std::uint64_t> key_of(const Wait& wait) {
  return {wait.kind == WaitKind::kJoin ? -1 : static_cast<int>(lock_kind(wait.kind)), wait.object};
}

// Equal for those that keep and gave the same.
std::string key_of(const Kin& one) {
  std::string key;
  for (const std::uint32_t lock : one.keeps) key += "keeps " + std::to_string(lock) + "\n";
  std::vector<std::string> gave;
  for (const Gift& gift : one.gifts) {
    gave.push_back("gave " + std::to_string(gift.lock) + " " + gift.place + "\n");
  }
  std::sort(gave.begin(), gave.end());
  for (const std::string& gift : gave) key += gift;
  return key;
}

void add_gift(Kin& kin, const Gift& gift) {
  const auto same = std::find_if(kin.gifts.begin(), kin.gifts.end(), [&gift](const Gift& known) {
    return known.lock == gift.lock && known.place == gift.place;
  });
  if (same == kin.gifts.end()) {
    kin.gifts.push_back(gift);
    return;
  }
  same->count += gift.count;
  if (gift.newest->last_ns > same->newest->last_ns) same->newest = gift.newest;
}

}  // namespace

StuckGroup::StuckGroup(const Phrases& say) : say_(say) {
  gather_members();
  gather_objects();
  find_givers();
  count_givers_elsewhere();
  gather_kin();
}

bool StuckGroup::has(std::uint32_t thread) const {
  return thread < is_member_.size() && is_member_[thread];
}

const Awaited* StuckGroup::object_of(std::uint32_t thread) const {
  return has(thread) ? &objects_[object_of_[thread]] : nullptr;
}

void StuckGroup::gather_members() {
  const Report& report = say_.report();
  is_member_.resize(report.threads.size());
  for (const Link& link : report.finding.crowd) {
    const Thread* const thread = say_.thread_at(link.waiter);
    if (thread == nullptr || !thread->wait || is_member_[link.waiter]) continue;
    is_member_[link.waiter] = true;
    members_.push_back(link.waiter);
  }
  others_ = report.threads_not_looked_at;
  for (std::uint32_t i = 0; i < report.threads.size(); ++i) {
    const Thread& thread = report.threads[i];
    if (!is_member_[i] && !thread.ours && !is_gone(thread)) ++others_;
  }
}

void StuckGroup::gather_objects() {
  std::map<std::pair<int, std::uint64_t>, std::size_t> known;
  for (const std::uint32_t member : members_) {
    const Wait& wait = *say_.thread_at(member)->wait;
    const auto [place, is_new] = known.try_emplace(key_of(wait), objects_.size());
    if (is_new) {
      Awaited object;
      object.kind = wait.kind;
      object.object = wait.object;
      object.lock = wait.kind == WaitKind::kJoin ? kNobody : wait.lock;
      object.thread = wait.kind == WaitKind::kJoin ? wait.thread : kNobody;
      objects_.push_back(std::move(object));
    }
    objects_[place->second].waiters.push_back(member);
  }
  const std::uint32_t root = say_.report().finding.root_lock;
  std::stable_sort(objects_.begin(), objects_.end(), [root](const Awaited& a, const Awaited& b) {
    const bool a_first = root != kNobody && a.lock == root;
    const bool b_first = root != kNobody && b.lock == root;
    return a_first != b_first ? a_first : a.waiters.size() > b.waiters.size();
  });
  object_of_.resize(is_member_.size());
  for (std::uint32_t i = 0; i < objects_.size(); ++i) {
    longest_first(say_, objects_[i].waiters);
    for (const std::uint32_t waiter : objects_[i].waiters) object_of_[waiter] = i;
  }
}

void StuckGroup::find_givers() {
  const Report& report = say_.report();
  std::unordered_map<std::uint32_t, ThreadList> holders;  // by lock
  for (std::uint32_t i = 0; i < report.threads.size(); ++i) {
    for (const Hold& hold : report.threads[i].holds) {
      if (hold.phase == hold_phase::kHeld) holders[hold.lock].push_back(i);
    }
  }
  for (Awaited& object : objects_) {
    if (say_.thread_at(object.thread) != nullptr) object.givers.push_back(object.thread);
    const Lock* const lock = say_.lock_at(object.lock);
    if (lock == nullptr) continue;
    if (is_held_kind(object.kind)) object.givers = holders[object.lock];
    for (const Signaller& one : lock->signallers) {
      if (say_.thread_at(one.thread) != nullptr) object.givers.push_back(one.thread);
    }
    std::sort(object.givers.begin(), object.givers.end());
    object.givers.erase(std::unique(object.givers.begin(), object.givers.end()),
                        object.givers.end());
  }
}

void StuckGroup::count_givers_elsewhere() {
  std::unordered_set<std::uint32_t> elsewhere;
  for (const Awaited& object : objects_) {
    for (const std::uint32_t giver : object.givers) {
      const Thread* const thread = say_.thread_at(giver);
      if (!has(giver) && thread != nullptr && !thread->ours && !is_gone(*thread))
        elsewhere.insert(giver);
    }
  }
  stuck_elsewhere_ = elsewhere.size();
  others_ -= std::min<std::uint64_t>(others_, stuck_elsewhere_);
}

// What each member keeps from others, and gave.
std::unordered_map<std::uint32_t, Kin> StuckGroup::each_one() const {
  std::unordered_map<std::uint32_t, Kin> all;
  for (const Awaited& object : objects_) {
    const Lock* const lock = say_.lock_at(object.lock);
    if (lock == nullptr) continue;
    if (is_held_kind(object.kind)) {
      for (const std::uint32_t giver : object.givers) all[giver].keeps.push_back(object.lock);
    }
    for (const Signaller& one : lock->signallers) {
      if (!has(one.thread)) continue;
      add_gift(all[one.thread], {object.lock, say_.call_place(one.site), one.count, &one});
    }
  }
  return all;
}

void StuckGroup::gather_kin() {
  std::unordered_map<std::uint32_t, Kin> each = each_one();
  std::map<std::string, std::size_t> known;
  for (std::size_t i = 0; i < objects_.size(); ++i) {
    for (const std::uint32_t waiter : objects_[i].waiters) {
      const Kin& one = each[waiter];
      const Thread& thread = *say_.thread_at(waiter);
      const std::string key = std::to_string(i) + key_of(one) +
                              std::to_string(static_cast<int>(thread.wait->kind)) +
                              say_.wait_place(thread);
      const auto [place, is_new] = known.try_emplace(key, kin_.size());
      if (is_new) kin_.emplace_back().keeps = one.keeps;
      Kin& kin = kin_[place->second];
      kin.threads.push_back(waiter);
      for (const Gift& gift : one.gifts) add_gift(kin, gift);
    }
  }
  for (Kin& kin : kin_) {
    std::stable_sort(kin.gifts.begin(), kin.gifts.end(), [](const Gift& a, const Gift& b) {
      return a.newest->last_ns > b.newest->last_ns;
    });
  }
}

}  // namespace impasse::report
