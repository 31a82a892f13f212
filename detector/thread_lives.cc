#include "detector/thread_lives.h"

#include <algorithm>

namespace impasse {
namespace {

constexpr std::size_t kMostLinks = 256;
constexpr std::size_t kMostEarly = 256;
constexpr unsigned kMostNamesakes = 16;

}  // namespace

ThreadLives::Life* ThreadLives::find(ThreadNumber thread) {
  const auto place = lives_.find(thread);
  return place == lives_.end() ? nullptr : &place->second;
}

const ThreadLives::Life* ThreadLives::find(ThreadNumber thread) const {
  const auto place = lives_.find(thread);
  return place == lives_.end() ? nullptr : &place->second;
}

void ThreadLives::add(const LifeEvent& event) {
  switch (event.kind) {
    case LifeEvent::Kind::kBorn:
      born(event);
      break;
    case LifeEvent::Kind::kJoined:
      joined(event);
      break;
    case LifeEvent::Kind::kEnded:
      if (Life* const life = find(event.thread)) {
        life->ended = true;
      } else {
        put_aside(event);
      }
      break;
  }
  newest_ = std::max(newest_, event.moment);
}

void ThreadLives::pin(ThreadNumber thread) {
  if (Life* const life = find(thread)) ++life->pins;
}

void ThreadLives::unpin(ThreadNumber thread) {
  Life* const life = find(thread);
  if (life != nullptr && life->pins != 0) --life->pins;
}

bool ThreadLives::ended(ThreadNumber thread) const {
  const Life* const life = find(thread);
  return life == nullptr || life->ended;
}

std::uint32_t ThreadLives::phase(ThreadNumber thread) const {
  const Life* const life = find(thread);
  return life == nullptr ? 0 : life->phase;
}

void ThreadLives::born(const LifeEvent& event) {
  if (event.thread == 0 || knows(event.thread)) return;
  if (lives_.size() >= most_ && !make_room()) {
    ++counts_.refused;
    blind_ = true;
    return;
  }
  Life& life = lives_[event.thread];
  life.born = event.moment;
  life.origin = {event.other, event.moment};
  life.handle = event.handle;
  if (Life* const maker = find(event.other)) {
    ++maker->children;
    ++maker->phase;
  }
  if (event.handle != 0) name_by_handle(event.thread, life);
  if (event.moment < newest_) adopt(event.thread);
  welcome_early(event.thread);
}

// Its birth came late: others may have said already that they are its children, or joined by it.
void ThreadLives::adopt(ThreadNumber thread) {
  Life& life = lives_[thread];
  std::vector<ThreadNumber> joinees;
  for (const auto& [number, other] : lives_) {
    if (other.origin.thread == thread) {
      ++life.children;
      ++life.phase;
    }
    if (other.joined != kNever && other.joiner == thread) joinees.push_back(number);
    life.linked += static_cast<std::uint32_t>(
        std::count_if(other.links.begin(), other.links.end(),
                      [thread](const Link& link) { return link.past.thread == thread; }));
  }
  for (const ThreadNumber joinee : joinees) came_home(joinee, *find(joinee), life);
}

// The newest first; a birth that comes late finds its place behind it.
void ThreadLives::name_by_handle(ThreadNumber thread, Life& life) {
  const auto [place, is_new] = by_handle_.emplace(life.handle, thread);
  if (is_new) return;
  Life* const newest = find(place->second);
  if (newest != nullptr && newest->born > life.born) {
    life.namesake = newest->namesake;
    newest->namesake = thread;
    return;
  }
  life.namesake = newest == nullptr ? 0 : place->second;
  place->second = thread;
}

ThreadNumber ThreadLives::bearer(std::uint64_t handle, std::uint64_t moment) const {
  const auto place = by_handle_.find(handle);
  ThreadNumber thread = place == by_handle_.end() ? 0 : place->second;
  for (unsigned i = 0; i < kMostNamesakes && thread != 0; ++i) {
    const Life* const life = find(thread);
    if (life == nullptr) return 0;
    if (life->born <= moment) return thread;
    thread = life->namesake;
  }
  return 0;
}

void ThreadLives::put_aside(const LifeEvent& event) {
  if (blind_) {
    give_up_on(event);
    return;
  }
  if (early_.size() == kMostEarly) {
    give_up_on(early_.front());
    early_.erase(early_.begin());
  }
  early_.push_back(event);
}

// Somebody joined a thread of which nothing is known: anything may have come before.
void ThreadLives::give_up_on(const LifeEvent& event) {
  if (event.kind != LifeEvent::Kind::kJoined) return;
  ++counts_.strays;
  add_link(event.other, {event.moment, {0, event.moment}});
}

void ThreadLives::welcome_early(ThreadNumber thread) {
  if (early_.empty()) return;
  const Life& life = lives_[thread];
  std::vector<LifeEvent> due;
  std::erase_if(early_, [&](const LifeEvent& event) {
    const bool meant = event.thread == thread ||
                       (event.thread == 0 && event.handle != 0 && event.handle == life.handle);
    if (!meant || event.moment < life.born) return false;
    due.push_back(event);
    return true;
  });
  for (const LifeEvent& event : due) add(event);
}

void ThreadLives::joined(const LifeEvent& event) {
  const ThreadNumber thread = event.thread != 0 ? event.thread : bearer(event.handle, event.moment);
  Life* const life = find(thread);
  // One that bore the handle before may be taken for one that is not known.
  if (life == nullptr || (blind_ && event.thread == 0)) put_aside(event);
  if (life == nullptr || life->joined != kNever || event.other == thread) return;
  life->ended = true;
  life->joined = event.moment;
  life->joiner = event.other;
  if (Life* const joiner = find(event.other)) came_home(thread, *life, *joiner);
}

void ThreadLives::came_home(ThreadNumber thread, Life& life, Life& joiner) {
  ++joiner.joinees;
  ++joiner.phase;
  life.enclosed = true;
  const bool by_maker = life.origin.thread == life.joiner;
  if (!by_maker || !life.links.empty() || life.vague_since != kNever) open_up(thread, life);
}

// It is enclosed no more (INV-ENCLOSED): its joiner has to remember it, and then may itself be
// enclosed no more, and so on upwards.
void ThreadLives::open_up(ThreadNumber thread, Life& life) {
  life.enclosed = false;
  add_link(life.joiner, {life.joined, {thread, life.joined}});
}

void ThreadLives::add_link(ThreadNumber thread, const Link& link) {
  Life* const life = find(thread);
  if (life == nullptr || link.past.thread == thread) return;
  if (link.past.thread == 0) {  // one of these is enough: it says little
    const auto other = std::find_if(life->links.begin(), life->links.end(),
                                    [](const Link& known) { return known.past.thread == 0; });
    if (other != life->links.end()) {
      other->at = std::min(other->at, link.at);
      other->past.until = std::max(other->past.until, link.past.until);
      return;
    }
  }
  const auto covers = [](const Link& a, const Link& b) {
    return a.past.thread == b.past.thread && a.at <= b.at && a.past.until >= b.past.until;
  };
  if (std::any_of(life->links.begin(), life->links.end(),
                  [&](const Link& known) { return covers(known, link); })) {
    return;
  }
  std::erase_if(life->links, [&](const Link& known) {
    if (!covers(link, known)) return false;
    if (Life* const other = find(known.past.thread)) --other->linked;
    return true;
  });
  if (life->links.size() < kMostLinks) {
    life->links.push_back(link);
    if (Life* const other = find(link.past.thread)) ++other->linked;
  } else {
    life->vague_since = std::min(life->vague_since, link.at);
  }
  if (life->enclosed) open_up(thread, *life);
}

// ---------------------------------------------------------------------------------------------
// The question.

// What came after t1's m1 for certain and without a search: the one who joined it, from then on;
// the one who joined that one, and so on. True: it is known already that t2's m2 comes after.
bool ThreadLives::mark_spine(ThreadNumber t1, std::uint64_t m1, std::uint64_t m2) const {
  ThreadNumber thread = t1;
  std::uint64_t moment = m1;
  for (unsigned i = 0; i < kMostSteps; ++i) {
    const Life* const life = find(thread);
    if (life == nullptr) {  // forgotten, or not known: it may be before anything from here on
      counts_.unknown += m2 >= moment ? 1 : 0;
      return m2 >= moment;
    }
    life->spine_mark = search_;
    life->spine_moment = moment;
    if (life->joined == kNever || life->joined > m2) return false;
    thread = life->joiner;
    moment = std::max(life->joined, moment);
  }
  ++counts_.gave_up;
  return true;
}

// With too many gaps to keep, the last two become one.
void ThreadLives::lost(std::uint64_t from, std::uint64_t until) {
  if (!gaps_.empty()) from = std::max(from, gaps_.back().from);
  if (gaps_.size() == kMostGaps) {
    gaps_.back().until = std::max(gaps_.back().until, until);
  } else {
    gaps_.push_back({from, until});
  }
}

bool ThreadLives::gap_between(std::uint64_t m1, std::uint64_t m2) const {
  const auto next =
      std::lower_bound(gaps_.begin(), gaps_.end(), m1,
                       [](const Gap& gap, std::uint64_t moment) { return gap.until < moment; });
  return next != gaps_.end() && next->from <= m2;
}

bool ThreadLives::before(ThreadNumber t1, std::uint64_t m1, ThreadNumber t2,
                         std::uint64_t m2) const {
  if (t1 == t2) return m1 <= m2;
  const Life* const first = find(t1);
  const Life* const second = find(t2);
  const bool gap = m1 <= m2 && gap_between(m1, m2);
  if (gap || first == nullptr || second == nullptr || first->handed_on || second->handed_on) {
    ++counts_.unknown;
    return true;
  }
  if (m1 > m2) return false;  // every way leads forward in the one sequence of moments
  ++search_;
  if (mark_spine(t1, m1, m2)) return true;
  todo_.assign(1, {t2, m2});
  unsigned steps = 0;
  while (!todo_.empty()) {
    const Past past = todo_.back();
    todo_.pop_back();
    if (past.until < m1) continue;
    if (++steps > kMostSteps) {
      ++counts_.gave_up;
      return true;
    }
    const Life* const life = find(past.thread);
    if (life == nullptr || life->vague_since <= past.until) {
      ++counts_.unknown;
      return true;
    }
    if (life->spine_mark == search_ && past.until >= life->spine_moment) return true;
    if (life->mark == search_ && life->reached_until >= past.until) continue;
    life->mark = search_;
    life->reached_until = past.until;
    if (life->origin.until >= m1) todo_.push_back(life->origin);
    for (const Link& link : life->links) {
      if (link.at <= past.until && link.past.until >= m1) todo_.push_back(link.past);
    }
    steps += static_cast<unsigned>(life->links.size() / 8);
  }
  return false;
}

}  // namespace impasse
