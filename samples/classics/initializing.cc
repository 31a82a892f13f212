// What is to be done once: whoever runs the initializer has the control, and all others wait for
// him.
#include <barrier>
#include <mutex>

#include "classics/classics.h"

namespace classics {

// ---- an initializer that needs what it initializes

pthread_once_t codec_once = PTHREAD_ONCE_INIT;
std::atomic<int> codecs{0};
bool registers_through_front_door = false;

void loadCodecs();

[[gnu::noinline]] void registerCodec() {
  if (registers_through_front_door) pthread_once(&codec_once, loadCodecs);
  ++codecs;
}

[[gnu::noinline]] void loadCodecs() {
  registerCodec();
  registerCodec();
}

int once_self(const samples::Arguments& arguments, bool repaired) {
  registers_through_front_door = !repaired;
  samples::Actor decoder("decoder", [] {
    for (int i = 0; i < 1000; ++i) pthread_once(&codec_once, loadCodecs);
  });
  if (!repaired) {
    samples::stay_stuck_when(arguments, [&] { return decoder.is_blocked_on(codec_once); },
                             {&decoder});
  }
  decoder.join();
  return codecs == 2 ? 0 : 1;
}

// ---- an initializer that needs a lock, which somebody has who needs it done

std::once_flag config_once;
std::mutex registry_mutex;
std::atomic<int> configs{0};

template <typename Meeting>
[[gnu::noinline]] void readConfig(Meeting met) {
  met();
  std::lock_guard guard(registry_mutex);
  ++configs;
}

template <typename Meeting>
[[gnu::noinline]] void serve(Meeting met) {
  std::call_once(config_once, [&] { readConfig(met); });
}

template <typename Meeting>
[[gnu::noinline]] void registerPlugin(Meeting met) {
  std::lock_guard guard(registry_mutex);
  met();
  std::call_once(config_once, [] { readConfig([] {}); });
}

int once_abba(const samples::Arguments& arguments, bool repaired) {
  std::barrier<> both_have_one(2);
  const auto met = [&] { both_have_one.arrive_and_wait(); };
  samples::Actor server("server", [&, repaired] { repaired ? serve([] {}) : serve(met); });
  if (repaired) server.join();
  samples::Actor loader("plugin-loader",
                        [&, repaired] { repaired ? registerPlugin([] {}) : registerPlugin(met); });
  if (!repaired) {
    samples::stay_stuck_when(
        arguments,
        [&] { return server.is_blocked_on(registry_mutex) && loader.is_blocked_on(config_once); },
        {&server, &loader});
  }
  loader.join();
  return configs == 1 ? 0 : 1;
}

}  // namespace classics
