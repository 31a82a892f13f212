// A process that gave up its privileges may not look at its own threads: is that said, and nothing
// invented?
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "sleeper.h"

namespace impasse::system {
namespace {

constexpr uid_t kNobody = 65534;

// In a child: 0 when everything is as it should be, otherwise the number of what is not.
int look_at_oneself() {
  // As a daemon does it. The flag counts for those without privileges only.
  if (geteuid() == 0 && (setgid(kNobody) != 0 || setuid(kNobody) != 0)) return 1;
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return 2;
  const Sleeper sleeper([] { pause(); });
  pause_ms(50);
  const ProcFiles process;
  const Memory memory;
  Descriptors descriptors(process);
  const TaskLook look = look_at_task(process, sleeper.tid());
  if (look.call.form != CallForm::kForbidden) return 3;
  if (look.state != 'S') return 4;
  if (look.name[0] == '\0') return 5;
  const Activity seen = describe(process, sleeper.tid(), look, memory, descriptors);
  if (seen.kind != ActivityKind::kUnknown) return 6;
  if (seen.trouble != "the process gave up its privileges and cannot be looked at (not dumpable)") {
    return 7;
  }
  if (!seen.call.empty() || !seen.detail.empty()) return 8;
  if (has_not_moved(look, look)) return 9;
  // Once it may be looked at, it is.
  if (prctl(PR_SET_DUMPABLE, 1) != 0) return 10;
  if (sleeper.activity("pause").call != "pause") return 11;
  return 0;
}

TEST(NotDumpable, IsSaid) {
  const pid_t child = fork();
  if (child == 0) _exit(look_at_oneself());
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

// Somebody else's process.
TEST(NotDumpable, AnotherUsersProcess) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  const pid_t watched = fork();
  if (watched == 0) {
    pause();
    _exit(0);
  }
  pause_ms(50);
  const pid_t child = fork();
  if (child == 0) {
    if (setgid(kNobody) != 0 || setuid(kNobody) != 0) _exit(1);
    const auto pid = static_cast<std::uint32_t>(watched);
    const ProcFiles process(pid);
    const Memory memory(pid);
    Descriptors descriptors(process);
    const Activity seen = describe(process, pid, look_at_task(process, pid), memory, descriptors);
    if (seen.kind != ActivityKind::kUnknown) _exit(2);
    if (!seen.trouble.starts_with("it may not be looked at: another user's process")) _exit(3);
    _exit(descriptors.words(pid, 0) == "fd 0, which the kernel does not let us look at" ? 0 : 4);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  kill(watched, SIGKILL);
  waitpid(watched, nullptr, 0);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace impasse::system
