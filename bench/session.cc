#include "session.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace bench {
namespace {

constexpr std::uint64_t kContendNs = 40'000'000;

// Threads that are started once and then do the same work again and again. They are all ready
// before a clock is read, and each reads the clock itself: the main thread may wait for a processor
// while they already work.
class Crew {
 public:
  using Body = std::function<std::uint64_t(unsigned)>;

  Crew(unsigned size, Body body) : body_(std::move(body)), members_(size) {
    require(pthread_barrier_init(&turn_, nullptr, size + 1) == 0, "pthread_barrier_init");
    for (unsigned i = 0; i < size; ++i) {
      members_[i].crew = this;
      members_[i].number = i;
      require(pthread_create(&members_[i].thread, nullptr, run, &members_[i]) == 0,
              "pthread_create");
    }
  }

  ~Crew() {
    dismissed_ = true;
    meet();
    for (Member& member : members_) pthread_join(member.thread, nullptr);
    pthread_barrier_destroy(&turn_);
  }

  Crew(const Crew&) = delete;
  Crew& operator=(const Crew&) = delete;

  void begin() { meet(); }
  void finish() { meet(); }

  std::uint64_t elapsed_ns() const {
    std::uint64_t first = members_[0].start_ns;
    std::uint64_t last = members_[0].end_ns;
    for (const Member& member : members_) {
      first = std::min(first, member.start_ns);
      last = std::max(last, member.end_ns);
    }
    return last - first;
  }

  std::uint64_t operations() const {
    std::uint64_t sum = 0;
    for (const Member& member : members_) sum += member.operations;
    return sum;
  }

 private:
  struct alignas(64) Member {
    Crew* crew;
    unsigned number;
    pthread_t thread;
    std::uint64_t start_ns;
    std::uint64_t end_ns;
    std::uint64_t operations;
  };

  static void* run(void* argument) {
    Member& self = *static_cast<Member*>(argument);
    Crew& crew = *self.crew;
    for (;;) {
      crew.meet();
      if (crew.dismissed_) return nullptr;
      self.start_ns = now_ns();
      self.operations = crew.body_(self.number);
      self.end_ns = now_ns();
      crew.meet();
    }
  }

  void meet() { pthread_barrier_wait(&turn_); }

  Body body_;
  std::vector<Member> members_;
  pthread_barrier_t turn_;
  bool dismissed_ = false;
};

void pass(std::uint64_t ns) {
  timespec left{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  while (nanosleep(&left, &left) != 0) {
  }
}

}  // namespace

void require(bool worked, const char* what) {
  if (worked) return;
  std::fprintf(stderr, "bench: %s failed\n", what);
  std::exit(1);
}

std::uint64_t queued_ns() {
  const int file = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  char text[128] = {};
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  char* rest = text;
  if (length > 0) std::strtoull(rest, &rest, 10);  // the time it ran
  return std::strtoull(rest, nullptr, 10);
}

IdleThread::IdleThread() {
  require(pipe(pipe_) == 0, "pipe");
  const auto wait_for_the_end = [](void* descriptor) -> void* {
    char byte;
    while (read(*static_cast<int*>(descriptor), &byte, 1) < 0) {
    }
    return nullptr;
  };
  require(pthread_create(&thread_, nullptr, wait_for_the_end, &pipe_[0]) == 0, "pthread_create");
}

IdleThread::~IdleThread() {
  close(pipe_[1]);
  pthread_join(thread_, nullptr);
  close(pipe_[0]);
}

Session::Session(std::string_view name, int repetitions, std::uint64_t divisor)
    : name_(name), repetitions_(repetitions), divisor_(divisor) {}

void Session::together(unsigned threads, Work work,
                       const std::function<void(unsigned, std::uint64_t)>& body) {
  const std::uint64_t rounds = scaled(work.rounds);
  Crew crew(threads, [&](unsigned number) {
    body(number, rounds);
    return rounds * work.operations;
  });
  for (int i = -1; i < repetitions_; ++i) {  // the first one warms up
    crew.begin();
    crew.finish();
    if (i >= 0) add(crew.elapsed_ns(), rounds * work.operations);
  }
  print();
}

void Session::contend(unsigned threads, Share share,
                      const std::function<std::uint64_t(unsigned, const Stop&)>& body) {
  Padded<Stop> stop{};
  Crew crew(threads, [&](unsigned number) { return body(number, stop.value); });
  for (int i = -1; i < repetitions_; ++i) {
    stop.value = false;
    crew.begin();
    pass(i < 0 ? kContendNs / 8 : kContendNs);
    stop.value = true;
    crew.finish();
    const std::uint64_t side_by_side = share == Share::kSideBySide ? threads : 1;
    if (i >= 0) add(crew.elapsed_ns() * side_by_side, crew.operations());
  }
  print();
}

void Session::add(std::uint64_t elapsed_ns, std::uint64_t operations) {
  require(operations > 0, "doing even one operation");
  ns_per_operation_.push_back(static_cast<double>(elapsed_ns) / static_cast<double>(operations));
}

void Session::print() const {
  std::printf("%.*s", static_cast<int>(name_.size()), name_.data());
  for (const double ns : ns_per_operation_) std::printf(" %.4f", ns);
  std::printf("\n");
}

}  // namespace bench
