// Two workers at a queue: the scene of the tests of stuck groups.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <vector>

#include "groups_scene.h"

namespace impasse::test {

using Threads = std::vector<std::uint32_t>;

inline constexpr std::uint64_t kWork = 0x100, kRoom = 0x200, kDone = 0x300, kMutex = 0x10;

// Two workers that take from a queue and put back into it, and a thread that is up.
class StuckGroups : public ::testing::Test {
 protected:
  void SetUp() override {
    a_ = scene_.thread();
    b_ = scene_.thread();
    up_ = scene_.thread();
  }
  // Both wait for room in the queue, which only they make.
  void fill_the_queue() {
    for (const std::uint32_t worker : {a_, b_}) {
      scene_.waits_for(worker, kRoom, kMutex);
      scene_.signals(worker, kRoom, worker == b_ ? 7 : 3);
    }
  }
  GroupsScene scene_;
  std::uint32_t a_ = 0, b_ = 0, up_ = 0;
};

}  // namespace impasse::test
