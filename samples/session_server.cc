// Locks held while handlers run.
//
// A server has a registry of sessions; each session has a lock, and a handler with a lock of its
// own. The rule is registry < session < handler. It runs handlers under its locks, and dies of it
// in one of four ways, each of which prints "stuck: TID …" and stays so:
//   --relock      a handler calls back into the engine: the registry's lock again
//   --abba        a handler of session A opens session B while one of B opens A
//   --inversion   a handler takes the registry's lock under its own: an inverted order among three
//                 locks; with --hang it does hang, else the three orders come one after the other
//                 and it ends with 0; impasse tells of those with --order=all only, since none of
//                 the threads was there at the same time as another
//   --slow        a handler waits for a peer that is silent, while everybody waits for it
// and
//   --repaired    no handler runs under a lock of the server; all of the above is done; ends with 0
#include <barrier>
#include <chrono>
#include <cstdio>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "sample.h"
#include "silent_peer.h"

struct Handler {
  std::mutex mutex;
  std::function<void()> run = [] {};
};

struct Session {
  explicit Session(std::string its_name) : name(std::move(its_name)) {}
  const std::string name;
  std::mutex mutex;
  int opened = 0;
  Handler handler;
};

class Engine {
 public:
  Engine() {
    for (const char* name : {"A", "B"}) sessions_.emplace(name, std::make_shared<Session>(name));
  }

  [[gnu::noinline]] std::shared_ptr<Session> find(const std::string& name) {
    std::lock_guard registry(registry_mutex);
    return sessions_.at(name);
  }

  [[gnu::noinline]] std::size_t countSessions() {
    std::lock_guard registry(registry_mutex);
    return sessions_.size();
  }

  // Runs every handler under the registry's lock.
  [[gnu::noinline]] void dispatchAll() {
    std::lock_guard registry(registry_mutex);
    for (auto& [name, session] : sessions_) runHandler(*session);
  }

  // Runs every handler with nothing held.
  [[gnu::noinline]] void dispatchAllUnlocked() {
    std::vector<std::shared_ptr<Session>> present;
    {
      std::lock_guard registry(registry_mutex);
      for (auto& [name, session] : sessions_) present.push_back(session);
    }
    for (const auto& session : present) runHandler(*session);
  }

  [[gnu::noinline]] void runHandler(Session& session) {
    session.handler.run();
    ++handled_;
  }

  [[gnu::noinline]] void openSession(Session& session) {
    std::lock_guard lock(session.mutex);
    ++session.opened;
  }

  // Runs the session's handler under the session's lock.
  [[gnu::noinline]] void runInSession(Session& session) {
    std::lock_guard lock(session.mutex);
    runHandler(session);
  }

  int handled() const { return handled_; }

  std::mutex registry_mutex;

 private:
  std::map<std::string, std::shared_ptr<Session>> sessions_;
  std::atomic<int> handled_{0};
};

// The three orders that together are a circle. `met` is where each has its first lock.

template <typename Meeting>
[[gnu::noinline]] void logIn(Engine& engine, Session& session, Meeting met) {
  std::lock_guard registry(engine.registry_mutex);
  met();
  engine.openSession(session);
}

template <typename Meeting>
[[gnu::noinline]] void deliver(Session& session, Meeting met) {
  std::lock_guard lock(session.mutex);
  met();
  std::lock_guard handler(session.handler.mutex);
  ++session.opened;
}

template <typename Meeting>
[[gnu::noinline]] std::size_t reloadHandler(Engine& engine, Session& session, Meeting met) {
  std::lock_guard handler(session.handler.mutex);
  met();
  return engine.countSessions() + 1;
}

[[gnu::noinline]] void askPeer(std::uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = samples::loopback_address(port);
  char answer[16];
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      send(fd, "?", 1, MSG_NOSIGNAL) != 1 || recv(fd, answer, sizeof answer, 0) <= 0) {
    samples::give_up("asking the peer");
  }
  close(fd);
}

