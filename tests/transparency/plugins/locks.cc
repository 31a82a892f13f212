// A loaded object with static locks that its constructor and destructor use.
#include <pthread.h>

#include <mutex>
#include <shared_mutex>

#include "plugins/plugin.h"

namespace {

pthread_mutex_t g_static_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_rwlock_t g_static_rwlock = PTHREAD_RWLOCK_INITIALIZER;
pthread_mutex_t g_kept = PTHREAD_MUTEX_INITIALIZER;
int g_used = 0;

struct Resource {
  std::mutex mutex;
  std::shared_mutex shared;
  Resource() { use(); }
  ~Resource() { use(); }
  void use() {
    const std::scoped_lock lock(mutex);
    const std::shared_lock reading(shared);
    pthread_mutex_lock(&g_static_mutex);
    pthread_rwlock_wrlock(&g_static_rwlock);
    ++g_used;
    pthread_rwlock_unlock(&g_static_rwlock);
    pthread_mutex_unlock(&g_static_mutex);
  }
} g_resource;

__attribute__((constructor)) void construct() {
  g_resource.use();
}
__attribute__((destructor)) void destruct() {
  g_resource.use();
}

}  // namespace

extern "C" int plugin_use(int rounds) {
  for (int i = 0; i < rounds; ++i) g_resource.use();
  return g_used;
}

extern "C" int plugin_hold() {
  return pthread_mutex_lock(&g_kept);
}
extern "C" int plugin_release() {
  return pthread_mutex_unlock(&g_kept);
}
