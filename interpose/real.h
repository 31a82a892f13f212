// The functions that the program would have called without us, one pointer for each row of
// functions.def.
//
// Each pointer starts at a stub that finds the next definition after ours (so that other preloaded
// objects keep their turn) and then goes there: no "are we ready?" test, right from before our
// constructor runs.
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <sys/types.h>
#include <threads.h>

#include <atomic>
#include <cstddef>
#include <ctime>

namespace impasse::real {

#define IMPASSE_FUNCTION(result, name, params, args, version) \
  extern std::atomic<result(*) params> name __attribute__((visibility("hidden")));
#include "interpose/functions.def"
#undef IMPASSE_FUNCTION

// Finds all of them now, from our constructor: a later first call would ask the loader for its
// lock, which another thread may hold for ever, and would wipe out what the program's dlerror() had
// to say.
void resolve_all();

template <typename Result, typename... Params>
inline auto call(const std::atomic<Result (*)(Params...)>& function) {
  return function.load(std::memory_order_relaxed);
}

}  // namespace impasse::real
