#include "support/bystander.h"

#include <unistd.h>

#include "support/driver.h"

namespace transparency {

Bystander::Bystander() {
  require(pthread_create(&thread_, nullptr, serve, this) == 0, "a bystander starts");
  state_.wait(kBusy);
}

Bystander::~Bystander() {
  state_.store(kLeaving);
  state_.notify_all();
  pthread_join(thread_, nullptr);
}

void Bystander::start(std::function<void()> task) {
  require(state_.load() == kIdle, "one task at a time");
  task_ = std::move(task);
  state_.store(kBusy);
  state_.notify_all();
}

void Bystander::finish() {
  state_.wait(kBusy);
}

int Bystander::ask(const std::function<int()>& call) {
  int answer = 0;
  run([&] { answer = call(); });
  return answer;
}

void* Bystander::serve(void* self) {
  auto& me = *static_cast<Bystander*>(self);
  me.tid_ = gettid();
  me.state_.store(kIdle);
  me.state_.notify_all();
  for (;;) {
    me.state_.wait(kIdle);
    if (me.state_.load() == kLeaving) return nullptr;
    me.task_();
    me.state_.store(kIdle);
    me.state_.notify_all();
  }
}

void Gate::open() {
  open_.store(1);
  open_.notify_all();
}

void Gate::pass() const {
  open_.wait(0);
}

void Tally::arrive() {
  arrived_.fetch_add(1);
  arrived_.notify_all();
}

void Tally::wait_for(int count) const {
  for (int now = arrived_.load(); now < count; now = arrived_.load()) arrived_.wait(now);
}

}  // namespace transparency
