// Which of the ended threads ThreadLives forgets when there are too many, and what of them it keeps
// for the others.
#include <algorithm>
#include <utility>
#include <vector>

#include "detector/thread_lives.h"

namespace impasse {

// Whether there is room for one more.
bool ThreadLives::make_room() {
  // So many may be alive that looking again after every birth would find nothing each time.
  if (births_until_room_ != 0) {
    --births_until_room_;
    return false;
  }
  const std::size_t target = most_ - most_ / 4;
  forget_politely(false);
  if (lives_.size() > target) forget_politely(true);
  forget_by_force(target);
  if (lives_.size() < most_) return true;
  births_until_room_ = most_ / 8;
  return false;
}

// An ended thread that nobody asks about hands its own origin on to those that it made; else a
// chain of threads that each make the next one would have to be kept for ever.
void ThreadLives::skip_ended_makers() {
  std::vector<std::pair<std::uint64_t, ThreadNumber>> by_age;
  by_age.reserve(lives_.size());
  for (const auto& [number, life] : lives_) by_age.emplace_back(life.born, number);
  // The oldest first: then a maker has been handed its own origin already.
  std::sort(by_age.begin(), by_age.end());
  for (const auto& [born, number] : by_age) {
    Life& life = *find(number);
    Life* const maker = find(life.origin.thread);
    if (maker == nullptr || !maker->ended || maker->pins != 0 || maker->joinees != 0 ||
        !maker->links.empty() || maker->vague_since != kNever) {
      continue;
    }
    --maker->children;
    maker->handed_on = true;
    life.origin = maker->origin;
    if (Life* const elder = find(life.origin.thread)) ++elder->children;
  }
}

// Its joiner has a link for it.
bool ThreadLives::direct_link(const Life& life) const {
  return life.joined != kNever && !life.enclosed && knows(life.joiner);
}

bool ThreadLives::forgettable(const Life& life) const {
  return life.ended && life.pins == 0 && life.children == 0 && life.joinees == 0 &&
         life.linked <= (direct_link(life) ? 1U : 0U);
}

void ThreadLives::forget(ThreadNumber thread) {
  const auto place = lives_.find(thread);
  const Life life = std::move(place->second);
  lives_.erase(place);
  ++counts_.forgotten;
  blind_ = blind_ || life.joined == kNever;  // whoever joins it now joins an unknown one
  if (Life* const maker = find(life.origin.thread)) --maker->children;
  for (const Link& link : life.links) {
    if (Life* const other = find(link.past.thread)) --other->linked;
  }
  const auto named = by_handle_.find(life.handle);
  if (named != by_handle_.end() && named->second == thread) {
    if (knows(life.namesake)) {
      named->second = life.namesake;
    } else {
      by_handle_.erase(named);
    }
  }
  Life* const joiner = life.joined == kNever ? nullptr : find(life.joiner);
  if (joiner == nullptr) return;
  --joiner->joinees;
  if (life.enclosed) return;
  // What came before it goes on to come before its joiner.
  std::erase_if(joiner->links, [&](const Link& link) {
    return link.past.thread == thread && link.at == life.joined;
  });
  add_link(life.joiner, {life.joined, life.origin});
  for (const Link& link : life.links) add_link(life.joiner, {life.joined, link.past});
  if (life.vague_since != kNever) {
    joiner->vague_since = std::min(joiner->vague_since, life.joined);
  }
}

// Those that nobody joined, if they must go at all: most are detached, but some may yet be joined.
void ThreadLives::forget_politely(bool unjoined_too) {
  skip_ended_makers();
  const auto may_go = [&](const Life& life) {
    return forgettable(life) && (unjoined_too || life.joined != kNever);
  };
  std::vector<ThreadNumber> leaving;
  do {  // each round may set free the makers and joiners of those that left
    leaving.clear();
    for (const auto& [number, life] : lives_) {
      if (may_go(life)) leaving.push_back(number);
    }
    for (const ThreadNumber thread : leaving) {
      const Life* const life = find(thread);
      if (life != nullptr && may_go(*life)) forget(thread);
    }
  } while (!leaving.empty());
}

void ThreadLives::forget_by_force(std::size_t target) {
  if (lives_.size() <= target) return;
  struct Candidate {
    bool pinned;
    std::uint64_t born;
    ThreadNumber thread;
  };
  std::vector<Candidate> candidates;
  for (const auto& [number, life] : lives_) {
    if (life.ended) candidates.push_back({life.pins != 0, life.born, number});
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return a.pinned != b.pinned ? b.pinned : a.born < b.born;
  });
  for (const Candidate& candidate : candidates) {
    if (lives_.size() <= target) return;
    ++counts_.lost;
    blind_ = true;
    forget(candidate.thread);
  }
}

}  // namespace impasse
