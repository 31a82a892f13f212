// Locks that end, and others in their memory: what was known of the old ones says nothing of the
// new ones. Each case checks that the address is the same; if it is not, nothing would be shown.
#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

#include "order_cases/order_cases.h"

namespace order_cases {

namespace {

struct Pair {
  std::mutex first;
  std::mutex second;
};

constexpr const char* kElsewhere = "the memory is not used again";

// Not a pointer: what it pointed to is gone, and only the number is compared.
using Address = std::uintptr_t;

Address address_of(const void* object) {
  return reinterpret_cast<Address>(object);
}

// Two threads that live through all of it. `next_life` is called in between by main().
template <typename Forward, typename NextLife, typename Backward>
void in_two_lives(Forward forward, NextLife next_life, Backward backward) {
  Semaphore begin[2], done[2], curtain[2];
  const auto part = [&](int which, const auto& play) {
    begin[which].wait();
    play();
    done[which].post();
    curtain[which].wait();
  };
  samples::Actor first("first-life", [&] { part(0, forward); });
  samples::Actor second("second-life", [&] { part(1, backward); });
  begin[0].post();
  done[0].wait();
  next_life();
  begin[1].post();
  done[1].wait();
  for (Semaphore& one : curtain) one.post();
  first.join();
  second.join();
}

}  // namespace

void destroyed_and_made(Stage& stage) {
  pthread_mutex_t one;
  pthread_mutex_t other;
  struct Native {
    pthread_mutex_t& mutex;
    [[gnu::always_inline]] inline void lock() { pthread_mutex_lock(&mutex); }
    [[gnu::always_inline]] inline void unlock() { pthread_mutex_unlock(&mutex); }
  };
  Native first{one};
  Native second{other};
  const auto make = [&] {
    pthread_mutex_init(&one, nullptr);
    pthread_mutex_init(&other, nullptr);
  };
  const auto destroy = [&] {
    pthread_mutex_destroy(&one);
    pthread_mutex_destroy(&other);
  };
  make();
  in_two_lives([&] { takeForward(first, second); },
               [&] {
                 destroy();
                 make();
               },
               [&] { takeBackward(second, first); });
  stage.shown();
  destroy();
}

void freed_object(Stage& stage) {
  auto* pair = new Pair;
  in_two_lives([&] { takeForward(pair->first, pair->second); },
               [&] {
                 const Address before = address_of(pair);
                 delete pair;
                 pair = new Pair;
                 must_be(address_of(pair) == before, kElsewhere);
               },
               [&] { takeBackward(pair->second, pair->first); });
  stage.shown();
  delete pair;
}

void reallocated(Stage& stage) {
  constexpr std::size_t kMuchMore = 1 << 16;
  void* block = std::malloc(sizeof(Pair));
  void* const behind_it = std::malloc(sizeof(Pair));
  void* moved = nullptr;
  Pair* pair = new (block) Pair;
  in_two_lives([&] { takeForward(pair->first, pair->second); },
               [&] {
                 const Address before = address_of(block);
                 moved = std::realloc(block, kMuchMore);
                 must_be(address_of(moved) != before, "realloc does not move the block");
                 block = std::malloc(sizeof(Pair));
                 must_be(address_of(block) == before, kElsewhere);
                 pair = new (block) Pair;
               },
               [&] { takeBackward(pair->second, pair->first); });
  stage.shown();
  std::free(block);
  std::free(behind_it);
  std::free(moved);
}

namespace {

// Hands out a frame with two locks in it for as long as `use` lasts.
template <typename Use>
[[gnu::noinline]] void with_locks_in_a_frame(Use use) {
  Pair pair;
  // NOLINTNEXTLINE(clang-analyzer-core.StackAddressEscape): its address, a number, outlives it
  use(pair);
}

}  // namespace

void popped_frame(Stage& stage) {
  Pair* pair = nullptr;
  Semaphore begin[2], done[2];
  const auto part = [&](int which, const auto& play) {
    begin[which].wait();
    play();
    done[which].post();
  };
  samples::Actor first("pool-1", [&] {
    part(0, [&] { takeForward(pair->first, pair->second); });
    begin[0].wait();
  });
  samples::Actor second("pool-2", [&] {
    part(1, [&] { takeBackward(pair->second, pair->first); });
    begin[1].wait();
  });
  Address lives[2] = {};
  for (int which : {0, 1}) {
    with_locks_in_a_frame([&, which](Pair& in_frame) {
      lives[which] = address_of(&in_frame);
      pair = &in_frame;
      begin[which].post();
      done[which].wait();
      if (which == 1) stage.shown();
      pair = nullptr;
    });
  }
  must_be(lives[0] == lives[1], kElsewhere);
  begin[0].post();
  begin[1].post();
  first.join();
  second.join();
}

// A host has two locks on its stack and lets a guest that lives elsewhere use them. Hosts and
// guests of the first and the second life are not kept apart by joins: guests stay.
void ended_stack(Stage& stage) {
  Pair* pair = nullptr;
  Address lives[2] = {};
  Semaphore begin[2], done[2], curtain[2];
  const auto guest = [&](int which) {
    begin[which].wait();
    if (which == 0) takeForward(pair->first, pair->second);
    if (which == 1) takeBackward(pair->second, pair->first);
    done[which].post();
    curtain[which].wait();
  };
  samples::Actor first("guest-1", [&] { guest(0); });
  samples::Actor second("guest-2", [&] { guest(1); });
  for (int which : {0, 1}) {
    samples::Actor host("host", [&] {
      Pair on_stack;
      pair = &on_stack;
      lives[which] = address_of(&on_stack);
      begin[which].post();
      done[which].wait();
      if (which == 1) stage.shown();
    });
    host.join();
  }
  must_be(lives[0] == lives[1], kElsewhere);
  for (Semaphore& one : curtain) one.post();
  first.join();
  second.join();
}

void unmapped(Stage& stage) {
  constexpr std::size_t kBytes = 1 << 16;
  const auto map = [](void* at) {
    void* const memory =
        mmap(at, kBytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | (at != nullptr ? MAP_FIXED_NOREPLACE : 0), -1, 0);
    must_be(memory != MAP_FAILED && (at == nullptr || memory == at), kElsewhere);
    return memory;
  };
  void* const memory = map(nullptr);
  Pair* pair = new (memory) Pair;
  in_two_lives([&] { takeForward(pair->first, pair->second); },
               [&] {
                 munmap(memory, kBytes);
                 pair = new (map(memory)) Pair;
               },
               [&] { takeBackward(pair->second, pair->first); });
  stage.shown();
  munmap(memory, kBytes);
}

}  // namespace order_cases
