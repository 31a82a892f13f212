// One of the deadlocked threads holds the loader's lock as well: it is in a plugin's constructor.
// Whoever then asks the loader for anything hangs too.
#include <dlfcn.h>
#include <unistd.h>

#include <barrier>
#include <chrono>
#include <mutex>
#include <string>
#include <thread>

#include "classics/classics.h"

namespace classics {

std::mutex plugins_mutex;
std::mutex settings_mutex;
int plugins = 0;
int reloads = 0;
std::barrier<>* both_hold_one = nullptr;

}  // namespace classics

// Called by the plugin's constructor.
extern "C" [[gnu::noinline, gnu::visibility("default")]] void register_plugin(const char* name) {
  if (classics::both_hold_one != nullptr) classics::both_hold_one->arrive_and_wait();
  std::lock_guard lock(classics::plugins_mutex);
  classics::plugins += name[0] != '\0';
}

namespace classics {
namespace {

std::string path_of_plugin() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  if (length <= 0) samples::not_as_claimed("it does not know where it is");
  const std::string self(path, static_cast<std::size_t>(length));
  return self.substr(0, self.rfind('/') + 1) + "classics_plugin.so";
}

void load(const std::string& path) {
  if (dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) samples::not_as_claimed(dlerror());
}

}  // namespace

[[gnu::noinline]] void loadPlugin(const std::string& path) {
  std::lock_guard lock(settings_mutex);
  load(path);
  ++reloads;
}

[[gnu::noinline]] void reloadSettings() {
  std::lock_guard lock(plugins_mutex);
  both_hold_one->arrive_and_wait();
  std::lock_guard settings(settings_mutex);
  ++reloads;
}

[[gnu::noinline]] void loadPluginUnlocked(const std::string& path) {
  load(path);
  std::lock_guard lock(settings_mutex);
  ++reloads;
}

[[gnu::noinline]] void reloadSettingsInOrder() {
  std::lock_guard lock(plugins_mutex);
  std::lock_guard settings(settings_mutex);
  ++reloads;
}

int loader(const samples::Arguments& arguments, bool repaired) {
  const std::string path = path_of_plugin();
  std::barrier<> meeting(2);
  if (!repaired) both_hold_one = &meeting;
  // A program has run for a while, with threads, before somebody loads a plug-in.
  std::thread([] { std::this_thread::sleep_for(std::chrono::milliseconds(300)); }).join();
  samples::Actor opener("opener", [&] { repaired ? loadPluginUnlocked(path) : loadPlugin(path); });
  samples::Actor settings("settings",
                          [&] { repaired ? reloadSettingsInOrder() : reloadSettings(); });
  if (!repaired) {
    samples::stay_stuck_when(arguments,
                             [&] {
                               return opener.is_blocked_on(plugins_mutex) &&
                                      settings.is_blocked_on(settings_mutex);
                             },
                             {&opener, &settings});
  }
  opener.join();
  settings.join();
  return plugins == 1 && reloads == 2 ? 0 : 1;
}

}  // namespace classics
