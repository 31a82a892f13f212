// An object with locks of its own, to be loaded by order_cases. Nothing in it keeps it loaded.
#include <pthread.h>

extern "C" {

pthread_mutex_t plugin_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t plugin_table_mutex = PTHREAD_MUTEX_INITIALIZER;
int plugin_calls = 0;

[[gnu::noinline]] void pluginRegister() {
  pthread_mutex_lock(&plugin_mutex);
  ++plugin_calls;
  pthread_mutex_unlock(&plugin_mutex);
}

[[gnu::noinline]] void pluginNotify(void (*callback)()) {
  pthread_mutex_lock(&plugin_mutex);
  callback();
  ++plugin_calls;
  pthread_mutex_unlock(&plugin_mutex);
}

[[gnu::noinline]] void pluginForward() {
  pthread_mutex_lock(&plugin_mutex);
  pthread_mutex_lock(&plugin_table_mutex);
  ++plugin_calls;
  pthread_mutex_unlock(&plugin_table_mutex);
  pthread_mutex_unlock(&plugin_mutex);
}

[[gnu::noinline]] void pluginBackward() {
  pthread_mutex_lock(&plugin_table_mutex);
  pthread_mutex_lock(&plugin_mutex);
  --plugin_calls;
  pthread_mutex_unlock(&plugin_mutex);
  pthread_mutex_unlock(&plugin_table_mutex);
}

}  // extern "C"
