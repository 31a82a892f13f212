#include "symbolize/debug_files.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <span>
#include <utility>

#include "symbolize/debug_search.h"
#include "symbolize/readable_name.h"

namespace impasse::symbolize {
namespace {

constexpr std::uint64_t kPage = 4096;

// Separate debug information of one module, to be handed to libdwfl when it asks for the first
// time; what it asks for later is what several such files share (dwz).
struct Separate {
  std::string path;
  bool given = false;
};

int find_debug_information(Dwfl_Module* module, void** data, const char* name, Dwarf_Addr base,
                           const char* file, const char* link, GElf_Word check, char** path) {
  auto* const separate = static_cast<Separate*>(*data);
  if (separate != nullptr && !separate->given && !separate->path.empty()) {
    separate->given = true;
    const int fd = open(separate->path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
      *path = strdup(separate->path.c_str());
      return fd;
    }
  }
  return dwfl_standard_find_debuginfo(module, data, name, base, file, link, check, path);
}

// What the loader added to the file's addresses; nothing: the file has no part that is loaded.
std::optional<std::uint64_t> bias_of(const std::string& path, std::uint64_t base) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  elf_version(EV_CURRENT);
  Elf* const elf = elf_begin(fd, ELF_C_READ_MMAP, nullptr);
  std::optional<std::uint64_t> bias;
  std::size_t count = 0;
  if (elf != nullptr && elf_getphdrnum(elf, &count) == 0) {
    for (std::size_t i = 0; i < count && !bias.has_value(); ++i) {
      GElf_Phdr header;
      if (gelf_getphdr(elf, static_cast<int>(i), &header) == nullptr) break;
      if (header.p_type == PT_LOAD) bias = base - (header.p_vaddr & ~(kPage - 1));
    }
  }
  elf_end(elf);
  close(fd);
  return bias;
}

std::string name_of(Dwarf_Die& die) {
  Dwarf_Attribute attribute;
  for (const unsigned linkage : {DW_AT_linkage_name, DW_AT_MIPS_linkage_name}) {
    const char* const mangled = dwarf_formstring(dwarf_attr_integrate(&die, linkage, &attribute));
    if (mangled != nullptr) return readable_name(mangled);
  }
  const char* const plain = dwarf_diename(&die);
  return plain != nullptr ? plain : "";
}

std::uint32_t number_of(Dwarf_Die& die, unsigned attribute_name) {
  Dwarf_Attribute attribute;
  Dwarf_Word value = 0;
  const bool has = dwarf_formudata(dwarf_attr(&die, attribute_name, &attribute), &value) == 0;
  return has ? static_cast<std::uint32_t>(value) : 0;
}

// The file that an inlined call's number stands for.
std::string file_of_call(Dwarf_Die& unit, Dwarf_Die& inlined) {
  Dwarf_Files* files = nullptr;
  std::size_t count = 0;
  if (dwarf_getsrcfiles(&unit, &files, &count) != 0) return {};
  const std::uint32_t number = number_of(inlined, DW_AT_call_file);
  const char* const path =
      number < count ? dwarf_filesrc(files, number, nullptr, nullptr) : nullptr;
  return path != nullptr ? path : "";
}

// The functions at `pc` (as the file counts), the innermost first. `place` is where pc itself is.
std::vector<Source> functions_at(Dwarf_Die& unit, Dwarf_Addr pc, Source place) {
  std::vector<Source> sources;
  Dwarf_Die* innermost = nullptr;
  if (dwarf_getscopes(&unit, pc, &innermost) <= 0) return sources;
  // The scopes around an inlined function are those where it was written; the tree of entries
  // tells those into which it was inlined.
  Dwarf_Die* scopes = nullptr;
  const int count = dwarf_getscopes_die(&innermost[0], &scopes);
  for (Dwarf_Die& die : std::span(scopes, static_cast<std::size_t>(count > 0 ? count : 0))) {
    const int tag = dwarf_tag(&die);
    if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram) continue;
    place.function = name_of(die);
    sources.push_back(std::move(place));
    if (tag == DW_TAG_subprogram) break;
    place = {{}, file_of_call(unit, die), number_of(die, DW_AT_call_line)};
  }
  std::free(scopes);
  std::free(innermost);
  return sources;
}

// libdwfl answers with the unit and the line that are next before an address, however far away.
bool covers(Dwarf_Die* unit, Dwarf_Addr pc) {
  return unit != nullptr && dwarf_haspc(unit, pc) > 0;
}

Source place_at(Dwfl_Module* module, Dwarf_Addr address) {
  Source place;
  int line = 0;
  Dwfl_Line* const found = dwfl_module_getsrc(module, address);
  const char* const file =
      found != nullptr ? dwfl_lineinfo(found, nullptr, &line, nullptr, nullptr, nullptr) : nullptr;
  if (file != nullptr) {
    place.file = file;
    place.line = line > 0 ? static_cast<std::uint32_t>(line) : 0;
  }
  return place;
}

