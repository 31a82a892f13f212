// C11's threads, mutexes and conditions.
#include <sys/types.h>
#include <threads.h>
#include <unistd.h>

#include <atomic>
#include <functional>

#include "actor.h"
#include "blocked.h"
#include "expected.h"
#include "locks.h"
#include "situation.h"

namespace facts {
namespace {

// A thread of C11 that does one thing.
class Part {
 public:
  explicit Part(std::function<void(Part&)> play) : play_(std::move(play)) {
    must(thrd_create(&thread_, run, this) == thrd_success);
    tid_.wait(0);
  }
  // From the part itself: what it was to reach has been reached.
  void ready() { ready_.open(); }
  void await_ready() { ready_.pass(); }
  void join() { must(thrd_join(thread_, nullptr) == thrd_success); }

  pid_t tid() const { return tid_; }
  thrd_t handle() const { return thread_; }

 private:
  static int run(void* self) {
    auto& part = *static_cast<Part*>(self);
    part.tid_.store(gettid());
    part.tid_.notify_all();
    part.play_(part);
    return 0;
  }

  std::function<void(Part&)> play_;
  std::atomic<pid_t> tid_{0};
  Gate ready_;
  thrd_t thread_{};
};

struct Locks {
  mtx_t plain;
  mtx_t recursive;
  mtx_t timed;
  mtx_t tried;
  mtx_t met;
  cnd_t condition;

  Locks() {
    for (mtx_t* one : {&plain, &tried, &met}) must(mtx_init(one, mtx_plain) == thrd_success);
    must(mtx_init(&recursive, mtx_plain | mtx_recursive) == thrd_success);
    must(mtx_init(&timed, mtx_timed) == thrd_success);
    must(cnd_init(&condition) == thrd_success);
  }
  ~Locks() {
    for (mtx_t* one : {&plain, &recursive, &timed, &tried, &met}) mtx_destroy(one);
    cnd_destroy(&condition);
  }
  Locks(const Locks&) = delete;
  Locks& operator=(const Locks&) = delete;
};

void c11_threads() {
  Locks locks;
  Gate gate;
  int lines[3] = {};
  Part holder([&](Part& self) {
    const timespec never = in_ms(CLOCK_REALTIME, kNeverMs);
    lines[0] = __LINE__, must(mtx_lock(&locks.plain) == thrd_success);
    for (int i = 0; i < 3; ++i) must(mtx_lock(&locks.recursive) == thrd_success);
    must(mtx_timedlock(&locks.timed, &never) == thrd_success);
    must(mtx_trylock(&locks.tried) == thrd_success);
    must(mtx_trylock(&locks.plain) == thrd_busy);
    self.ready();
    gate.pass();
    for (mtx_t* one : {&locks.plain, &locks.recursive, &locks.recursive, &locks.recursive,
                       &locks.timed, &locks.tried}) {
      must(mtx_unlock(one) == thrd_success);
    }
    thrd_exit(0);
  });
  holder.await_ready();
  Part waiter([&](Part&) {
    lines[1] = __LINE__, must(mtx_lock(&locks.plain) == thrd_success);
    must(mtx_unlock(&locks.plain) == thrd_success);
  });
  until_blocked(waiter.tid(), locks.plain);
  Part timed_waiter([&](Part&) {
    const timespec past = in_ms(CLOCK_REALTIME, -1);
    must(mtx_timedlock(&locks.timed, &past) == thrd_timedout);
    const timespec never = in_ms(CLOCK_REALTIME, kNeverMs);
    must(mtx_timedlock(&locks.timed, &never) == thrd_success);
    must(mtx_unlock(&locks.timed) == thrd_success);
  });
  until_blocked(timed_waiter.tid(), locks.timed);
  Part meeting([&](Part& self) {
    must(mtx_lock(&locks.met) == thrd_success);
    lines[2] = __LINE__, must(cnd_wait(&locks.condition, &locks.met) == thrd_success);
    self.ready();
    must(mtx_unlock(&locks.met) == thrd_success);
  });
  until_blocked(meeting.tid(), locks.condition);
  Part joiner([&](Part&) { holder.join(); });
  until_joining(joiner.tid(), holder.handle());

  const int tids[] = {holder.tid(), waiter.tid(), timed_waiter.tid(), meeting.tid(), joiner.tid()};
  const auto expected = Expected()
                            .numbers("threads", tids)
                            .numbers("lines", lines)
                            .address("plain", &locks.plain)
                            .address("recursive", &locks.recursive)
                            .address("timed", &locks.timed)
                            .address("tried", &locks.tried)
                            .address("met", &locks.met)
                            .address("condition", &locks.condition);
  Expected(expected).number("step", 1).show();
  gate.open();
  must(cnd_signal(&locks.condition) == thrd_success);
  for (Part* part : {&joiner, &waiter, &timed_waiter, &meeting}) part->join();
  Expected(expected).number("step", 2).show();
}

// By thrd_exit, holding one.
void c11_departed() {
  Locks locks;
  Part departed([&](Part&) {
    must(mtx_lock(&locks.plain) == thrd_success);
    thrd_exit(0);
  });
  departed.join();
  Expected().number("departed", departed.tid()).address("lock", &locks.plain).show();
  must(mtx_unlock(&locks.plain) == thrd_success);
  Expected().number("departed", departed.tid()).show();
}

constexpr Situation kSituations[] = {
    {"c11_threads", c11_threads},
    {"c11_departed", c11_departed},
};

}  // namespace

std::span<const Situation> c11_situations() {
  return kSituations;
}

}  // namespace facts
