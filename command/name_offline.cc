#include "command/name_offline.h"

#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <map>
#include <utility>

#include "report/frames.h"
#include "symbolize/debug_files.h"

namespace impasse::command {
namespace {

class Namer {
 public:
  Namer(report::Report& report, const std::vector<symbolize::MappedFile>& modules,
        const std::vector<std::string>& debug_dirs)
      : report_(report), files_(modules, debug_dirs) {}

  void name_all() {
    report::for_each_frame(report_, [this](symbolize::Frame& frame) { name(frame); });
    for (report::Lock& lock : report_.locks) name(lock);
    for (const std::string& complaint : files_.complaints()) report_.notes.push_back(complaint);
  }

 private:
  void name(symbolize::Frame& frame) {
    const bool complete = !frame.sources.empty() && !frame.sources.front().file.empty();
    if (frame.pc == 0 || complete) return;
    // A thousand threads stand in twenty places.
    const auto [known, is_new] = named_.try_emplace({frame.pc, frame.returns_here}, frame);
    if (is_new) files_.name(known->second);
    if (known->second.sources.empty()) return;
    frame.sources = known->second.sources;
    frame.function_offset = known->second.function_offset;
  }
  void name(report::Lock& lock) {
    if (!lock.name.empty()) return;
    const auto symbol = files_.symbol_of_data(lock.address);
    if (!symbol) return;
    lock.name = symbol->name;
    lock.memory = report::Memory::kGlobal;
    if (symbol->offset == 0) return;
    std::array<char, 24> offset{};
    std::snprintf(offset.data(), offset.size(), "+0x%llx",
                  static_cast<unsigned long long>(symbol->offset));
    lock.name += offset.data();
  }

  report::Report& report_;
  symbolize::DebugFiles files_;
  std::map<std::pair<std::uint64_t, bool>, symbolize::Frame> named_;
};

}  // namespace

void name_offline(report::Report& report, const std::vector<std::string>& debug_dirs,
                  const std::string& root) {
  std::vector<symbolize::MappedFile> modules;
  modules.reserve(report.modules.size());
  for (const report::Module& module : report.modules) {
    const bool file = module.path.starts_with('/');
    modules.push_back(
        {file ? root + module.path : module.path, module.base, module.end, module.build_id});
  }
  Namer(report, modules, debug_dirs).name_all();
  report.named = true;
  report.names_trouble.clear();
}

symbolize::Modules modules_on_disk(std::string_view maps, const std::string& root) {
  auto modules = symbolize::Modules::from_maps(maps);
  for (symbolize::Module& module : modules.all()) {
    struct stat facts {};
    const bool there = stat((root + module.path).c_str(), &facts) == 0;
    if (there && facts.st_ino != module.inode) module.deleted = true;
  }
  return modules;
}

}  // namespace impasse::command
