#include "actor.h"

#include <unistd.h>

#include <utility>

#include "situation.h"

namespace facts {

Actor::Actor(const char* name) : name_(name) {
  must(pthread_create(&thread_, nullptr, serve, this) == 0);
  finish();
}

void Actor::start(std::function<void()> task) {
  task_ = std::move(task);
  state_.store(kBusy);
  state_.notify_all();
}

void Actor::finish() {
  state_.wait(kBusy);
}

void Actor::leave() {
  if (gone_) return;
  state_.store(kLeaving);
  state_.notify_all();
  join();
}

void Actor::join() {
  must(pthread_join(thread_, nullptr) == 0);
  gone_ = true;
}

void* Actor::serve(void* self) {
  Actor& actor = *static_cast<Actor*>(self);
  actor.tid_ = gettid();
  if (actor.name_ != nullptr) must(pthread_setname_np(pthread_self(), actor.name_) == 0);
  for (;;) {
    actor.state_.store(kIdle);
    actor.state_.notify_all();
    actor.state_.wait(kIdle);
    if (actor.state_.load() == kLeaving) return nullptr;
    actor.task_();
  }
}

}  // namespace facts
