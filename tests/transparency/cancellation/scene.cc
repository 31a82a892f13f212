#include "cancellation/scene.h"

#include <unistd.h>

#include "support/blocked.h"
#include "support/observed.h"

namespace cancellation {

using transparency::error_name;
using transparency::require;
using transparency::say;

const char* value_name(void* value) {
  if (value == PTHREAD_CANCELED) return "PTHREAD_CANCELED";
  return value ? "a value" : "null";
}

Scene::Scene(int type, int robust) {
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_settype(&attr, type);
  pthread_mutexattr_setrobust(&attr, robust);
  pthread_mutex_init(&mutex, &attr);
  pthread_mutexattr_destroy(&attr);
}

void Scene::start(void* (*body)(void*)) {
  require(pthread_create(&victim, nullptr, body, this) == 0, "a thread starts");
  tid.wait(0);
}

void Scene::announce() {
  tid.store(gettid());
  tid.notify_all();
}

void Scene::cancel() {
  cancelled = pthread_cancel(victim);
}

void Scene::end() {
  void* value = nullptr;
  const int joined = pthread_join(victim, &value);
  const int tried = pthread_mutex_trylock(&mutex);
  say("cancel %s", error_name(cancelled));
  say("join %s, value %s, trylock afterwards %s", error_name(joined), value_name(value),
      error_name(tried));
  if (tried == 0) pthread_mutex_unlock(&mutex);
}

void unlock_in_handler(void* data) {
  auto& scene = *static_cast<Scene*>(data);
  const int locked_again = pthread_mutex_lock(&scene.mutex);
  const int unlocked = pthread_mutex_unlock(&scene.mutex);
  say("handler: lock again %s, unlock %s", error_name(locked_again), error_name(unlocked));
}

void* lock_and_block(void* data) {
  auto& scene = *static_cast<Scene*>(data);
  const Noisy outer("the outer object");
  pthread_mutex_lock(&scene.mutex);
  pthread_cleanup_push(unlock_in_handler, data);
  const Noisy inner("the inner object");
  scene.announce();
  for (;;) scene.block(scene);
  pthread_cleanup_pop(1);
  return nullptr;
}

void cancel_while_blocked(void (*block)(Scene&), const volatile void* on, Scene& scene) {
  scene.block = block;
  scene.start(lock_and_block);
  transparency::wait_until_blocked_on(scene.tid, on ? on : &scene.cond,
                                      on ? kThreadBlock : sizeof scene.cond);
  scene.cancel();
  scene.end();
}

}  // namespace cancellation
