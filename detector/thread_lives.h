// Which threads could have run at the same time, as far as making and joining threads tells.
//
// Promises: pure values, no lock, no I/O; used by one thread. Remembers at most `most` threads:
// ended ones that nobody has pinned go first, and what happened before what is kept for the others.
// Never claims that two things could meet without proof: about a thread that it does not know (its
// birth was lost, or it had to be forgotten) and where the search takes too long it says "ordered".
//
// Costs: a birth or a join is a look-up; `before` follows the makers of the later thread and such
// joins as are not by the maker itself: nested making and joining, however much of it, costs
// nothing. At most kMostSteps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <unordered_map>
#include <vector>

#include "detector/order_sight.h"

namespace impasse {

class ThreadLives {
 public:
  static constexpr std::size_t kMostThreads = 65'536;
  static constexpr unsigned kMostSteps = 10'000;
  static constexpr std::size_t kMostGaps = 1'024;

  struct Counts {
    std::uint64_t forgotten = 0;        // ended threads
    std::uint64_t lost = 0;             // ... that somebody still referred to
    std::uint64_t refused = 0;          // births, because too many are alive
    std::uint64_t strays = 0;           // joins of threads that were not known
    mutable std::uint64_t unknown = 0;  // answers "ordered" for want of knowledge
    mutable std::uint64_t gave_up = 0;  // ... because it took too long
  };

  explicit ThreadLives(std::size_t most = kMostThreads) : most_(most) {}

  // Best in the order of their moments; one that comes late is sorted in.
  void add(const LifeEvent& event);

  // Events are missing, all of them drawn between these moments: of what was done before the second
  // nobody knows whether it could meet what was done after the first.
  void lost(std::uint64_t from, std::uint64_t until);

  // Whether all that t1 did up to m1 happened before whatever t2 does from m2 on.
  bool before(ThreadNumber t1, std::uint64_t m1, ThreadNumber t2, std::uint64_t m2) const;
  // Neither can be shown to have met the other.
  bool ordered(ThreadNumber t1, std::uint64_t m1, ThreadNumber t2, std::uint64_t m2) const {
    return before(t1, m1, t2, m2) || before(t2, m2, t1, m1);
  }

  // Somebody will ask about it: remember it as long as that can be.
  void pin(ThreadNumber thread);
  void unpin(ThreadNumber thread);

  bool knows(ThreadNumber thread) const { return lives_.contains(thread); }
  bool ended(ThreadNumber thread) const;
  // Goes up whenever the thread makes or joins another. What it did in one phase is before and
  // after the same things of others.
  std::uint32_t phase(ThreadNumber thread) const;
  std::size_t size() const { return lives_.size(); }
  const Counts& counts() const { return counts_; }

 private:
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  // All that a thread did up to a moment. Thread 0, and one that is not known, may be anybody.
  struct Past {
    ThreadNumber thread = 0;
    std::uint64_t until = 0;
  };
  struct Link {
    std::uint64_t at = 0;  // from here on the thread comes after that past
    Past past;
  };
  struct Life {
    std::uint64_t born = 0;
    Past origin;
    std::uint64_t handle = 0;
    ThreadNumber namesake = 0;  // an older one with the same handle
    ThreadNumber joiner = 0;
    std::uint64_t joined = kNever;
    bool ended = false;
    bool handed_on = false;  // what it made knows of it no more: as good as forgotten
    // INV-ENCLOSED: joined by the one that made it, and so was all that it joined itself. Whatever
    // came before it came before its joiner in other ways too: no search need go through it.
    bool enclosed = false;
    std::uint32_t pins = 0;
    std::uint32_t children = 0;  // remembered threads whose origin it is
    std::uint32_t joinees = 0;   // remembered threads that it joined
    std::uint32_t linked = 0;    // links of others to it
    std::uint32_t phase = 0;
    std::vector<Link> links;             // from joining those that were not enclosed
    std::uint64_t vague_since = kNever;  // more links than can be kept
    // Of the present search.
    mutable std::uint64_t mark = 0;
    mutable std::uint64_t reached_until = 0;
    mutable std::uint64_t spine_mark = 0;
    mutable std::uint64_t spine_moment = 0;
  };

  Life* find(ThreadNumber thread);
  const Life* find(ThreadNumber thread) const;
  void born(const LifeEvent& event);
  void joined(const LifeEvent& event);
  void came_home(ThreadNumber thread, Life& life, Life& joiner);
  void adopt(ThreadNumber thread);
  void give_up_on(const LifeEvent& event);
  void name_by_handle(ThreadNumber thread, Life& life);
  ThreadNumber bearer(std::uint64_t handle, std::uint64_t moment) const;
  void put_aside(const LifeEvent& event);
  void welcome_early(ThreadNumber thread);

  void add_link(ThreadNumber thread, const Link& link);
  void open_up(ThreadNumber thread, Life& life);

  bool gap_between(std::uint64_t m1, std::uint64_t m2) const;
  bool mark_spine(ThreadNumber t1, std::uint64_t m1, std::uint64_t m2) const;
  bool make_room();
  void skip_ended_makers();
  bool direct_link(const Life& life) const;
  bool forgettable(const Life& life) const;
  void forget(ThreadNumber thread);
  void forget_politely(bool unjoined_too);
  void forget_by_force(std::size_t target);

  std::size_t most_;
  std::unordered_map<ThreadNumber, Life> lives_;
  std::unordered_map<std::uint64_t, ThreadNumber> by_handle_;
  struct Gap {
    std::uint64_t from;
    std::uint64_t until;
  };
  std::vector<Gap> gaps_;         // in which events are missing; ascending
  std::vector<LifeEvent> early_;  // came before the birth that they belong to
  std::size_t births_until_room_ = 0;
  std::uint64_t newest_ = 0;  // of all moments so far
  bool blind_ = false;        // threads that it does not know may yet be joined
  mutable std::vector<Past> todo_;
  mutable std::uint64_t search_ = 0;
  Counts counts_;
};

}  // namespace impasse
