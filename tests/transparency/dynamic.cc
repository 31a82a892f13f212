// Objects loaded and unloaded while the program runs, with locks and threads in their constructors;
// and the lock functions reached by looking them up instead of by linking.
#include <dlfcn.h>
#include <pthread.h>

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "plugins/plugin.h"
#include "support/bystander.h"
#include "support/driver.h"
#include "support/observed.h"

namespace {

using transparency::error_name;
using transparency::require;
using transparency::say;

constexpr int kCycles = 200;

class Plugin {
 public:
  explicit Plugin(const char* name) {
    std::string path = transparency::own_path();
    path.replace(path.rfind('/') + 1, std::string::npos, name);
    handle_ = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    require(handle_, "the plugin loads");
  }
  ~Plugin() { require(dlclose(handle_) == 0, "the plugin unloads"); }
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;

  int use(int rounds) { return function<decltype(plugin_use)>("plugin_use")(rounds); }
  int hold() { return function<decltype(plugin_hold)>("plugin_hold")(); }
  int release() { return function<decltype(plugin_release)>("plugin_release")(); }

 private:
  template <typename Function>
  Function* function(const char* name) {
    auto* found = reinterpret_cast<Function*>(dlsym(handle_, name));
    require(found, name);
    return found;
  }

  void* handle_ = nullptr;
};

constexpr char kLocks[] = "libtransparency_locks.so";
constexpr char kThreads[] = "libtransparency_threads.so";

void load_and_unload() {
  int used = 0;
  for (int i = 0; i < kCycles; ++i) used += Plugin(kLocks).use(10);
  say("used %d times", used);
}

void threads_in_constructors() {
  int used = 0;
  for (int i = 0; i < kCycles; ++i) used += Plugin(kThreads).use(10);
  say("used %d times", used);
}

// Three loaders at a time, and others who only lock meanwhile.
void loaded_by_many() {
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::atomic<int> used{0};
  std::thread traffic([&] {
    while (!stop) const std::scoped_lock lock(mutex);
  });
  std::vector<std::thread> loaders;
  for (const char* name : {kLocks, kThreads, kLocks}) {
    loaders.emplace_back([&, name] {
      for (int i = 0; i < kCycles / 4; ++i) {
        Plugin plugin(name);
        const std::scoped_lock lock(mutex);
        used += plugin.use(1) > 0;
      }
    });
  }
  for (std::thread& loader : loaders) loader.join();
  stop = true;
  traffic.join();
  say("used by %d loads", used.load());
}

// The static mutex goes while it is held, and comes back free, often at the same address.
void unloaded_while_held() {
  int held = 0;
  for (int i = 0; i < kCycles; ++i) held += Plugin(i % 2 ? kLocks : kThreads).hold() == 0;
  Plugin last(kLocks);
  held += last.hold() == 0;
  const int released = last.release();
  say("held %d times, released %s", held, error_name(released));
}

void loaded_while_holding() {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
  int used = 0;
  for (int i = 0; i < 20; ++i) {
    pthread_mutex_lock(&mutex);
    pthread_rwlock_rdlock(&rwlock);
    used += Plugin(kLocks).use(1);
    pthread_rwlock_unlock(&rwlock);
    pthread_mutex_unlock(&mutex);
  }
  say("used %d times, mutex %s", used, error_name(pthread_mutex_trylock(&mutex)));
}

// Loaded by one thread, unloaded by another, used by a third.
void passed_between_threads() {
  transparency::Bystander loader;
  transparency::Bystander user;
  int used = 0;
  for (int i = 0; i < 50; ++i) {
    Plugin* plugin = nullptr;
    loader.run([&] { plugin = new Plugin(i % 2 ? kLocks : kThreads); });
    user.run([&] { used += plugin->use(1); });
    delete plugin;
  }
  say("used %d times", used);
}

using MutexFunction = int (*)(pthread_mutex_t*);

struct Source {
  const char* name;
  void* (*find)(const char* function);
};

void* find_in_libc(const char* function) {
  static void* libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  require(libc, "libc is there");
  return dlsym(libc, function);
}

constexpr Source kSources[] = {
    {"default", [](const char* name) { return dlsym(RTLD_DEFAULT, name); }},
    {"next", [](const char* name) { return dlsym(RTLD_NEXT, name); }},
    {"version", [](const char* name) { return dlvsym(RTLD_DEFAULT, name, "GLIBC_2.2.5"); }},
    {"libc", find_in_libc},
};

// Locked through one way to find the function, unlocked through another: the same lock for all.
void looked_up() {
  transparency::Bystander other;
  for (const Source& by : kSources) {
    for (const Source& undone_by : kSources) {
      const auto lock = reinterpret_cast<MutexFunction>(by.find("pthread_mutex_lock"));
      const auto unlock = reinterpret_cast<MutexFunction>(undone_by.find("pthread_mutex_unlock"));
      require(lock && unlock, "both are found");
      for (const int type :
           {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK}) {
        pthread_mutexattr_t attr;
        pthread_mutexattr_init(&attr);
        pthread_mutexattr_settype(&attr, type);
        pthread_mutex_t mutex;
        pthread_mutex_init(&mutex, &attr);
        const int locked = lock(&mutex);
        const int meanwhile = other.ask([&] { return pthread_mutex_trylock(&mutex); });
        const int unlocked = unlock(&mutex);
        const int after = other.ask([&] { return pthread_mutex_trylock(&mutex); });
        other.run([&] { pthread_mutex_unlock(&mutex); });
        say("type %d, locked by %s %s, other %s, unlocked by %s %s, other %s", type, by.name,
            error_name(locked), error_name(meanwhile), undone_by.name, error_name(unlocked),
            error_name(after));
      }
    }
  }
}

// What a program is told when it asks for functions that do, and do not, exist.
void looked_up_in_vain() {
  for (const char* name : {"pthread_mutex_lock", "pthread_cond_wait", "pthread_create",
                           "pthread_no_such_function", "impasse", "main"}) {
    const void* found = dlsym(RTLD_DEFAULT, name);
    const char* error = dlerror();
    say("%s: %s, %s", name, found ? "found" : "not found", error ? "an error" : "no error");
  }
}

constexpr transparency::Case kCases[] = {
    {"load-and-unload", load_and_unload},
    {"threads-in-constructors", threads_in_constructors},
    {"loaded-by-many", loaded_by_many},
    {"unloaded-while-held", unloaded_while_held},
    {"loaded-while-holding", loaded_while_holding},
    {"passed-between-threads", passed_between_threads},
    {"looked-up", looked_up},
    {"looked-up-in-vain", looked_up_in_vain},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
