#include "outcomes/mutex_kinds.h"

#include <cerrno>

#include "support/deadline.h"

namespace outcomes {
namespace {

using transparency::deadline;
using transparency::every_when;
using transparency::When;

constexpr Attributes kEveryAttributes[] = {kPlain,   kShared,        kRobust, kRobustShared,
                                           kInherit, kInheritRobust, kProtect};

constexpr Type kEveryType[] = {
    {"default", PTHREAD_MUTEX_DEFAULT},      {"normal", PTHREAD_MUTEX_NORMAL},
    {"recursive", PTHREAD_MUTEX_RECURSIVE},  {"errorcheck", PTHREAD_MUTEX_ERRORCHECK},
    {"adaptive", PTHREAD_MUTEX_ADAPTIVE_NP},
};

int clocklock(pthread_mutex_t* mutex, clockid_t clock, When when) {
  const timespec until = deadline(clock, when);
  return pthread_mutex_clocklock(mutex, clock, &until);
}

int timedlock(pthread_mutex_t* mutex, When when) {
  const timespec until = deadline(CLOCK_REALTIME, when);
  return pthread_mutex_timedlock(mutex, &until);
}

std::vector<MutexCall> make_ways() {
  std::vector<MutexCall> ways = {
      {"lock", [](pthread_mutex_t* m) { return pthread_mutex_lock(m); }, true},
      {"trylock", [](pthread_mutex_t* m) { return pthread_mutex_trylock(m); }, false},
      {"clocklock bad clock",
       [](pthread_mutex_t* m) { return clocklock(m, CLOCK_PROCESS_CPUTIME_ID, When::kPast); },
       false},
  };
  for (const auto& point : every_when()) {
    const When when = point.when;
    const std::string suffix = std::string(" ") + point.name;
    ways.push_back(
        {"timedlock" + suffix, [when](pthread_mutex_t* m) { return timedlock(m, when); }, false});
    ways.push_back({"clocklock realtime" + suffix,
                    [when](pthread_mutex_t* m) { return clocklock(m, CLOCK_REALTIME, when); },
                    false});
    ways.push_back({"clocklock monotonic" + suffix,
                    [when](pthread_mutex_t* m) { return clocklock(m, CLOCK_MONOTONIC, when); },
                    false});
  }
  return ways;
}

}  // namespace

std::span<const Attributes> every_attributes() {
  return kEveryAttributes;
}

std::span<const Type> every_type() {
  return kEveryType;
}

Mutex::Mutex(const Attributes& attributes, const Type& type) {
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_settype(&attr, type.type);
  pthread_mutexattr_setrobust(&attr, attributes.robust);
  pthread_mutexattr_setprotocol(&attr, attributes.protocol);
  pthread_mutexattr_setpshared(&attr, attributes.shared);
  made_ = pthread_mutex_init(&mutex_, &attr);
  pthread_mutexattr_destroy(&attr);
}

const std::vector<MutexCall>& every_way_to_lock() {
  static const std::vector<MutexCall> ways = make_ways();
  return ways;
}

int try_and_release(pthread_mutex_t* mutex) {
  const int tried = pthread_mutex_trylock(mutex);
  if (tried == 0 || tried == EOWNERDEAD) pthread_mutex_unlock(mutex);
  return tried;
}

}  // namespace outcomes
