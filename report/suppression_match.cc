#include "report/suppression_match.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "report/function_name.h"
#include "report/glob.h"
#include "report/phrases.h"

namespace impasse::report {
namespace {

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

// The names of all places that a finding passes through.
class Places {
 public:
  explicit Places(const Report& report) : report_(report), say_(report) {
    note_locks();
    for (const Thread& thread : report.threads) {
      if (thread.involved) note(thread);
    }
    for (const std::uint32_t lock : locks_) {
      if (lock >= report.locks.size()) continue;
      for (const Signaller& one : report.locks[lock].signallers) note(one.site);
    }
    note(report.finding.call);
    for (const Order& order : report.finding.orders) {
      note(order.from_site);
      note(order.to_site);
      for (const symbolize::Frame& frame : report.stack_of(order).frames) note(frame);
    }
  }

  bool any(const PlaceGlob& place) const {
    const auto& names = place.kind == PlaceKind::kFunction ? functions_
                        : place.kind == PlaceKind::kModule ? modules_
                                                           : files_;
    return std::any_of(names.begin(), names.end(), [&place](const std::string& name) {
      return matches_glob(place.glob, name);
    });
  }

 private:
  void note_locks() {
    const Finding& finding = report_.finding;
    if (finding.root_lock != kNobody) locks_.insert(finding.root_lock);
    for (const auto* links : {&finding.cycle, &finding.crowd}) {
      for (const Link& link : *links) {
        if (link.lock != kNobody) locks_.insert(link.lock);
      }
    }
  }

  void note(const Thread& thread) {
    for (const symbolize::Frame& frame : report_.stack_of(thread).frames) note(frame);
    if (thread.wait) note(thread.wait->site);
    note(thread.entry);
    for (const Hold& hold : thread.holds) {
      if (locks_.contains(hold.lock)) note(hold.site);
    }
  }

  void note(const symbolize::Frame& frame) {
    if (frame.pc == 0 || !seen_.insert(frame.pc).second) return;
    for (const symbolize::Source& source : frame.sources) {
      if (!source.function.empty() && functions_.insert(source.function).second) {
        functions_.insert(short_function(source.function));
      }
      note_path(files_, source.file);
    }
    if (const Module* const module = say_.module_of(frame.pc)) note_path(modules_, module->path);
  }

  static void note_path(std::set<std::string>& names, const std::string& path) {
    if (path.empty() || !names.insert(path).second) return;
    names.emplace(base_name(path));
  }

  const Report& report_;
  const Phrases say_;
  std::set<std::uint32_t> locks_;
  std::set<std::uint64_t> seen_;
  std::set<std::string> functions_;
  std::set<std::string> modules_;
  std::set<std::string> files_;
};

}  // namespace

Judgement judge(const std::vector<SuppressionRule>& rules, const Report& report) {
  Judgement judgement;
  if (rules.empty() || report.finding.kind == FindingKind::kDump) return judgement;
  const Places places(report);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const SuppressionRule& rule = rules[i];
    if (rule.kind && *rule.kind != report.finding.kind) continue;
    if (!rule.fingerprint.empty() && rule.fingerprint != report.finding.fingerprint) continue;
    bool all = true;
    bool may_yet = true;
    for (const PlaceGlob& place : rule.places) {
      if (places.any(place)) continue;
      all = false;
      if (place.kind == PlaceKind::kModule || report.named) may_yet = false;
    }
    if (all) {
      judgement.matched.push_back(i);
    } else if (may_yet) {
      judgement.undecided.push_back(i);
    }
  }
  return judgement;
}

}  // namespace impasse::report
