#include "command/ask_process.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <ctime>

#include "command/file.h"
#include "detector/ledger_layout.h"

namespace impasse::command {
namespace {

constexpr unsigned kPatienceMs = 5'000;
constexpr unsigned kPatienceForOthersMs = 60'000;
constexpr unsigned kStepMs = 10;

constexpr std::size_t kRequest = offsetof(LedgerHeader, request);
constexpr std::size_t kAnswered = offsetof(LedgerHeader, answered);

void rest() {
  const timespec step{0, static_cast<long>(kStepMs) * 1'000'000};
  nanosleep(&step, nullptr);
}

bool has_ended(pid_t pid) {
  const char state = state_letter(read_file("/proc/" + std::to_string(pid) + "/stat", 4096).text);
  return state == '\0' || state == 'Z' || state == 'X';
}

// The ledger, open for writing: the very file that was read.
class AskedLedger {
 public:
  explicit AskedLedger(const LedgerFile& ledger)
      // No O_NOFOLLOW: /proc/PID/map_files has links, and the inode tells what was opened.
      : fd_(open(ledger.path().c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) {
    struct stat facts {};
    if (fd_ < 0) {
      problem_ = std::string("its ledger cannot be written to: ") + std::strerror(errno);
    } else if (fstat(fd_, &facts) != 0 || !S_ISREG(facts.st_mode) ||
               facts.st_ino != ledger.inode()) {
      problem_ = "another file has taken the place of its ledger";
    }
  }
  ~AskedLedger() {
    if (fd_ >= 0) close(fd_);  // and with it the turn
  }
  AskedLedger(const AskedLedger&) = delete;
  AskedLedger& operator=(const AskedLedger&) = delete;

  const std::string& problem() const { return problem_; }

  std::uint64_t get(std::size_t offset) {
    std::uint64_t word = 0;
    if (pread(fd_, &word, sizeof word, static_cast<off_t>(offset)) != sizeof word) be_cut();
    return word;
  }
  void put(std::size_t offset, std::uint64_t word) {
    if (pwrite(fd_, &word, sizeof word, static_cast<off_t>(offset)) != sizeof word) be_cut();
  }

  // There is one place for a request and one file for an answer. Whoever is before us may be
  // stopped: patience is over when nobody got an answer for as long as one may take.
  bool take_turn() {
    std::uint64_t answered = get(kAnswered);
    unsigned since_ms = 0;
    for (unsigned ms = 0; flock(fd_, LOCK_EX | LOCK_NB) != 0; ms += kStepMs) {
      if (errno != EWOULDBLOCK && errno != EINTR) return true;  // a file system without locks
      const std::uint64_t now = get(kAnswered);
      if (now != answered) since_ms = ms;
      answered = now;
      if (ms - since_ms >= kPatienceMs || ms >= kPatienceForOthersMs) return false;
      rest();
    }
    return true;
  }

 private:
  void be_cut() { problem_ = "its ledger was cut meanwhile"; }

  int fd_;
  std::string problem_;
};

// Where the answer can be read: beside the ledger, as we reached that or as the process sees it.
std::string answer_file(const ProcessView& process, const LedgerFile& ledger) {
  const std::string proc = "/proc/" + std::to_string(process.pid);
  if (!ledger.path().starts_with(proc + "/map_files/")) return ledger.path() + ".dump";
  return proc + "/root" + mapped_in(process).ledger_path + ".dump";
}

}  // namespace

Answer ask_for_report(const ProcessView& process, const LedgerFile& ledger, std::uint64_t wishes) {
  AskedLedger asked(ledger);
  if (!asked.problem().empty()) return {"", asked.problem()};
  if (!asked.take_turn()) {
    return {"", "another impasse command has been asking it for 5 seconds, without an answer"};
  }
  const std::uint64_t number = (asked.get(kRequest) >> 8) + 1;
  asked.put(kRequest, number << 8 | wishes);
  std::uint64_t answered = 0;
  for (unsigned ms = 0; ms < kPatienceMs && asked.problem().empty(); ms += kStepMs) {
    rest();
    answered = asked.get(kAnswered);
    if (answered >> 8 >= number) break;
    if (has_ended(process.pid)) return {"", "it ended meanwhile"};
  }
  if (answered >> 8 < number && asked.problem().empty()) {
    asked.put(kRequest, number << 8 | request_flag::kWithdrawn);
    answered = asked.get(kAnswered);  // it may have been about to answer
  }
  if (!asked.problem().empty()) return {"", asked.problem()};
  if (answered >> 8 < number) {
    return {"", "it did not answer within 5 seconds; is it stopped?"};
  }
  if ((answered & 1) == 0) return {"", "it could not write its answer beside its ledger"};
  const std::string path = answer_file(process, ledger);
  FileText file = read_file(path);
  unlink(path.c_str());
  if (file.error != 0) {
    return {"", "its answer, " + path + ", cannot be read: " + std::strerror(file.error)};
  }
  return {std::move(file.text), ""};
}

}  // namespace impasse::command
