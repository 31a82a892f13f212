#include "symbolize/namer.h"

#include <backtrace.h>

#include <algorithm>
#include <unordered_map>
#include <utility>
#include <vector>

#include "symbolize/address_space.h"
#include "symbolize/arena.h"
#include "symbolize/burst_memory.h"
#include "symbolize/own_loader_view.h"
#include "symbolize/plain_name.h"
#include "symbolize/readable_name.h"

namespace impasse::symbolize {
namespace {

constexpr std::size_t kMostLevels = 64;  // functions inlined into one another
constexpr std::size_t kMostCached = 100'000;
constexpr int kMostParts = 8;  // of one function by hand

struct Symbol {
  std::string name;  // mangled; empty: none covers the address
  std::uint64_t start = 0;
};

// What is known of one address.
struct Named {
  std::vector<Source> sources;
  std::uint64_t start = 0;  // of the function that was not inlined; 0: not known
};

bool is_by_hand(const Source& source) {
  return source.file.ends_with(".S") || source.file.ends_with(".s");
}

// With clang's DWARF 5 libbacktrace puts the directory of the compilation before paths that have
// one already: "/build//source/a.cc".
std::string unjoined(std::string path) {
  const std::size_t at = path.rfind("//");
  if (path.starts_with('/') && at != std::string::npos) path.erase(0, at + 1);
  return path;
}

}  // namespace

class Namer::Lookup {
 public:
  explicit Lookup(std::size_t most_bytes);
  ~Lookup();
  Lookup(const Lookup&) = delete;
  Lookup& operator=(const Lookup&) = delete;

  const Named& at(std::uint64_t address);
  Symbol symbol(std::uint64_t address);
  std::string trouble() const;

 private:
  Named look_up(std::uint64_t address);
  std::vector<Source> levels(std::uint64_t address);
  bool plausible(const Symbol& symbol, std::uint64_t address);
  std::uint64_t start_by_unwind_table(std::uint64_t address);
  std::uint64_t start_by_debug_information(std::uint64_t address, const Source& function);
  static void note_error(void* lookup, const char* message, int number);