struct Symbol {
  const char* name = nullptr;
  std::uint64_t offset = 0;
};

// Only one that covers the address by its size.
std::optional<Symbol> symbol_at(Dwfl_Module* module, Dwarf_Addr address) {
  Symbol found;
  GElf_Sym symbol;
  found.name =
      dwfl_module_addrinfo(module, address, &found.offset, &symbol, nullptr, nullptr, nullptr);
  if (found.name == nullptr || found.offset >= symbol.st_size) return std::nullopt;
  return found;
}

}  // namespace

class DebugFiles::Files {
 public:
  Files(const std::vector<MappedFile>& modules, const std::vector<std::string>& directories);
  ~Files() { dwfl_end(session_); }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  Dwfl_Module* module(std::uint64_t address) const {
    return session_ != nullptr ? dwfl_addrmodule(session_, address) : nullptr;
  }
  const std::vector<std::string>& complaints() const { return search_.complaints(); }

 private:
  void report(const MappedFile& module);

  DebugSearch search_;
  std::string path_;  // of directories, as libdwfl wants it
  char* path_text_;
  Dwfl_Callbacks callbacks_;
  Dwfl* session_;
  std::deque<Separate> separate_;  // libdwfl keeps pointers
};

DebugFiles::Files::Files(const std::vector<MappedFile>& modules,
                         const std::vector<std::string>& directories)
    : search_(directories), path_("-:/usr/lib/debug") {
  for (const std::string& directory : directories) path_ += ":" + directory;
  path_text_ = path_.data();
  callbacks_ = {dwfl_build_id_find_elf, find_debug_information, dwfl_offline_section_address,
                &path_text_};
  session_ = dwfl_begin(&callbacks_);
  if (session_ == nullptr) return;
  dwfl_report_begin(session_);
  for (const MappedFile& module : modules) report(module);
  dwfl_report_end(session_, nullptr, nullptr);
}

void DebugFiles::Files::report(const MappedFile& module) {
  if (!module.path.starts_with('/')) return;
  FoundFiles found = search_.find(module.path, module.build_id);
  if (found.main.empty()) std::swap(found.main, found.debug);
  if (found.main.empty()) return;
  const std::optional<std::uint64_t> bias = bias_of(found.main, module.base);
  if (!bias.has_value()) return;
  Dwfl_Module* const reported =
      dwfl_report_elf(session_, module.path.c_str(), found.main.c_str(), -1, *bias, true);
  if (reported == nullptr) return;
  void** data = nullptr;
  dwfl_module_info(reported, &data, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr);
  *data = &separate_.emplace_back(Separate{std::move(found.debug), false});
}

DebugFiles::DebugFiles(const std::vector<MappedFile>& modules,
                       const std::vector<std::string>& directories)
    : files_(std::make_unique<Files>(modules, directories)) {}

DebugFiles::~DebugFiles() = default;

void DebugFiles::name(Frame& frame) {
  const std::uint64_t address = frame.returns_here && frame.pc != 0 ? frame.pc - 1 : frame.pc;
  Dwfl_Module* const module = files_->module(address);
  if (module == nullptr) return;
  const std::optional<Symbol> symbol = symbol_at(module, address);
  std::vector<Source> sources;
  Source place;
  Dwarf_Addr bias = 0;
  Dwarf_Die* const unit = dwfl_module_addrdie(module, address, &bias);
  if (covers(unit, address - bias)) {
    place = place_at(module, address);
    sources = functions_at(*unit, address - bias, place);
  }
  if (sources.empty() && (symbol.has_value() || !place.file.empty())) {
    sources.push_back(std::move(place));
  }
  if (sources.empty()) return;
  if (sources.size() == 1 && symbol.has_value()) {
    sources.front().function = readable_name(symbol->name);
  }
  frame.sources = std::move(sources);
  frame.function_offset = symbol.has_value() ? symbol->offset + (frame.pc - address) : 0;
}

void DebugFiles::name(Stack& stack) {
  for (Frame& frame : stack.frames) name(frame);
}

std::optional<DataName> DebugFiles::symbol_of_data(std::uint64_t address) {
  Dwfl_Module* const module = files_->module(address);
  const std::optional<Symbol> symbol =
      module != nullptr ? symbol_at(module, address) : std::optional<Symbol>();
  if (!symbol.has_value()) return std::nullopt;
  return DataName{readable_name(symbol->name), symbol->offset};
}

const std::vector<std::string>& DebugFiles::complaints() const {
  return files_->complaints();
}

}  // namespace impasse::symbolize
