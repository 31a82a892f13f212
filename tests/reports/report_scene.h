// Builds reports by hand, in the words of a story: who took what where, who began to wait when.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "report/report.h"

namespace impasse::report {

inline constexpr std::uint64_t kSecond = 1'000'000'000;
inline constexpr std::uint64_t kMillisecond = 1'000'000;
inline constexpr std::uint64_t kNow = 20'000 * kSecond;  // when the facts are gathered

// A line of a program: function, file, line.
struct At {
  std::string function;
  std::string file;
  std::uint32_t line = 0;
};

class ReportScene {
 public:
  explicit ReportScene(FindingKind kind, std::string program = "river-node",
                       std::uint32_t pid = 4242);

  Report report;

  std::uint32_t thread(std::uint32_t tid, std::string name);
  std::uint32_t lock(std::string name, LockKind kind, Memory memory = Memory::kGlobal);
  Thread& operator[](std::uint32_t thread) { return report.threads[thread]; }

  // `ago`: before kNow.
  void took(std::uint32_t thread, std::uint32_t lock, std::uint64_t ago, At where,
            bool shared = false);
  void waits(std::uint32_t thread, WaitKind kind, std::uint32_t lock, std::uint64_t ago, At where);
  // It woke others so often, the last time then. Nobody: a thread that has ended.
  void signals(std::uint32_t thread, std::uint32_t object, SignalKind how, std::uint64_t count,
               std::uint64_t ago, At where);
  void joins(std::uint32_t thread, std::uint32_t other, std::uint64_t ago, At where);
  void sleeps(std::uint32_t thread, std::string call, std::string detail, std::uint64_t ago);
  struct Times {
    std::uint64_t count, sum_ns, most_ns;
  };
  // Made while the lock was held; the last one ended then.
  void calls(std::uint32_t lock, BlockingCall call, Times times, std::uint64_t ago, At where,
             At taken);
  // Callers of what the thread does now, the innermost first.
  void called_from(std::uint32_t thread, const std::vector<At>& callers);
  // Its stack is what `edit` makes of the one that it has.
  void stack(std::uint32_t thread, const std::function<void(symbolize::Stack&)>& edit);

  void cycle(std::vector<std::uint32_t> threads);  // links along the locks that they wait for
  void behind(std::uint32_t waiter, std::uint32_t blocker, LinkReason reason = LinkReason::kHolder);
  void root(std::uint32_t thread, std::uint32_t lock);

  symbolize::Frame frame(const At& where);

 private:
  Link link(std::uint32_t waiter, std::uint32_t blocker);
};

// As ReportScene::stack().
void edit_stack(Report& report, std::uint32_t thread,
                const std::function<void(symbolize::Stack&)>& edit);

// Every report that has a golden text, by its name.
std::vector<std::pair<std::string, Report>> all_scenes();

// Named apart.
Report crowd_of_thousands(std::uint32_t threads, bool equal_stacks);
Report hostile_names();
Report hostile_order();

}  // namespace impasse::report
