// Far more threads than processors, each with a mutex of its own that it locks again and again: at
// any time many have got theirs from libc and had no processor since. Nothing is wrong with that.
#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

int main(int, char** arguments) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 40; ++i) {
    threads.emplace_back([] {
      alignas(64) std::mutex mine;
      for (;;) {
        mine.lock();
        mine.unlock();
      }
    });
  }
  sleep(static_cast<unsigned>(std::atoi(arguments[1])));
  _exit(0);
}
