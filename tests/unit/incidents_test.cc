#include "detector/incidents.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "test_ledger.h"

namespace impasse {
namespace {

using test::TestLedger;

TEST(Incidents, APlaceIsToldOnce) {
  EXPECT_FALSE(Incidents::seen(1, 0x1234));
  EXPECT_TRUE(Incidents::seen(1, 0x1234));
  EXPECT_FALSE(Incidents::seen(2, 0x1234));
  EXPECT_FALSE(Incidents::seen(1, 0x1238));
}

TEST(Incidents, ManyPlacesAreEachToldOnceUntilEnoughWereTold) {
  unsigned told = 0;
  for (unsigned round = 0; round < 3; ++round) {
    for (std::uint64_t site = 1; site <= 200; ++site) {
      if (!Incidents::seen(7, site * 0x1'0001)) ++told;
    }
  }
  EXPECT_EQ(told, 200U);
  for (std::uint64_t site = 1; site <= 1'000; ++site) {
    if (!Incidents::seen(8, site)) ++told;
  }
  EXPECT_LE(told, 256U);
}

TEST(Incidents, AFullTableIsCounted) {
  TestLedger ledger;
  Incidents incidents(*ledger);
  for (std::uint64_t i = 0; i < kSmallGeometry.incidents; ++i) {
    ASSERT_NE(incidents.claim(), nullptr);
  }
  EXPECT_EQ(incidents.claim(), nullptr);
  EXPECT_EQ(ledger.counter(k_incidents_dropped), 1U);
}

TEST(Incidents, NoMemoryIsCountedToo) {
  static bool room;
  room = true;
  TestLedger ledger(kSmallGeometry, [](void*, std::size_t) { return room; });
  room = false;
  EXPECT_EQ(Incidents(*ledger).claim(), nullptr);
  EXPECT_EQ(ledger.counter(k_incidents_dropped), 1U);
}

// Every one that was told arrives whole, once.
TEST(Incidents, ManyThreadsTellOneListens) {
  TestLedger ledger;
  constexpr std::uint64_t kEach = 2'000;
  std::atomic<std::uint64_t> told{0};
  std::atomic<int> at_work{4};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Incidents incidents(*ledger);
      for (std::uint64_t i = 0; i < kEach; ++i) {
        Incident* const incident = incidents.claim();
        if (incident == nullptr) continue;
        incident->lock = t * kEach + i;
        incident->site = ~(t * kEach + i);
        told.fetch_add(1);
        Incidents::tell(*incident);
      }
      at_work.fetch_sub(1);
    });
  }
  std::set<std::uint64_t> heard;
  Incidents incidents(*ledger);
  const auto listen = [&] {
    incidents.each([&](const Incident& incident) {
      EXPECT_EQ(incident.site, ~incident.lock);
      EXPECT_TRUE(heard.insert(incident.lock).second);
    });
  };
  while (at_work.load() != 0) listen();
  for (std::thread& thread : threads) thread.join();
  listen();
  EXPECT_EQ(heard.size(), told.load());
  EXPECT_EQ(told.load() + ledger.counter(k_incidents_dropped), 4 * kEach);
}

}  // namespace
}  // namespace impasse
