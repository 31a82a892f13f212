// Threads that begin and end: what that keeps apart, and what it does not.
#include <fcntl.h>
#include <sys/syscall.h>

#include <memory>

#include "order_cases/order_cases.h"

namespace order_cases {

std::mutex cache_mutex;
std::mutex index_mutex;

namespace {

void forward() {
  takeForward(cache_mutex, index_mutex);
}

void backward() {
  takeBackward(index_mutex, cache_mutex);
}

bool is_gone(pid_t tid) {
  return syscall(SYS_tgkill, getpid(), tid, 0) != 0 && errno == ESRCH;
}

// Returns when the thread is no more; nobody joins it.
void run_detached(const char* name, void (*part)()) {
  struct Told {
    std::atomic<pid_t> tid{0};
    Semaphore done;
  };
  const auto told = std::make_shared<Told>();
  std::thread([name, part, told] {
    samples::name_this_thread(name);
    told->tid = gettid();
    part();
    told->done.post();
  }).detach();
  told->done.wait();
  must_be(samples::wait_until([&] { return is_gone(told->tid); }), "a detached thread stays");
}

void run_and_join(const char* name, const std::function<void()>& part) {
  samples::Actor actor(name, part);
  actor.join();
}

}  // namespace

void gone_detached(Stage&) {
  run_detached("visitor-1", forward);
  run_detached("visitor-2", backward);
}

namespace {

// main() goes on after the thread has done its part, and before it ends.
void beside_a_thread(const char* name, void (*part)(), void (*mine)()) {
  Semaphore done;
  Semaphore may_end;
  samples::Actor actor(name, [&] {
    part();
    done.post();
    may_end.wait();
  });
  done.wait();
  mine();
  may_end.post();
  actor.join();
}

}  // namespace

void main_before_and_after(Stage&) {
  forward();
  beside_a_thread("second", backward, forward);
}

void joined_then_again(Stage&) {
  run_and_join("first", backward);
  forward();
  beside_a_thread("second", backward, forward);
}

void joined_before(Stage&) {
  run_and_join("first", forward);
  run_and_join("second", backward);
}

void main_before_creating(Stage&) {
  forward();
  run_and_join("second", backward);
}

void main_after_joining(Stage&) {
  run_and_join("first", forward);
  backward();
}

void grandchild_joined(Stage&) {
  run_and_join("parent", [] { run_and_join("grandchild", forward); });
  run_and_join("second", backward);
}

void grandchild_not_joined(Stage&) {
  run_and_join("parent", [] { run_detached("grandchild", forward); });
  run_and_join("second", backward);
}

// ---- locks of two kinds, each kind made at one place

namespace {

struct Client {
  std::mutex mutex;
  int rooms = 0;
};

struct Room {
  std::mutex mutex;
  int clients = 0;
};

}  // namespace

[[gnu::noinline]] void enterRoom(Client& client, Room& room) {
  std::lock_guard one(client.mutex);
  std::lock_guard other(room.mutex);
  ++client.rooms;
  ++room.clients;
}

[[gnu::noinline]] void closeRoom(Room& room, Client& client) {
  std::lock_guard one(room.mutex);
  std::lock_guard other(client.mutex);
  --room.clients;
  --client.rooms;
}

namespace {

std::mutex directory_mutex;

// Each kind is taken for the first time in one place, which is what makes it a kind.
[[gnu::noinline]] std::unique_ptr<Client> make_client() {
  auto client = std::make_unique<Client>();
  std::lock_guard directory(directory_mutex);
  std::lock_guard one(client->mutex);
  return client;
}

[[gnu::noinline]] std::unique_ptr<Room> make_room() {
  auto room = std::make_unique<Room>();
  std::lock_guard directory(directory_mutex);
  std::lock_guard one(room->mutex);
  return room;
}

}  // namespace

void classes(Stage& stage) {
  std::unique_ptr<Client> client;
  std::unique_ptr<Client> other_client;
  std::unique_ptr<Room> room;
  std::unique_ptr<Room> other_room;
  const auto make_all = [&] {
    for (auto* one : {&client, &other_client}) *one = make_client();
    for (auto* one : {&room, &other_room}) *one = make_room();
  };
  in_turn({{"porter", make_all},
           {"visitor", [&] { enterRoom(*client, *room); }},
           {"janitor", [&] { closeRoom(*other_room, *other_client); }}});
  stage.shown();
}

}  // namespace order_cases
