// Locks in an object that comes and goes while the program runs.
#include <dlfcn.h>

#include <string>

#include "order_cases/order_cases.h"

namespace order_cases {

std::mutex host_mutex;

namespace {

int host_calls = 0;

// The plug-in that lies beside the program.
class Plugin {
 public:
  Plugin() {
    char path[4096] = {};
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    must_be(length > 0, "no path of the program");
    std::string file(path, static_cast<std::size_t>(length));
    file.replace(file.rfind('/') + 1, std::string::npos, "order_cases_plugin.so");
    handle_ = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
    must_be(handle_ != nullptr, "the plug-in cannot be loaded");
  }
  Plugin(const Plugin&) = delete;
  Plugin& operator=(const Plugin&) = delete;
  ~Plugin() { dlclose(handle_); }

  template <typename Function>
  Function* function(const char* name) const {
    return reinterpret_cast<Function*>(dlsym(handle_, name));
  }

 private:
  void* handle_ = nullptr;
};

}  // namespace

[[gnu::noinline]] void hostCallback() {
  std::lock_guard host(host_mutex);
  ++host_calls;
}

[[gnu::noinline]] void hostRegister(void (*plugin_register)()) {
  std::lock_guard host(host_mutex);
  plugin_register();
  ++host_calls;
}

void plugin(Stage& stage) {
  const Plugin loaded;
  auto* const plugin_register = loaded.function<void()>("pluginRegister");
  auto* const plugin_notify = loaded.function<void(void (*)())>("pluginNotify");
  in_turn({{"host", [&] { hostRegister(plugin_register); }},
           {"notifier", [&] { plugin_notify(hostCallback); }}});
  stage.shown();
}

// Two threads live through both lives of the plug-in.
void plugin_reloaded(Stage& stage) {
  void (*call)() = nullptr;
  Semaphore begin[2], done[2], curtain[2];
  const auto part = [&](int which) {
    begin[which].wait();
    call();
    done[which].post();
    curtain[which].wait();
  };
  samples::Actor first("first-life", [&] { part(0); });
  samples::Actor second("second-life", [&] { part(1); });
  void* addresses[2] = {};
  const char* const calls[] = {"pluginForward", "pluginBackward"};
  for (int which : {0, 1}) {
    const Plugin loaded;
    call = loaded.function<void()>(calls[which]);
    addresses[which] = reinterpret_cast<void*>(loaded.function<void()>("pluginForward"));
    begin[which].post();
    done[which].wait();
    if (which == 1) stage.shown();
  }
  must_be(addresses[0] == addresses[1], "the plug-in is loaded at another address");
  for (Semaphore& one : curtain) one.post();
  first.join();
  second.join();
}

}  // namespace order_cases
