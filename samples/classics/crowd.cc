#include <pthread.h>

#include <chrono>
#include <mutex>
#include <vector>

#include "classics/classics.h"
#include "silent_peer.h"

namespace classics {

constexpr std::size_t kCrowd = 2000;
constexpr std::size_t kSmallStack = std::size_t{64} << 10;

std::mutex catalogue_mutex;
std::atomic<std::size_t> asking{0};
std::size_t served = 0;

[[gnu::noinline]] void serveClient() {
  std::lock_guard lock(catalogue_mutex);
  ++served;
}

template <typename Work>
[[gnu::noinline]] void rebuildCatalogue(Work work) {
  std::lock_guard lock(catalogue_mutex);
  work();
}

namespace {

void* be_client(void*) {
  samples::name_this_thread("client");
  ++asking;
  serveClient();
  return nullptr;
}

std::vector<pthread_t> start_clients() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kSmallStack);
  std::vector<pthread_t> clients(kCrowd);
  for (pthread_t& client : clients) {
    if (pthread_create(&client, &attributes, be_client, nullptr) != 0) {
      samples::give_up("pthread_create");
    }
  }
  pthread_attr_destroy(&attributes);
  return clients;
}

}  // namespace

int crowd(const samples::Arguments& arguments, bool repaired) {
  std::atomic<bool> holds{false};
  samples::Actor rebuild("rebuild", [&] {
    if (repaired) std::this_thread::sleep_for(std::chrono::milliseconds(300));
    rebuildCatalogue([&] {
      holds = true;
      while (!repaired) std::this_thread::sleep_for(std::chrono::seconds(1));
    });
  });
  while (!repaired && !holds) std::this_thread::yield();
  const std::vector<pthread_t> clients = start_clients();
  if (!repaired) {
    samples::stay_stuck_when(arguments, [] { return asking == kCrowd; }, {&rebuild});
  }
  for (const pthread_t client : clients) pthread_join(client, nullptr);
  rebuild.join();
  return served == kCrowd ? 0 : 1;
}

}  // namespace classics
