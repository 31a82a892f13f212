#include <deque>

#include "order_cases/order_cases.h"

namespace order_cases {

void Stage::shown() {
  if (told_) return;
  told_ = true;
  if (write(STDOUT_FILENO, "shown\n", 6) != 6) std::_Exit(samples::kNotAsClaimed);
  char byte = 0;
  while (lingers_ && read(STDIN_FILENO, &byte, 1) == 1) {
  }
}

namespace {

struct Player {
  explicit Player(const Part& part)
      : actor(part.name, [this, part] {
          ready.post();
          turn.wait();
          part.play();
          played.post();
          curtain.wait();
        }) {}
  Semaphore ready, turn, played, curtain;
  samples::Actor actor;
};

std::deque<Player> gather(std::initializer_list<Part> parts) {
  std::deque<Player> players;
  for (const Part& part : parts) players.emplace_back(part);
  for (Player& player : players) player.ready.wait();
  return players;
}

void dismiss(std::deque<Player>& players) {
  for (Player& player : players) player.curtain.post();
  for (Player& player : players) player.actor.join();
}

}  // namespace

void in_turn(std::initializer_list<Part> parts) {
  std::deque<Player> players = gather(parts);
  for (Player& player : players) {
    player.turn.post();
    player.played.wait();
  }
  dismiss(players);
}

void together(std::initializer_list<Part> parts) {
  std::deque<Player> players = gather(parts);
  for (Player& player : players) player.turn.post();
  for (Player& player : players) player.played.wait();
  dismiss(players);
}

}  // namespace order_cases
