#include "report/suppression_for.h"

#include <algorithm>
#include <cstddef>

#include "report/commonplace.h"
#include "report/function_name.h"
#include "report/report_text.h"
#include "report/signal_words.h"
#include "report/suppression_match.h"

namespace impasse::report {
namespace {

constexpr std::size_t kMostFunctions = 8;
constexpr std::size_t kFramesOutwards = 12;  // that a wrapper of the C++ library is deep

// The function of the program at a call that locks: wrappers of the library are passed over.
class Functions {
 public:
  explicit Functions(const Report& report) : report_(report) {}

  std::vector<std::string> of_finding() {
    const Finding& finding = report_.finding;
    for (const Link& link : finding.cycle) {
      wait_of(link.waiter);
      hold_of(link.blocker, link.lock);
    }
    for (const Order& order : finding.orders) {
      const auto& frames = report_.stack_of(order).frames;
      outwards(order.from_site, frames, order.from_frame);
      outwards(order.to_site, frames, frame_of(order.to_site, frames));
    }
    if (finding.cycle.empty()) hold_of(finding.root, finding.root_lock);
    if (finding.kind == FindingKind::kMisuse) wait_of(finding.root);
    if (is_stuck_group(finding.kind)) root_lock();
    if (found_.empty() && !finding.crowd.empty()) wait_of(finding.crowd.front().waiter);
    return std::move(found_);
  }

 private:
  using Frames = std::vector<symbolize::Frame>;

  static std::size_t frame_of(const symbolize::Frame& site, const Frames& frames) {
    const auto at = std::find_if(frames.begin(), frames.end(), [&site](const auto& frame) {
      return frame.pc == site.pc && site.pc != 0;
    });
    return static_cast<std::size_t>(at - frames.begin());
  }

  void wait_of(std::uint32_t index) {
    if (index >= report_.threads.size()) return;
    const Thread& thread = report_.threads[index];
    const symbolize::Frame& call = report_.finding.call;
    const bool broke_it = index == report_.finding.root && call.pc != 0;
    if (!broke_it && !thread.wait) return;
    const symbolize::Frame& site = broke_it ? call : thread.wait->site;
    const Frames& frames = report_.stack_of(thread).frames;
    outwards(site, frames, frame_of(site, frames));
  }

  // Where it is waited for, and where its waiters used to be woken.
  void root_lock() {
    const std::uint32_t lock = report_.finding.root_lock;
    if (lock >= report_.locks.size()) return;
    for (const Link& link : report_.finding.crowd) {
      if (link.lock == lock) wait_of(link.waiter);
    }
    for (const Signaller& one : report_.locks[lock].signallers) outwards(one.site, {}, 0);
  }

  void hold_of(std::uint32_t index, std::uint32_t lock) {
    if (index >= report_.threads.size() || lock == kNobody) return;
    const Thread& thread = report_.threads[index];
    for (const Hold& hold : thread.holds) {
      if (hold.lock == lock) outwards(hold.site, report_.stack_of(thread).frames, hold.frame);
    }
  }

  void outwards(const symbolize::Frame& site, const Frames& frames, std::size_t from) {
    if (note(site)) return;
    for (std::size_t i = from; i < frames.size() && i < from + kFramesOutwards; ++i) {
      if (note(frames[i])) return;
    }
  }

  bool note(const symbolize::Frame& frame) {
    for (const symbolize::Source& source : frame.sources) {
      if (source.function.empty() || is_library_wrapper(source.function, source.file)) continue;
      std::string name = short_function(source.function);
      if (!commonplace_in({PlaceKind::kFunction, name}).empty()) continue;
      const bool known = std::find(found_.begin(), found_.end(), name) != found_.end();
      if (!known && found_.size() < kMostFunctions) found_.push_back(std::move(name));
      return true;
    }
    return false;
  }

  const Report& report_;
  std::vector<std::string> found_;
};

// What was left out of a short name, and what would not survive a line of a file, may be anything.
std::string glob_of(std::string_view name) {
  constexpr std::string_view kEllipsis = "…";
  std::string glob;
  while (!name.empty()) {
    if (name.starts_with(kEllipsis)) {
      glob += '*';
      name.remove_prefix(kEllipsis.size());
    } else {
      const auto c = static_cast<unsigned char>(name.front());
      glob += c < ' ' || c == 0x7f ? '?' : name.front();
      name.remove_prefix(1);
    }
  }
  return glob;
}

bool silences(const std::string& rule, const Report& report) {
  const Suppressions read = parse_suppressions(rule);
  return read.complaints.empty() && read.rules.size() == 1 &&
         judge(read.rules, report).suppressed();
}

}  // namespace

std::vector<std::string> functions_of_finding(const Report& report) {
  return Functions(report).of_finding();
}

std::string suppression_for(const Report& report) {
  if (report.finding.kind == FindingKind::kDump) return "";
  const std::string title = "# " + report_line(report) + "\n";
  const std::string narrow = "fingerprint=" + report.finding.fingerprint;
  const bool has_fingerprint = is_fingerprint(report.finding.fingerprint);
  std::string rule = "kind=" + std::string(finding_word(report.finding.kind));
  for (const std::string& name : functions_of_finding(report)) {
    rule += " function=" + rule_value(glob_of(name));
  }
  if (!silences(rule, report)) {
    return has_fingerprint && silences(narrow, report) ? title + narrow + "\n" : "";
  }
  if (!has_fingerprint) return title + rule + "\n";
  return title + rule + "\n# or only this one, as long as the program is not built anew:\n# " +
         narrow + "\n";
}

}  // namespace impasse::report
