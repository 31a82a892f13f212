// What the cases of calls that may block share: each is done without a lock and under two of them.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <shared_mutex>
#include <string>

#include "support/bystander.h"
#include "support/driver.h"
#include "support/observed.h"

namespace transparency::calls {

// Not known when this is compiled: the fortified functions are those that look at it.
inline volatile std::size_t room = 16;

inline std::mutex mutex;
inline std::shared_mutex rwlock;

template <typename Body>
void free_and_locked(Body body) {
  Bystander other;  // the process has a second thread from here on
  say("without a lock");
  body();
  say("under two");
  const std::scoped_lock exclusive(mutex);
  const std::shared_lock shared(rwlock);
  body();
}

inline void tell(const char* what, long answer) {
  if (answer < 0) {
    say("%s: %s", what, error_name(errno));
  } else {
    say("%s: %ld", what, answer);
  }
}

struct Pipe {
  int from = -1;
  int to = -1;
  explicit Pipe(int flags = 0) {
    int ends[2];
    require(pipe2(ends, flags | O_CLOEXEC) == 0, "a pipe");
    from = ends[0];
    to = ends[1];
  }
  ~Pipe() {
    close(from);
    close(to);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
};

struct Pair {
  int one = -1;
  int other = -1;
  explicit Pair(int type = SOCK_STREAM) {
    int ends[2];
    require(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) == 0, "a pair of sockets");
    one = ends[0];
    other = ends[1];
  }
  ~Pair() {
    close(one);
    close(other);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
};

class Place {
 public:
  Place() { require(mkdtemp(path_) != nullptr, "a directory"); }
  ~Place() { rmdir(path_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  std::string file(const char* name) const { return std::string(path_) + "/" + name; }

 private:
  char path_[32] = "/tmp/impasse-calls.XXXXXX";
};

// The cases.
void pipes();
void files();
void sockets();
void polling();
void sleeping();
void children();
void in_children();
void names();
void interrupted();
void in_handlers();
void cancelled();

}  // namespace transparency::calls
