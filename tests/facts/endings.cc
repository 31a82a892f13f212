// The ways in which a process ends by itself, with other threads still there.
#include <pthread.h>
#include <unistd.h>

#include <cstdlib>

#include "actor.h"
#include "expected.h"
#include "situation.h"

namespace facts {
namespace {

// Another thread, whatever happens: nobody waits for it.
Actor& bystander() {
  static Actor* const actor = new Actor("bystander");
  return *actor;
}

void show() {
  Expected().number("bystander", bystander().tid()).show();
}

void end_return() {
  show();
}

// Where relative paths mean something else.
void end_elsewhere() {
  show();
  must(chdir("/") == 0);
}

void end_underscore_exit() {
  show();
  _exit(0);
}

void end_exit_of_c99() {
  show();
  _Exit(0);
}

void end_quick_exit() {
  show();
  std::quick_exit(0);
}

void end_exit_in_thread() {
  show();
  bystander().run([] { std::exit(0); });
}

// The main thread leaves, then the last one.
void end_last_thread() {
  show();
  bystander().start([] {
    // Its creator is on its way out; whoever is last ends the process.
    pthread_exit(nullptr);
  });
  pthread_exit(nullptr);
}

void end_by_exec() {
  show();
  execl("/bin/true", "true", static_cast<char*>(nullptr));
  must(false);
}

constexpr Situation kSituations[] = {
    {"end_return", end_return},
    {"end_elsewhere", end_elsewhere},
    {"end_underscore_exit", end_underscore_exit},
    {"end_exit_of_c99", end_exit_of_c99},
    {"end_quick_exit", end_quick_exit},
    {"end_exit_in_thread", end_exit_in_thread},
    {"end_last_thread", end_last_thread},
    {"end_by_exec", end_by_exec},
};

}  // namespace

std::span<const Situation> ending_situations() {
  return kSituations;
}

}  // namespace facts
