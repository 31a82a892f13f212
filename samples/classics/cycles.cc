#include <array>
#include <barrier>
#include <deque>
#include <mutex>
#include <shared_mutex>

#include "classics/classics.h"

namespace classics {

// ---- three threads, three locks

std::mutex north_mutex;
std::mutex east_mutex;
std::mutex south_mutex;
std::atomic<int> crossed{0};

template <typename Meeting>
[[gnu::noinline]] void cross(std::mutex& first, std::mutex& second, Meeting met) {
  std::lock_guard one(first);
  met();
  std::lock_guard other(second);
  ++crossed;
}

[[gnu::noinline]] void crossInOrder(std::mutex& first, std::mutex& second) {
  std::scoped_lock both(first, second);
  ++crossed;
}

int three_way(const samples::Arguments& arguments, bool repaired) {
  std::barrier<> all_have_one(3);
  const auto drive = [&](std::mutex& first, std::mutex& second) {
    return [&, repaired] {
      if (repaired) {
        for (int i = 0; i < 1000; ++i) crossInOrder(first, second);
      } else {
        cross(first, second, [&] { all_have_one.arrive_and_wait(); });
      }
    };
  };
  samples::Actor north("from-north", drive(north_mutex, east_mutex));
  samples::Actor east("from-east", drive(east_mutex, south_mutex));
  samples::Actor south("from-south", drive(south_mutex, north_mutex));
  if (!repaired) {
    samples::stay_stuck_when(arguments,
                             [&] {
                               return north.is_blocked_on(east_mutex) &&
                                      east.is_blocked_on(south_mutex) &&
                                      south.is_blocked_on(north_mutex);
                             },
                             {&north, &east, &south});
  }
  for (samples::Actor* one : {&north, &east, &south}) one->join();
  return crossed == 3000 ? 0 : 1;
}

// ---- five philosophers

constexpr std::size_t kPhilosophers = 5;
std::array<std::mutex, kPhilosophers> forks;
std::atomic<int> meals{0};

template <typename Meeting>
[[gnu::noinline]] void dine(std::mutex& left, std::mutex& right, Meeting met) {
  std::lock_guard one(left);
  met();
  std::lock_guard other(right);
  ++meals;
}

int philosophers(const samples::Arguments& arguments, bool repaired) {
  constexpr const char* kNames[kPhilosophers] = {"Platon", "Sokrates", "Kant", "Hegel", "Marx"};
  constexpr int kMeals = 200;
  std::barrier<> all_have_one(kPhilosophers);
  std::deque<samples::Actor> table;
  for (std::size_t i = 0; i < kPhilosophers; ++i) {
    table.emplace_back(kNames[i], [&, i, repaired] {
      std::size_t first = i;
      std::size_t second = (i + 1) % kPhilosophers;
      if (!repaired) {
        dine(forks[first], forks[second], [&] { all_have_one.arrive_and_wait(); });
        return;
      }
      // The last one reaches for the other fork first.
      if (first > second) std::swap(first, second);
      for (int meal = 0; meal < kMeals; ++meal) dine(forks[first], forks[second], [] {});
    });
  }
  if (!repaired) {
    samples::stay_stuck_when(arguments,
                             [&] {
                               for (std::size_t i = 0; i < kPhilosophers; ++i) {
                                 if (!table[i].is_blocked_on(forks[(i + 1) % kPhilosophers]))
                                   return false;
                               }
                               return true;
                             },
                             {&table[0], &table[1], &table[2], &table[3], &table[4]});
  }
  for (samples::Actor& philosopher : table) philosopher.join();
  return meals == static_cast<int>(kPhilosophers) * kMeals ? 0 : 1;
}

// ---- a reader of one lock wants to write the other, and the other way round

std::shared_mutex catalog_lock;
std::shared_mutex prices_lock;
int catalog_version = 0;
int prices_version = 0;

template <typename Meeting>
[[gnu::noinline]] void repriceFromCatalog(Meeting met) {
  std::shared_lock reading(catalog_lock);
  met();
  std::unique_lock writing(prices_lock);
  ++prices_version;
}

template <typename Meeting>
[[gnu::noinline]] void delistUnpriced(Meeting met) {
  std::shared_lock reading(prices_lock);
  met();
  std::unique_lock writing(catalog_lock);
  ++catalog_version;
}

[[gnu::noinline]] int readPrices(std::shared_mutex& lock) {
  std::shared_lock reading(lock);
  return prices_version;
}

[[gnu::noinline]] void delistInOrder() {
  std::unique_lock writing(catalog_lock);
  std::shared_lock reading(prices_lock);
  ++catalog_version;
}

int rwlock_mix(const samples::Arguments& arguments, bool repaired) {
  if (repaired) {
    constexpr int kRounds = 500;
    samples::Actor reprice("reprice", [] {
      for (int i = 0; i < kRounds; ++i) repriceFromCatalog([] {});
    });
    samples::Actor delist("delist", [] {
      for (int i = 0; i < kRounds; ++i) delistInOrder();
    });
    reprice.join();
    delist.join();
    return catalog_version == kRounds && prices_version == kRounds ? 0 : 1;
  }
  // A third one only reads, and is in nobody's way.
  std::barrier<> both_read(2);
  const auto met = [&] { both_read.arrive_and_wait(); };
  samples::Actor reprice("reprice", [&] { repriceFromCatalog(met); });
  samples::Actor delist("delist", [&] { delistUnpriced(met); });
  samples::Actor browser("browser", [] {
    for (;;) {
      readPrices(prices_lock);
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
  samples::stay_stuck_when(
      arguments,
      [&] { return reprice.is_blocked_on(prices_lock) && delist.is_blocked_on(catalog_lock); },
      {&reprice, &delist});
}

// ---- a thread is waited for under a lock that it needs

std::mutex results_mutex;
int results = 0;

[[gnu::noinline]] void addResult() {
  std::lock_guard lock(results_mutex);
  ++results;
}

[[gnu::noinline]] void collectUnderLock(samples::Actor& worker) {
  std::lock_guard lock(results_mutex);
  worker.join();
  ++results;
}

[[gnu::noinline]] void collectAfterJoin(samples::Actor& worker) {
  worker.join();
  std::lock_guard lock(results_mutex);
  ++results;
}

int join_under_lock(const samples::Arguments& arguments, bool repaired) {
  std::atomic<bool> held{repaired};
  samples::Actor worker("worker", [&] {
    while (!held) std::this_thread::yield();
    addResult();
  });
  if (repaired) {
    samples::Actor collector("collector", [&] { collectAfterJoin(worker); });
    collector.join();
    return results == 2 ? 0 : 1;
  }
  samples::Actor collector("collector", [&] { collectUnderLock(worker); });
  samples::stay_stuck_when(arguments,
                           [&] {
                             if (collector.is_joining(worker)) held = true;
                             return worker.is_blocked_on(results_mutex);
                           },
                           {&collector, &worker});
}

}  // namespace classics
