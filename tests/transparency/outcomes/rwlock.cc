// Read-write locks of every kind: alone, against other threads, handed over, behind a waiting
// writer.
#include <pthread.h>

#include <cerrno>
#include <functional>
#include <string>
#include <vector>

#include "outcomes/cases.h"
#include "support/blocked.h"
#include "support/bystander.h"
#include "support/deadline.h"
#include "support/driver.h"
#include "support/observed.h"

namespace outcomes {
namespace {

using transparency::Bystander;
using transparency::deadline;
using transparency::error_name;
using transparency::every_when;
using transparency::observe;
using transparency::Observed;
using transparency::say;
using transparency::When;

constexpr struct Kind {
  const char* name;
  int kind;
  int shared;
} kKinds[] = {
    {"reader", PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_PROCESS_PRIVATE},
    {"writer", PTHREAD_RWLOCK_PREFER_WRITER_NP, PTHREAD_PROCESS_PRIVATE},
    {"writer-nonrecursive", PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP, PTHREAD_PROCESS_PRIVATE},
    {"reader+shared", PTHREAD_RWLOCK_PREFER_READER_NP, PTHREAD_PROCESS_SHARED},
    {"writer-nonrecursive+shared", PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP,
     PTHREAD_PROCESS_SHARED},
};

class RwLock {
 public:
  explicit RwLock(const Kind& kind) {
    pthread_rwlockattr_t attr;
    pthread_rwlockattr_init(&attr);
    pthread_rwlockattr_setkind_np(&attr, kind.kind);
    pthread_rwlockattr_setpshared(&attr, kind.shared);
    made_ = observe([&] { return pthread_rwlock_init(&lock_, &attr); });
    pthread_rwlockattr_destroy(&attr);
  }
  pthread_rwlock_t* get() { return &lock_; }
  const Observed& made() const { return made_; }

