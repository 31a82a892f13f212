// Calls that read and write: the same answers, the same errno, the same bytes.
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "calls/scene.h"

namespace transparency::calls {

void pipes() {
  free_and_locked([] {
    Pipe pipe(O_NONBLOCK);
    std::array<char, 16> text{};
    errno = EXDEV;
    tell("write", write(pipe.to, "0123456789", 10));
    tell("errno of what went well", errno == EXDEV ? 0 : 1);
    tell("short read", read(pipe.from, text.data(), room));
    say("%s", text.data());
    tell("read of nothing", read(pipe.from, text.data(), room));
    tell("read of nobody", read(-1, text.data(), room));
    tell("write to nobody", write(-1, "x", 1));
    iovec parts[2] = {{text.data(), 3}, {text.data() + 8, 8}};
    tell("writev", writev(pipe.to, parts, 2));
    tell("readv", readv(pipe.from, parts, 2));
    close(pipe.to);
    tell("read at the end", read(pipe.from, text.data(), room));
    pipe.to = -1;
  });
}

void files() {
  umask(022);
  free_and_locked([] {
    const Place place;
    const std::string path = place.file("made");
    const auto mode_of = [&path] {
      struct stat file {};
      require(stat(path.c_str(), &file) == 0, "it is there");
      return static_cast<long>(file.st_mode & 07777);
    };
    volatile int plain = O_RDONLY | O_CLOEXEC;
    tell("open in vain", open(path.c_str(), plain));
    int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_EXCL, 0640);
    say("mode %lo", mode_of());
    tell("open what is there", open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    std::array<char, 16> text{};
    tell("pwrite", pwrite(file, "0123456789", 10, 5));
    tell("pread", pread(file, text.data(), room, 7));
    say("%s", text.data());
    tell("pread of nobody", pread(-1, text.data(), room, 0));
    iovec part{text.data(), 4};
    tell("pwritev", pwritev(file, &part, 1, 20));
    tell("preadv", preadv(file, &part, 1, 6));
    tell("fsync", fsync(file));
    tell("fdatasync", fdatasync(file));
    tell("fsync of nobody", fsync(-1));
    tell("flock", flock(file, LOCK_EX | LOCK_NB));
    tell("lockf", lockf(file, F_TEST, 0));
    void* const memory = mmap(nullptr, 24, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    tell("msync", msync(memory, 24, MS_SYNC));
    munmap(memory, 24);
    Pipe pipe;
    off_t at = 0;
    tell("sendfile", sendfile(pipe.to, file, &at, 12));
    tell("... up to", at);
    close(file);
    require(unlink(path.c_str()) == 0, "removed");
    file = openat(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0604);
    say("mode %lo", mode_of());
    close(file);
    file = openat(AT_FDCWD, path.c_str(), plain);
    tell("openat without a mode", file >= 0 ? 0 : -1);
    close(file);
    unlink(path.c_str());
    file = creat(path.c_str(), 0700);
    say("mode %lo", mode_of());
    close(file);
    unlink(path.c_str());
    file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    tell("a file without a name", file >= 0 || errno == EOPNOTSUPP ? 0 : -1);
    if (file >= 0) close(file);
  });
}

void sockets() {
  free_and_locked([] {
    const Pair pair;
    std::array<char, 16> text{};
    tell("send", send(pair.one, "abcdef", 6, 0));
    tell("recv", recv(pair.other, text.data(), room, MSG_PEEK));
    tell("recvfrom", recvfrom(pair.other, text.data(), room, 0, nullptr, nullptr));
    say("%s", text.data());
    tell("recv of nothing", recv(pair.other, text.data(), room, MSG_DONTWAIT));
    tell("sendto", sendto(pair.one, "gh", 2, 0, nullptr, 0));
    iovec part{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    tell("recvmsg", recvmsg(pair.other, &message, 0));
    tell("sendmsg", sendmsg(pair.one, &message, 0));
    mmsghdr several{message, 0};
    tell("recvmmsg", recvmmsg(pair.other, &several, 1, MSG_DONTWAIT, nullptr));
    tell("... of", several.msg_len);
    tell("sendmmsg", sendmmsg(pair.other, &several, 1, 0));
    tell("recv of nobody", recv(-1, text.data(), room, 0));

    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto* const address = reinterpret_cast<sockaddr*>(&here);
    require(bind(listener, address, size) == 0 && listen(listener, 4) == 0, "somebody listens");
    require(getsockname(listener, address, &size) == 0, "its port");
    for (const bool with_flags : {false, true}) {
      const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      tell("connect", connect(client, address, size));
      sockaddr_in peer{};
      socklen_t peer_size = sizeof peer;
      auto* const who = reinterpret_cast<sockaddr*>(&peer);
      const int server = with_flags ? accept4(listener, who, &peer_size, SOCK_CLOEXEC)
                                    : accept(listener, who, &peer_size);
      tell("accept", server >= 0 && peer.sin_family == AF_INET ? 0 : -1);
      tell("connect again", connect(client, address, size));
      close(server);
      close(client);
    }
    close(listener);
    tell("accept of nobody", accept(listener, nullptr, nullptr));
  });
}

}  // namespace transparency::calls
