// How groups of threads that are stuck are told apart, how many are told, and what that costs.
#include "detector/stuck_groups.h"

#include <algorithm>
#include <ctime>

#include "stuck_groups_scene.h"

namespace impasse {
namespace {

using namespace test;

TEST_F(StuckGroups, GroupsThatHaveNothingInCommonAreTwo) {
  fill_the_queue();
  const auto x = scene_.thread(), y = scene_.thread();
  scene_.waits_for(x, kDone, 0x11);
  scene_.waits_for(y, kDone, 0x11);
  scene_.signals(x, kDone);
  const auto verdicts = scene_.judged_groups();
  ASSERT_EQ(verdicts.size(), 2U);
  EXPECT_EQ(waiters_of(verdicts[0]), (Threads{a_, b_}));
  EXPECT_EQ(waiters_of(verdicts[1]), (Threads{x, y}));
  EXPECT_NE(verdicts[0].sites, verdicts[1].sites);
}

TEST_F(StuckGroups, AlikeByTheirPlaces) {
  fill_the_queue();
  const std::uint64_t sites = scene_.group().sites;
  const auto more = scene_.thread();
  scene_.waits_for(more, kRoom, kMutex);
  EXPECT_EQ(scene_.group().sites, sites);
  scene_.snapshot.threads[more].wait->site = 0x99;
  scene_.object(kRoom).woken_sites |= site_bit(0x99);
  EXPECT_NE(scene_.group().sites, sites);
}

TEST_F(StuckGroups, ManyOfOneKindAreBounded) {
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto x = scene_.thread();
    scene_.waits_for(x, 0x1'000 + i, 0x10'000 + i).site = 5;
    scene_.object(0x1'000 + i).woken_sites |= site_bit(5);
    scene_.signals(x, 0x1'000 + i);
  }
  EXPECT_EQ(scene_.judged_groups().size(), 16U);
}

// Processor time of this thread, the best of several: what other processes do does not count.
double time_of_pool(unsigned workers) {
  const auto processor_seconds = [] {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
  };
  GroupsScene scene;
  const auto source = scene.thread();
  for (unsigned i = 0; i < workers; ++i) {
    const auto worker = scene.thread();
    scene.waits_for(worker, kWork, kMutex);
    scene.signals(worker, kWork);
  }
  scene.joins(source, 1, test::kLasting);
  GroupsScene::all_tasks.push_back(4'711);
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const double begin = processor_seconds();
    EXPECT_EQ(scene.group().crowd.size(), workers + 1);
    best = std::min(best, processor_seconds() - begin);
  }
  return best;
}

// Forty times the threads: 40 times the work when linear, 1,600 times when not. Caches that are too
// small for so many stay far below the limit.
TEST(StuckGroupsAtSize, CostIsNotQuadratic) {
  EXPECT_LT(time_of_pool(20'000), 400 * time_of_pool(500));
}

}  // namespace
}  // namespace impasse
