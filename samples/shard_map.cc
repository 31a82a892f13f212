// Remove while iterating.
//
// A sharded map has a read-write lock for each shard. Iteration holds a shard's lock for reading;
// the loop's body removes what has expired, which takes the lock of the same shard for writing, in
// the same thread. It freezes silently and uses no CPU. Whoever inserts into that shard waits too.
//
// Prints "stuck: TID TID", the threads "expiry" and "insert", and stays so.
//   --repaired    collects first, then removes: ends with 0
#include <array>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sample.h"

constexpr std::size_t kShards = 16;
constexpr int kKeys = 1000;
constexpr int kExpired = 7;  // and all its multiples

class ShardMap {
 public:
  [[gnu::noinline]] void insert(int key, std::string value) {
    Shard& shard = shard_of(key);
    std::unique_lock lock(shard.mutex);
    shard.entries.insert_or_assign(key, std::move(value));
  }

  [[gnu::noinline]] bool remove(int key) {
    Shard& shard = shard_of(key);
    std::unique_lock lock(shard.mutex);
    return shard.entries.erase(key) != 0;
  }

  template <typename Visitor>
  [[gnu::noinline]] void forEach(Visitor visit) {
    for (Shard& shard : shards_) {
      std::shared_lock lock(shard.mutex);
      for (const auto& [key, value] : shard.entries) visit(key);
    }
  }

  const std::shared_mutex& mutex_of(int key) { return shard_of(key).mutex; }

 private:
  struct Shard {
    std::shared_mutex mutex;
    std::unordered_map<int, std::string> entries;
  };

  Shard& shard_of(int key) { return shards_[static_cast<std::size_t>(key) % kShards]; }

  std::array<Shard, kShards> shards_;
};

template <typename Meanwhile>
[[gnu::noinline]] int removeExpired(ShardMap& map, Meanwhile meanwhile) {
  int removed = 0;
  map.forEach([&](int key) {
    if (key % kExpired != 0) return;
    meanwhile(key);
    removed += map.remove(key);
  });
  return removed;
}

[[gnu::noinline]] int collectAndRemoveExpired(ShardMap& map) {
  std::vector<int> expired;
  map.forEach([&](int key) {
    if (key % kExpired == 0) expired.push_back(key);
  });
  int removed = 0;
  for (const int key : expired) removed += map.remove(key);
  return removed;
}

namespace {

[[noreturn]] void run_stuck(const samples::Arguments& arguments, ShardMap& map) {
  std::atomic<int> at{-1};
  samples::Actor insert("insert", [&] {
    while (at < 0) std::this_thread::yield();
    map.insert(at, "fresh");
  });
  const auto until_somebody_inserts = [&](int key) {
    at = key;
    samples::wait_until([&] { return insert.is_blocked_on(map.mutex_of(key)); });
  };
  samples::Actor expiry("expiry", [&] { removeExpired(map, until_somebody_inserts); });
  const auto both_wait = [&] {
    return at >= 0 && insert.is_blocked_on(map.mutex_of(at)) &&
           expiry.is_blocked_on(map.mutex_of(at));
  };
  samples::stay_stuck_when(arguments, both_wait, {&expiry, &insert});
}

int run_repaired(ShardMap& map) {
  int removed = 0;
  samples::Actor expiry("expiry", [&] { removed = collectAndRemoveExpired(map); });
  samples::Actor insert("insert", [&] {
    for (int key = kKeys; key < 2 * kKeys; ++key) {
      if (key % kExpired != 0) map.insert(key, "fresh");
    }
  });
  expiry.join();
  insert.join();
  int left = 0;
  map.forEach([&](int) { ++left; });
  const int fresh = kKeys - (2 * kKeys - 1) / kExpired + (kKeys - 1) / kExpired;
  return removed == (kKeys - 1) / kExpired + 1 && left == kKeys - removed + fresh ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  samples::Arguments arguments(argc, argv, "[--repaired]");
  const bool repaired = arguments.flag("--repaired");
  arguments.no_more();
  ShardMap map;
  for (int key = 0; key < kKeys; ++key) map.insert(key, "value of " + std::to_string(key));
  if (repaired) return run_repaired(map);
  run_stuck(arguments, map);
}
