// A loaded object whose constructor starts threads and waits until they work, and whose destructor
// joins them: both under the loader's lock.
#include <pthread.h>

#include "plugins/plugin.h"

namespace {

pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_cond_t g_changed = PTHREAD_COND_INITIALIZER;
pthread_t g_threads[2];
int g_working = 0;
pthread_mutex_t g_kept = PTHREAD_MUTEX_INITIALIZER;
int g_used = 0;
bool g_stop = false;

void* work(void*) {
  pthread_mutex_lock(&g_mutex);
  ++g_working;
  pthread_cond_broadcast(&g_changed);
  while (!g_stop) pthread_cond_wait(&g_changed, &g_mutex);
  pthread_mutex_unlock(&g_mutex);
  return nullptr;
}

__attribute__((constructor)) void construct() {
  for (pthread_t& thread : g_threads) pthread_create(&thread, nullptr, work, nullptr);
  pthread_mutex_lock(&g_mutex);
  while (g_working < 2) pthread_cond_wait(&g_changed, &g_mutex);
  pthread_mutex_unlock(&g_mutex);
}

__attribute__((destructor)) void destruct() {
  pthread_mutex_lock(&g_mutex);
  g_stop = true;
  pthread_cond_broadcast(&g_changed);
  pthread_mutex_unlock(&g_mutex);
  for (const pthread_t thread : g_threads) pthread_join(thread, nullptr);
}

}  // namespace

extern "C" int plugin_use(int rounds) {
  for (int i = 0; i < rounds; ++i) {
    pthread_mutex_lock(&g_mutex);
    g_used += g_working;
    pthread_mutex_unlock(&g_mutex);
  }
  return g_used;
}

extern "C" int plugin_hold() {
  return pthread_mutex_lock(&g_kept);
}
extern "C" int plugin_release() {
  return pthread_mutex_unlock(&g_kept);
}
