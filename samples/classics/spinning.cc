// Whoever waits for a spinlock runs, so that the kernel cannot tell: what is claimed here is that
// the threads are about to ask.
#include <barrier>

#include "classics/classics.h"

namespace classics {
namespace {

class Spinlock {
 public:
  Spinlock() { pthread_spin_init(&native, PTHREAD_PROCESS_PRIVATE); }
  ~Spinlock() { pthread_spin_destroy(&native); }
  Spinlock(const Spinlock&) = delete;
  Spinlock& operator=(const Spinlock&) = delete;
  pthread_spinlock_t native{};
};

}  // namespace

Spinlock ring_lock;
Spinlock stats_lock;
int packets = 0;
int drops = 0;
std::atomic<int> about_to_ask{0};

[[gnu::noinline]] void countDrop(bool locks) {
  if (locks) {
    ++about_to_ask;
    pthread_spin_lock(&ring_lock.native);
  }
  ++drops;
  if (locks) pthread_spin_unlock(&ring_lock.native);
}

[[gnu::noinline]] void pushPacket(bool drop_locks) {
  pthread_spin_lock(&ring_lock.native);
  ++packets;
  countDrop(drop_locks);
  pthread_spin_unlock(&ring_lock.native);
}

int spin_self(const samples::Arguments& arguments, bool repaired) {
  constexpr int kPackets = 10'000;
  samples::Actor receiver("receiver", [repaired] {
    for (int i = 0; i < kPackets; ++i) pushPacket(!repaired);
  });
  if (!repaired) {
    samples::stay_stuck_when(arguments, [] { return about_to_ask == 1; }, {&receiver});
  }
  receiver.join();
  return packets == kPackets && drops == kPackets ? 0 : 1;
}

template <typename Meeting>
[[gnu::noinline]] void receive(Meeting met) {
  pthread_spin_lock(&ring_lock.native);
  met();
  pthread_spin_lock(&stats_lock.native);
  ++packets;
  pthread_spin_unlock(&stats_lock.native);
  pthread_spin_unlock(&ring_lock.native);
}

template <typename Meeting>
[[gnu::noinline]] void publishStats(Meeting met) {
  pthread_spin_lock(&stats_lock.native);
  met();
  pthread_spin_lock(&ring_lock.native);
  ++drops;
  pthread_spin_unlock(&ring_lock.native);
  pthread_spin_unlock(&stats_lock.native);
}

[[gnu::noinline]] void publishInOrder() {
  pthread_spin_lock(&ring_lock.native);
  pthread_spin_lock(&stats_lock.native);
  ++drops;
  pthread_spin_unlock(&stats_lock.native);
  pthread_spin_unlock(&ring_lock.native);
}

int spin_abba(const samples::Arguments& arguments, bool repaired) {
  constexpr int kRounds = 1000;
  std::barrier<> both_hold_one(2);
  const auto met = [&] {
    both_hold_one.arrive_and_wait();
    ++about_to_ask;
  };
  samples::Actor receiver("receiver", [&] {
    if (!repaired) return receive(met);
    for (int i = 0; i < kRounds; ++i) receive([] {});
  });
  samples::Actor publisher("publisher", [&] {
    if (!repaired) return publishStats(met);
    for (int i = 0; i < kRounds; ++i) publishInOrder();
  });
  if (!repaired) {
    samples::stay_stuck_when(arguments, [] { return about_to_ask == 2; }, {&receiver, &publisher});
  }
  receiver.join();
  publisher.join();
  return packets == kRounds && drops == kRounds ? 0 : 1;
}

}  // namespace classics
