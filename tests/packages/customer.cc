// A program to be run under an installed impasse, where nothing but a C library is at hand.
//   customer end STATUS    two threads take two locks in one order; ends with STATUS
//   customer hang          two threads take them in contradicting orders, and meet in between:
//   hangs
#include <barrier>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <thread>

std::mutex till_mutex;
std::mutex stock_mutex;

[[gnu::noinline]] void sell(std::barrier<>& meet) {
  std::lock_guard till(till_mutex);
  meet.arrive_and_wait();
  std::lock_guard stock(stock_mutex);
}

[[gnu::noinline]] void restock(std::barrier<>& meet) {
  std::lock_guard stock(stock_mutex);
  meet.arrive_and_wait();
  std::lock_guard till(till_mutex);
}

int main(int count, char** arguments) {
  const std::string_view what = count > 1 ? arguments[1] : "";
  if (what == "end" && count == 3) {
    for (int turn = 0; turn < 2; ++turn) {
      std::barrier<> alone(1);
      std::thread(sell, std::ref(alone)).join();
    }
    return std::atoi(arguments[2]);
  }
  if (what == "hang") {
    std::barrier<> meet(2);
    std::thread first(sell, std::ref(meet));
    std::thread second(restock, std::ref(meet));
    first.join();
    second.join();
  }
  return 2;
}
