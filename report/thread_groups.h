// Threads that do the same: grouped by equal stacks and equal kinds of wait, as a reader would.
//
// Promises: every thread is in one group; groups stand in the order of their first members. Cost:
// linear in the frames.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "report/phrases.h"

namespace impasse::report {

struct ThreadGroup {
  std::vector<std::uint32_t> threads;  // in Report::threads; longest wait first
};

// For the sections on threads: same stack, same state, same kinds of holds. `same_lock`: those who
// wait for different locks are kept apart.
std::vector<ThreadGroup> group_threads(const Phrases& say, const std::vector<std::uint32_t>& which,
                                       bool same_lock);

// For the picture: same wait on the same way to it, and the same answer to `apart`.
std::vector<ThreadGroup> group_waits(const Phrases& say, const std::vector<std::uint32_t>& which,
                                     const std::function<bool(std::uint32_t)>& apart);

void longest_first(const Phrases& say, std::vector<std::uint32_t>& threads);

// The longest and the shortest time that the threads of a group have been in their state; nothing:
// not known.
struct AgeRange {
  std::optional<std::uint64_t> longest;
  std::optional<std::uint64_t> shortest;
};
AgeRange age_range(const Phrases& say, const ThreadGroup& group);

}  // namespace impasse::report
