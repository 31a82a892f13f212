#include "symbolize/walk.h"

#include <cstdio>

#include "symbolize/call_site.h"

namespace impasse::symbolize {
namespace {

Walk& of(void* walk) {
  return *static_cast<Walk*>(walk);
}

std::string hexadecimal(std::uint64_t value) {
  char text[24];
  snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
  return text;
}

}  // namespace

Walk::Walk(const Walker& walker, StackImage& image, const Registers& registers)
    : walker_(walker),
      image_(image),
      registers_(registers),
      pc_(registers.pc()),
      sp_(registers.sp()) {
  // Without code at the pc libunwind would guess.
  if (!walker.space.is_code(pc_)) return;
  begun_ = walker.library.init_remote(&cursor_, walker.cached_rows, this) == 0;
  signal_ = returns_from_signal(walker.space, pc_);
}

bool Walk::read_word(std::uint64_t address, std::uint64_t& word) {
  if (image_.holds_word(address, word)) return true;
  const Mapping* const mapping = walker_.space.mapping(address);
  if (mapping == nullptr) return false;
  return is_stack(*mapping) ? image_.read_word(address, word)
                            : walker_.space.read_all(address, &word, sizeof word);
}

// Memory that threads write is copied, so that all of a stack is from one instant. No stack, unless
// the thread stands there: code that is made at run time, and a file's data (where unwind
// information has pointers).
bool Walk::is_stack(const Mapping& mapping) const {
  if (!mapping.writable) return false;
  if (!mapping.executable && mapping.module == kNoModule) return true;
  return &mapping == walker_.space.mapping(sp_);
}

int Walk::read_memory(unw_addr_space_t, unw_word_t address, unw_word_t* word, int write,
                      void* walk) {
  if (write != 0) return -UNW_EINVAL;
  if (of(walk).read_word(address, *word)) return 0;
  of(walk).no_memory_ = true;
  of(walk).missed_ = address;
  return -UNW_EINVAL;
}

int Walk::read_register(unw_addr_space_t, unw_regnum_t number, unw_word_t* value, int write,
                        void* walk) {
  if (write != 0 || number < 0 || number >= static_cast<int>(kRegisters)) return -UNW_EBADREG;
  const auto which = static_cast<Register>(number);
  if (!of(walk).registers_.known(which)) {
    of(walk).no_register_ = true;
    of(walk).lost_ = which;
    return -UNW_EBADREG;
  }
  *value = of(walk).registers_[which];
  return 0;
}

int Walk::find_information(unw_addr_space_t rows, unw_word_t pc, unw_proc_info_t* found,
                           int need_information, void* walk) {
  Walk& self = of(walk);
  const Module* const module = self.walker_.space.module(pc);
  int result = -UNW_ENOINFO;
  if (module != nullptr && module->unwind.count != 0) {
    unw_dyn_info_t table{};
    table.format = UNW_INFO_FORMAT_REMOTE_TABLE;
    table.start_ip = module->base;
    table.end_ip = module->end;
    table.u.rti.segbase = module->unwind.header;
    table.u.rti.table_data = module->unwind.entries;
    table.u.rti.table_len = module->unwind.count * 8 / sizeof(unw_word_t);
    result = self.walker_.library.dwarf_search_unwind_table(rows, pc, &table, found,
                                                            need_information, walk);
  }
  if (result == -UNW_ENOINFO) self.no_information_ = true;
  return result;
}

unw_accessors_t Walk::accessors() {
  unw_accessors_t answers{};
  answers.find_proc_info = find_information;
  answers.put_unwind_info = [](unw_addr_space_t, unw_proc_info_t*, void*) {};
  answers.get_dyn_info_list_addr = [](unw_addr_space_t, unw_word_t*, void*) {
    return -UNW_ENOINFO;
  };
  answers.access_mem = read_memory;
  answers.access_reg = read_register;
  answers.access_fpreg = [](unw_addr_space_t, unw_regnum_t, unw_fpreg_t*, int, void*) {
    return -UNW_EBADREG;
  };
  answers.resume = [](unw_addr_space_t, unw_cursor_t*, void*) { return -UNW_EINVAL; };
  answers.get_proc_name = [](unw_addr_space_t, unw_word_t, char*, std::size_t, unw_word_t*, void*) {
    return -UNW_ENOINFO;
  };
  return answers;
}

std::uint64_t Walk::function_start() {
  unw_proc_info_t found{};
  const std::uint64_t inside = returns_here_ ? pc_ - 1 : pc_;
  const int result = walker_.library.get_proc_info_by_ip(walker_.cached_rows, inside, &found, this);
  return result == 0 ? found.start_ip : 0;
}

// Where the cursor stands after a step.
Walk::Outcome Walk::look() {
  unw_word_t pc = 0;
  unw_word_t sp = 0;
  if (walker_.library.get_reg(&cursor_, UNW_REG_IP, &pc) != 0 ||
      walker_.library.get_reg(&cursor_, UNW_REG_SP, &sp) != 0) {
    return Outcome::kRefused;
  }
  if (pc == 0) return Outcome::kEnd;
  if (pc == pc_ && sp == sp_) return Outcome::kNoProgress;
  if (!walker_.space.is_code(pc)) {
    missed_ = pc;
    return Outcome::kNoCode;
  }
  const bool interrupted = signal_;
  pc_ = pc;
  sp_ = sp;
  signal_ = returns_from_signal(walker_.space, pc_);
  returns_here_ = !interrupted && !signal_;
  return Outcome::kFrame;
}

Walk::Outcome Walk::next() {
  if (!begun_) {
    missed_ = pc_;
    return walker_.space.is_code(pc_) ? Outcome::kRefused : Outcome::kNoCode;
  }
  // libunwind would follow frame pointers there.
  if (walker_.space.module(pc_) == nullptr) return Outcome::kNoInformation;
  no_information_ = no_memory_ = no_register_ = false;
  const int result = walker_.library.step(&cursor_);
  // A signal's frame is known by its code as well.
  if (no_information_ && !signal_) return Outcome::kNoInformation;
  if (result == 0) return Outcome::kEnd;
  if (result > 0) return look();
  if (no_register_) return Outcome::kNoRegister;
  return no_memory_ ? Outcome::kNoMemory : Outcome::kRefused;
}

std::string Walk::why(Outcome outcome) const {
  std::string stopped = "walk stopped at " + walker_.space.name(pc_) + ": ";
  switch (outcome) {
    case Outcome::kFrame:
    case Outcome::kEnd:
      return {};
    case Outcome::kNoInformation:
      return stopped + (walker_.space.module(pc_) == nullptr
                            ? "code made at run time, without unwind information"
                            : "no unwind information");
    case Outcome::kNoMemory:
      if (image_.changed()) return stopped + "the thread went on while its stack was copied";
      if (image_.full()) return stopped + "more of the stack than is copied";
      return stopped + "no memory of the stack at " + hexadecimal(missed_);
    case Outcome::kNoRegister:
      return stopped + (lost_ == kRbp ? "its frame pointer is not known"
                                      : "a register that it needs is not known");
    case Outcome::kNoCode:
      return stopped + "no code at " + hexadecimal(missed_);
    case Outcome::kNoProgress:
      return stopped + "it leads to itself";
    case Outcome::kRefused:
      return stopped + "its unwind information makes no sense";
  }
  return stopped;
}

}  // namespace impasse::symbolize