  AddressSpace space_;
  bool refreshed_;
  OwnLoaderView view_;
  BurstMemory memory_;
  std::string main_file_;
  backtrace_state* state_ = nullptr;
  std::string error_;
  std::unordered_map<std::uint64_t, Named> known_;
  Named passing_;
};

Namer::Lookup::Lookup(std::size_t most_bytes)
    : refreshed_(space_.refresh()),
      view_(space_),
      memory_(most_bytes),
      main_file_(view_.file_of_main()) {
  if (!main_file_.empty()) {
    state_ = backtrace_create_state(main_file_.c_str(), 0, note_error, this);
  }
  set_state_of_burst(state_);
}

Namer::Lookup::~Lookup() {
  set_state_of_burst(nullptr);
}

void Namer::Lookup::note_error(void* lookup, const char* message, int number) {
  constexpr int kNothingThere = -1;
  std::string& error = static_cast<Lookup*>(lookup)->error_;
  if (number != kNothingThere && error.empty()) error = message;
}

std::string Namer::Lookup::trouble() const {
  if (!refreshed_) return "the list of mapped files could not be read";
  if (memory_.exhausted()) return "there is more debug information than memory for it";
  if (!error_.empty()) return "debug information could not be read: " + error_;
  if (view_.replaced() != 0) {
    return "there are none from " + std::to_string(view_.replaced()) +
           " files that were replaced or removed since they were loaded";
  }
  return {};
}

const Named& Namer::Lookup::at(std::uint64_t address) {
  const auto known = known_.find(address);
  if (known != known_.end()) return known->second;
  Named named = look_up(address);
  if (known_.size() < kMostCached) {
    return known_.emplace(address, std::move(named)).first->second;
  }
  passing_ = std::move(named);
  return passing_;
}

Named Namer::Lookup::look_up(std::uint64_t address) {
  Named named;
  const Module* const module = space_.module(address);
  if (state_ == nullptr || module == nullptr || !view_.has(*module)) return named;
  named.sources = levels(address);
  // Without debug information libbacktrace answers with the symbol; and rows of lines may reach
  // into code that has no function of its own.
  const bool debug_information =
      !named.sources.empty() &&
      std::all_of(named.sources.begin(), named.sources.end(), [](const Source& source) {
        return !source.function.empty() && !source.file.empty();
      });
  if (!debug_information) named.sources.clear();

  const Symbol found = symbol(address);
  const bool by_symbol = !found.name.empty() && plausible(found, address);
  if (by_symbol && named.sources.size() <= 1) {
    Source plain = plain_name(address);
    plain.function = shortened(std::move(plain.function));
    plain.file = unjoined(std::move(plain.file));
    named.sources.assign(1, plain);
  }
  if (!named.sources.empty()) {
    named.start =
        by_symbol ? found.start : start_by_debug_information(address, named.sources.back());
  }
  return named;
}

// The functions at an address, the innermost first.
std::vector<Source> Namer::Lookup::levels(std::uint64_t address) {
  struct Answer {
    Lookup* lookup;
    std::vector<Source> sources;
  } answer{this, {}};
  const auto add = [](void* data, std::uintptr_t, const char* file, int line,
                      const char* function) {
    auto& sources = static_cast<Answer*>(data)->sources;
    Source& source = sources.emplace_back();
    if (function != nullptr) source.function = readable_name(function);
    if (file != nullptr) source.file = unjoined(file);
    source.line = line > 0 ? static_cast<std::uint32_t>(line) : 0;
    return sources.size() < kMostLevels ? 0 : 1;
  };
  const auto complain = [](void* data, const char* message, int number) {
    note_error(static_cast<Answer*>(data)->lookup, message, number);
  };
  backtrace_pcinfo(state_, address, add, complain, &answer);
  return std::move(answer.sources);
}

// libbacktrace gives a symbol only for an address within its size.
Symbol Namer::Lookup::symbol(std::uint64_t address) {
  struct Answer {
    Lookup* lookup;
    Symbol symbol;
  } answer{this, {}};
  const auto take = [](void* data, std::uintptr_t, const char* name, std::uintptr_t start,
                       std::uintptr_t) {
    if (name != nullptr) static_cast<Answer*>(data)->symbol = {name, start};
  };
  const auto complain = [](void* data, const char* message, int number) {
    note_error(static_cast<Answer*>(data)->lookup, message, number);
  };
  if (state_ != nullptr) backtrace_syminfo(state_, address, take, complain, &answer);
  return std::move(answer.symbol);
}

// Sizes lie, above all in stripped libraries; where functions begin is known from the tables for
// unwinding as well.
bool Namer::Lookup::plausible(const Symbol& symbol, std::uint64_t address) {
  return start_by_unwind_table(symbol.start) == start_by_unwind_table(address);
}

// 0: there is no table, or nothing in it begins before the address.
std::uint64_t Namer::Lookup::start_by_unwind_table(std::uint64_t address) {
  struct Entry {
    std::int32_t start;
    std::int32_t information;
  };
  const Module* const module = space_.module(address);
  if (module == nullptr) return 0;
  const UnwindTable& table = module->unwind;
  std::uint64_t start = 0;
  std::uint64_t low = 0;
  std::uint64_t high = table.count;
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    Entry entry;
    if (!space_.read_all(table.entries + middle * sizeof entry, &entry, sizeof entry)) return 0;
    const std::uint64_t here =
        table.header + static_cast<std::uint64_t>(static_cast<std::int64_t>(entry.start));
    if (here <= address) {
      start = here;
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return start;
}

// A compiler makes one entry for unwinding of a function. By hand there may be several, with gaps
// between them (clone3): while the same function stands before an entry, it goes on there.
std::uint64_t Namer::Lookup::start_by_debug_information(std::uint64_t address,
                                                        const Source& function) {
  std::uint64_t start = start_by_unwind_table(address);
  if (!is_by_hand(function)) return start;
  for (int part = 1; part < kMostParts && start != 0; ++part) {
    const std::vector<Source> before = levels(start - 1);
    const bool goes_on = !before.empty() && before.back().function == function.function &&
                         before.back().file == function.file;
    if (!goes_on) break;
    start = start_by_unwind_table(start - 1);
  }
  return start;
}

Namer::Namer(std::size_t most_bytes) : lookup_(std::make_unique<Lookup>(most_bytes)) {}

Namer::~Namer() {
  lookup_.reset();
  OwnArena::trim();
}

void Namer::name(Frame& frame) {
  const std::uint64_t address = frame.returns_here && frame.pc != 0 ? frame.pc - 1 : frame.pc;
  const Named& named = lookup_->at(address);
  frame.sources = named.sources;
  frame.function_offset = named.start != 0 ? frame.pc - named.start : 0;
}

void Namer::name(Stack& stack) {
  for (Frame& frame : stack.frames) name(frame);
}

std::optional<DataName> Namer::symbol_of_data(std::uint64_t address) {
  const Symbol found = lookup_->symbol(address);
  if (found.name.empty()) return std::nullopt;
  return DataName{readable_name(found.name.c_str()), address - found.start};
}

std::string Namer::trouble() const {
  return lookup_->trouble();
}

}  // namespace impasse::symbolize
