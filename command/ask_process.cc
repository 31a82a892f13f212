#include "command/ask_process.h"

#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <ctime>

#include "command/file.h"
#include "detector/ledger_layout.h"

namespace impasse::command {
namespace {

constexpr unsigned kPatienceMs = 5'000;
constexpr unsigned kStepMs = 10;

bool get(int fd, std::size_t offset, std::uint64_t& word) {
  return pread(fd, &word, sizeof word, static_cast<off_t>(offset)) == sizeof word;
}

bool has_ended(pid_t pid) {
  const char state = state_letter(read_file("/proc/" + std::to_string(pid) + "/stat", 4096).text);
  return state == '\0' || state == 'Z' || state == 'X';
}

}  // namespace

Answer ask_for_report(const ProcessView& process, const LedgerFile& ledger, std::uint64_t wishes) {
  const int fd = open(ledger.path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) {
    return {"", std::string("its ledger cannot be written to: ") + std::strerror(errno)};
  }
  Answer answer;
  std::uint64_t request = 0;
  std::uint64_t answered = 0;
  bool fine = get(fd, offsetof(LedgerHeader, request), request);
  request = ((request >> 8) + 1) << 8 | wishes;
  fine = fine && pwrite(fd, &request, sizeof request,
                        static_cast<off_t>(offsetof(LedgerHeader, request))) == sizeof request;
  for (unsigned ms = 0; fine && ms < kPatienceMs && answered >> 8 < request >> 8; ms += kStepMs) {
    const timespec step{0, static_cast<long>(kStepMs) * 1'000'000};
    nanosleep(&step, nullptr);
    fine = get(fd, offsetof(LedgerHeader, answered), answered);
    if (answered >> 8 < request >> 8 && has_ended(process.pid)) {
      close(fd);
      return {"", "it ended meanwhile"};
    }
  }
  close(fd);
  if (!fine) return {"", "its ledger was cut meanwhile"};
  if (answered >> 8 < request >> 8) {
    return {"", "it did not answer within 5 seconds; is it stopped?"};
  }
  const std::string path = ledger.path() + ".dump";
  answer.json = read_file(path).text;
  unlink(path.c_str());
  if ((answered & 1) == 0 || answer.json.empty()) {
    answer.problem = "it could not write its answer beside its ledger";
  }
  return answer;
}

}  // namespace impasse::command