 private:
  pthread_rwlock_t lock_{};
  Observed made_{};
};

struct RwCall {
  std::string name;
  std::function<int(pthread_rwlock_t*)> call;
  bool may_block;
};

using TimedCall = int (*)(pthread_rwlock_t*, const timespec*);
using ClockCall = int (*)(pthread_rwlock_t*, clockid_t, const timespec*);

void add_timed(std::vector<RwCall>& ways, const char* name, TimedCall timed) {
  for (const auto& point : every_when()) {
    const When when = point.when;
    ways.push_back({std::string(name) + " " + point.name,
                    [=](pthread_rwlock_t* lock) {
                      const timespec until = deadline(CLOCK_REALTIME, when);
                      return timed(lock, &until);
                    },
                    false});
  }
}

void add_clocked(std::vector<RwCall>& ways, const char* name, ClockCall clocked) {
  const struct {
    const char* name;
    clockid_t clock;
  } clocks[] = {{" realtime ", CLOCK_REALTIME},
                {" monotonic ", CLOCK_MONOTONIC},
                {" bad clock ", CLOCK_PROCESS_CPUTIME_ID}};
  for (const auto& [clock_name, clock] : clocks) {
    for (const auto& point : every_when()) {
      const When when = point.when;
      ways.push_back({std::string(name) + clock_name + point.name,
                      [=, clock = clock](pthread_rwlock_t* lock) {
                        const timespec until = deadline(clock, when);
                        return clocked(lock, clock, &until);
                      },
                      false});
    }
  }
}

const std::vector<RwCall>& every_way_to_lock() {
  static const std::vector<RwCall> ways = [] {
    std::vector<RwCall> made = {
        {"tryrdlock", pthread_rwlock_tryrdlock, false},
        {"trywrlock", pthread_rwlock_trywrlock, false},
        {"rdlock", pthread_rwlock_rdlock, true},
        {"wrlock", pthread_rwlock_wrlock, true},
    };
    add_timed(made, "timedrdlock", pthread_rwlock_timedrdlock);
    add_timed(made, "timedwrlock", pthread_rwlock_timedwrlock);
    add_clocked(made, "clockrdlock", pthread_rwlock_clockrdlock);
    add_clocked(made, "clockwrlock", pthread_rwlock_clockwrlock);
    return made;
  }();
  return ways;
}

bool writes(const RwCall& way) {
  return way.name.find("wr") != std::string::npos;
}

// "r", "w", both or none: what a thread could have right now.
const char* could_have(pthread_rwlock_t* lock) {
  const bool read = pthread_rwlock_tryrdlock(lock) == 0;
  if (read) pthread_rwlock_unlock(lock);
  const bool write = pthread_rwlock_trywrlock(lock) == 0;
  if (write) pthread_rwlock_unlock(lock);
  if (read) return write ? "read+write" : "read";
  return write ? "write" : "nothing";
}

const char* another_could_have(Bystander& other, pthread_rwlock_t* lock) {
  const char* answer = "";
  other.run([&] { answer = could_have(lock); });
  return answer;
}

void try_and_tell(const Kind& kind, const char* situation, const RwCall& way,
                  pthread_rwlock_t* lock, Bystander& third) {
  const Observed seen = observe([&] { return way.call(lock); });
  const char* others = another_could_have(third, lock);
  const char* unlocked = "-";
  if (seen.result == 0) {
    const Observed unlocking = observe([&] { return pthread_rwlock_unlock(lock); });
    unlocked = unlocking.errno_after == Observed::kMarker ? unlocking.name() : "errno changed";
  }
  say("rwlock %s | %s | %s -> %s, %s | third could have %s, unlock %s, third could have %s",
      kind.name, situation, way.name.c_str(), seen.name(), seen.errno_text(), others, unlocked,
      another_could_have(third, lock));
}

}  // namespace

void rwlock_alone() {
  Bystander third;
  const struct {
    const char* name;
    int reads, writes;
  } situations[] = {{"free", 0, 0},
                    {"read by self", 1, 0},
                    {"read by self 3 times", 3, 0},
                    {"written by self", 0, 1}};
  for (const Kind& kind : kKinds) {
    for (const auto& situation : situations) {
      RwLock lock(kind);
      say("rwlock %s | init -> %s, %s", kind.name, lock.made().name(), lock.made().errno_text());
      for (int i = 0; i < situation.reads; ++i) pthread_rwlock_rdlock(lock.get());
      for (int i = 0; i < situation.writes; ++i) pthread_rwlock_wrlock(lock.get());
      for (const RwCall& way : every_way_to_lock()) {
        // An upgrade waits for its own caller; glibc sees only a second write lock.
        if (way.may_block && writes(way) && situation.reads > 0) continue;
        try_and_tell(kind, situation.name, way, lock.get(), third);
      }
      for (int i = 0; i < situation.reads + situation.writes; ++i) {
        const Observed seen = observe([&] { return pthread_rwlock_unlock(lock.get()); });
        say("rwlock %s | %s | unlock -> %s, %s | third could have %s", kind.name, situation.name,
            seen.name(), seen.errno_text(), another_could_have(third, lock.get()));
      }
      const Observed seen = observe([&] { return pthread_rwlock_destroy(lock.get()); });
      say("rwlock %s | %s | destroy -> %s, %s", kind.name, situation.name, seen.name(),
          seen.errno_text());
    }
  }
}

void rwlock_against_another() {
  Bystander first;
  Bystander second;
  Bystander third;
  for (const Kind& kind : kKinds) {
    for (const bool written : {false, true}) {
      RwLock lock(kind);
      const char* situation = written ? "written by other" : "read by two others";
      if (written) {
        first.run([&] { pthread_rwlock_wrlock(lock.get()); });
      } else {
        for (Bystander* reader : {&first, &second}) {
          reader->run([&] { pthread_rwlock_rdlock(lock.get()); });
        }
      }
      for (const RwCall& way : every_way_to_lock()) {
        if (way.may_block && (written || writes(way))) continue;
        try_and_tell(kind, situation, way, lock.get(), third);
      }
      first.run([&] { pthread_rwlock_unlock(lock.get()); });
      if (!written) second.run([&] { pthread_rwlock_unlock(lock.get()); });
      say("rwlock %s | %s | after their unlocks third could have %s", kind.name, situation,
          another_could_have(third, lock.get()));
    }
  }
}

void rwlock_handed_over() {
  Bystander holder;
  Bystander asker;
  const timespec far_realtime = deadline(CLOCK_REALTIME, When::kFar);
  const timespec far_monotonic = deadline(CLOCK_MONOTONIC, When::kFar);
  const RwCall ways[] = {
      {"rdlock", pthread_rwlock_rdlock, true},
      {"wrlock", pthread_rwlock_wrlock, true},
      {"timedrdlock", [&](auto* l) { return pthread_rwlock_timedrdlock(l, &far_realtime); }, true},
      {"timedwrlock", [&](auto* l) { return pthread_rwlock_timedwrlock(l, &far_realtime); }, true},
      {"clockrdlock",
       [&](auto* l) { return pthread_rwlock_clockrdlock(l, CLOCK_MONOTONIC, &far_monotonic); },
       true},
      {"clockwrlock",
       [&](auto* l) { return pthread_rwlock_clockwrlock(l, CLOCK_MONOTONIC, &far_monotonic); },
       true},
  };
  for (const Kind& kind : kKinds) {
    for (const RwCall& way : ways) {
      for (const bool written : {false, true}) {
        if (!written && !writes(way)) continue;
        RwLock lock(kind);
        holder.run([&] {
          written ? pthread_rwlock_wrlock(lock.get()) : pthread_rwlock_rdlock(lock.get());
        });
        Observed seen{};
        asker.start([&] { seen = observe([&] { return way.call(lock.get()); }); });
        transparency::wait_until_blocked_on(asker.tid(), lock.get(), sizeof(pthread_rwlock_t));
        const int released = holder.ask([&] { return pthread_rwlock_unlock(lock.get()); });
        asker.finish();
        const char* meanwhile = could_have(lock.get());
        const int unlocked = asker.ask([&] { return pthread_rwlock_unlock(lock.get()); });
        say("rwlock %s | %s by other | %s -> %s, %s | unlock %s, third could have %s, unlock %s",
            kind.name, written ? "written" : "read", way.name.c_str(), seen.name(),
            seen.errno_text(), error_name(released), meanwhile, error_name(unlocked));
      }
    }
  }
}

// A reader holds, a writer waits: whether more readers get in is what the kinds differ in.
void rwlock_behind_a_writer() {
  Bystander reader;
  Bystander writer;
  for (const Kind& kind : kKinds) {
    RwLock lock(kind);
    reader.run([&] { pthread_rwlock_rdlock(lock.get()); });
    Observed written{};
    writer.start([&] { written = observe([&] { return pthread_rwlock_wrlock(lock.get()); }); });
    transparency::wait_until_blocked_on(writer.tid(), lock.get(), sizeof(pthread_rwlock_t));
    for (const RwCall& way : every_way_to_lock()) {
      if (way.may_block) continue;
      for (const bool again : {false, true}) {
        Observed seen{};
        const auto attempt = [&] {
          seen = observe([&] { return way.call(lock.get()); });
          if (seen.result == 0) pthread_rwlock_unlock(lock.get());
        };
        again ? reader.run(attempt) : attempt();
        say("rwlock %s | read, a writer waits | %s %s -> %s, %s", kind.name,
            again ? "the reader's" : "another's", way.name.c_str(), seen.name(), seen.errno_text());
      }
    }
    reader.run([&] { pthread_rwlock_unlock(lock.get()); });
    writer.finish();
    say("rwlock %s | the writer's turn | wrlock -> %s, %s | third could have %s", kind.name,
        written.name(), written.errno_text(), could_have(lock.get()));
    writer.run([&] { pthread_rwlock_unlock(lock.get()); });
  }
}

// A read lock given back by another thread works; the others are counted as readers that never
// were, and leave a lock of which only some calls still come back.
void rwlock_wrongly_unlocked() {
  Bystander holder;
  Bystander third;
  const struct {
    const char* name;
    int (*take)(pthread_rwlock_t*);
  } situations[] = {{"read by other", pthread_rwlock_rdlock},
                    {"written by other", pthread_rwlock_wrlock},
                    {"free", [](pthread_rwlock_t*) { return 0; }}};
  for (const Kind& kind : kKinds) {
    for (const auto& situation : situations) {
      RwLock lock(kind);
      holder.run([&] { situation.take(lock.get()); });
      const Observed seen = observe([&] { return pthread_rwlock_unlock(lock.get()); });
      say("rwlock %s | %s | unlock -> %s, %s | third could have %s", kind.name, situation.name,
          seen.name(), seen.errno_text(), another_could_have(third, lock.get()));
      say("    then holder could have %s", another_could_have(holder, lock.get()));
    }
    RwLock lock(kind);
    pthread_rwlock_wrlock(lock.get());
    const Observed destroyed = observe([&] { return pthread_rwlock_destroy(lock.get()); });
    say("rwlock %s | written by self | destroy -> %s, %s", kind.name, destroyed.name(),
        destroyed.errno_text());
  }
}

}  // namespace outcomes
