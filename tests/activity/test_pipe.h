// A pipe to sleep on, and what is said of its ends.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "sleeper.h"

namespace impasse::system {

struct Pipe {
  Pipe() { EXPECT_EQ(pipe(ends), 0); }
  std::string words_for(std::uint32_t tid, int end) const {
    const ProcFiles process;
    std::string link;
    process.link(tid, ("fd/" + std::to_string(ends[0])).c_str(), link);
    return "fd " + std::to_string(ends[end]) + ", " + link;
  }
  std::string words(int end) const { return words_for(static_cast<std::uint32_t>(getpid()), end); }
  void fill() const {
    fcntl(ends[1], F_SETFL, O_NONBLOCK);
    char block[4096] = {};
    while (write(ends[1], block, sizeof block) > 0) continue;
    fcntl(ends[1], F_SETFL, 0);
  }
  int ends[2];
};

}  // namespace impasse::system
