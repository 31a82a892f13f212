// The mutexes that the cases try: every type with one set of attributes.
#pragma once

#include <pthread.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

namespace outcomes {

struct Attributes {
  const char* name;
  int robust = PTHREAD_MUTEX_STALLED;
  int protocol = PTHREAD_PRIO_NONE;
  int shared = PTHREAD_PROCESS_PRIVATE;
};

inline constexpr Attributes kPlain{.name = "plain"};
inline constexpr Attributes kShared{.name = "shared", .shared = PTHREAD_PROCESS_SHARED};
inline constexpr Attributes kRobust{.name = "robust", .robust = PTHREAD_MUTEX_ROBUST};
inline constexpr Attributes kRobustShared{
    .name = "robust+shared", .robust = PTHREAD_MUTEX_ROBUST, .shared = PTHREAD_PROCESS_SHARED};
inline constexpr Attributes kInherit{.name = "inherit", .protocol = PTHREAD_PRIO_INHERIT};
inline constexpr Attributes kInheritRobust{
    .name = "inherit+robust", .robust = PTHREAD_MUTEX_ROBUST, .protocol = PTHREAD_PRIO_INHERIT};
inline constexpr Attributes kProtect{.name = "protect", .protocol = PTHREAD_PRIO_PROTECT};

std::span<const Attributes> every_attributes();

struct Type {
  const char* name;
  int type;

  // Whether glibc knows the owner: locking again and unlocking wrongly then have results.
  bool counts() const { return type == PTHREAD_MUTEX_RECURSIVE; }
  bool checks() const { return type == PTHREAD_MUTEX_ERRORCHECK || counts(); }
};

std::span<const Type> every_type();

class Mutex {
 public:
  Mutex(const Attributes& attributes, const Type& type);
  pthread_mutex_t* get() { return &mutex_; }
  int made() const { return made_; }

 private:
  pthread_mutex_t mutex_{};
  int made_ = 0;
};

// One way to ask for a mutex, or to do something else to it.
struct MutexCall {
  std::string name;
  std::function<int(pthread_mutex_t*)> call;
  bool may_block;  // forever, when the mutex is not to be had
};

// trylock, lock, and the timed calls with every clock and deadline.
const std::vector<MutexCall>& every_way_to_lock();

// Who can have it now: locks and unlocks by trying.
int try_and_release(pthread_mutex_t* mutex);

}  // namespace outcomes