namespace {

int die_of_relock(const samples::Arguments& arguments) {
  Engine engine;
  engine.find("A")->handler.run = [&engine] { engine.countSessions(); };
  samples::Actor dispatcher("dispatcher", [&] { engine.dispatchAll(); });
  samples::stay_stuck_when(
      arguments, [&] { return dispatcher.is_blocked_on(engine.registry_mutex); }, {&dispatcher});
}

int die_of_abba(const samples::Arguments& arguments) {
  Engine engine;
  const auto a = engine.find("A");
  const auto b = engine.find("B");
  std::barrier<> both_run(2);
  a->handler.run = [&] {
    both_run.arrive_and_wait();
    engine.openSession(*b);
  };
  b->handler.run = [&] {
    both_run.arrive_and_wait();
    engine.openSession(*a);
  };
  samples::Actor session_a("session-A", [&] { engine.runInSession(*a); });
  samples::Actor session_b("session-B", [&] { engine.runInSession(*b); });
  samples::stay_stuck_when(
      arguments,
      [&] { return session_a.is_blocked_on(b->mutex) && session_b.is_blocked_on(a->mutex); },
      {&session_a, &session_b});
}

int die_of_inversion(const samples::Arguments& arguments) {
  Engine engine;
  const auto session = engine.find("A");
  std::barrier<> all_have_one(3);
  const auto met = [&] { all_have_one.arrive_and_wait(); };
  samples::Actor login("login", [&] { logIn(engine, *session, met); });
  samples::Actor delivery("delivery", [&] { deliver(*session, met); });
  samples::Actor reload("reload", [&] { reloadHandler(engine, *session, met); });
  samples::stay_stuck_when(arguments,
                           [&] {
                             return login.is_blocked_on(session->mutex) &&
                                    delivery.is_blocked_on(session->handler.mutex) &&
                                    reload.is_blocked_on(engine.registry_mutex);
                           },
                           {&login, &delivery, &reload});
}

int invert_in_turn() {
  Engine engine;
  const auto session = engine.find("A");
  const auto alone = [] {};
  samples::Actor login("login", [&] { logIn(engine, *session, alone); });
  login.join();
  samples::Actor delivery("delivery", [&] { deliver(*session, alone); });
  delivery.join();
  samples::Actor reload("reload", [&] { reloadHandler(engine, *session, alone); });
  reload.join();
  return session->opened == 2 ? 0 : 1;
}

int die_of_slow_handler(const samples::Arguments& arguments) {
  samples::SilentPeer peer;
  Engine engine;
  engine.find("A")->handler.run = [&] { askPeer(peer.port()); };
  samples::Actor dispatcher("dispatcher", [&] { engine.dispatchAll(); });
  if (!samples::wait_until([&] { return peer.was_asked(); })) {
    samples::not_as_claimed("the peer is not asked");
  }
  std::deque<samples::Actor> clients;
  for (const char* name : {"client-1", "client-2", "client-3", "client-4"}) {
    clients.emplace_back(name, [&] { engine.countSessions(); });
  }
  const auto all_wait = [&] {
    for (const samples::Actor& client : clients) {
      if (!client.is_blocked_on(engine.registry_mutex)) return false;
    }
    return true;
  };
  samples::stay_stuck_when(arguments, all_wait, {&dispatcher});
}

int run_repaired() {
  samples::SilentPeer peer;
  Engine engine;
  const auto a = engine.find("A");
  const auto b = engine.find("B");
  a->handler.run = [&] {
    engine.countSessions();
    engine.openSession(*b);
    askPeer(peer.port());
  };
  b->handler.run = [&] { engine.openSession(*a); };
  samples::Actor dispatcher("dispatcher", [&] { engine.dispatchAllUnlocked(); });
  if (!samples::wait_until([&] { return peer.was_asked(); })) {
    samples::not_as_claimed("the peer is not asked");
  }
  // All of them are served while the handler waits.
  std::deque<samples::Actor> clients;
  for (const char* name : {"client-1", "client-2", "client-3", "client-4"}) {
    clients.emplace_back(name, [&] {
      engine.countSessions();
      engine.openSession(*a);
    });
  }
  for (samples::Actor& client : clients) client.join();
  const bool served = engine.handled() == 0 && a->opened == 4;
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  peer.answer("!");
  dispatcher.join();
  return served && engine.handled() == 2 && a->opened == 5 && b->opened == 1 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  samples::Arguments arguments(
      argc, argv,
      "--relock | --abba | --inversion (found with --order=all only) | --inversion --hang | "
      "--slow | --repaired");
  const bool relock = arguments.flag("--relock");
  const bool abba = arguments.flag("--abba");
  const bool inversion = arguments.flag("--inversion");
  const bool hang = arguments.flag("--hang");
  const bool slow = arguments.flag("--slow");
  const bool repaired = arguments.flag("--repaired");
  arguments.no_more();
  if (relock) return die_of_relock(arguments);
  if (abba) return die_of_abba(arguments);
  if (inversion) return hang ? die_of_inversion(arguments) : invert_in_turn();
  if (slow) return die_of_slow_handler(arguments);
  if (repaired) return run_repaired();
  if (hang) std::fprintf(stderr, "--hang goes with --inversion\n");
  arguments.complain();
}
