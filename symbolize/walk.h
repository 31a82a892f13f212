// One pass over the frames of a stack image, from the innermost outwards.
//
// Promises: reads the image and, through AddressSpace, memory that no program writes; says for each
// frame whether it is sure that there is one; never follows the frame pointers of code that has no
// unwind information (libunwind would, and invent frames). No malloc. Cost: 0.7 to 2 µs a frame.
#pragma once

#include <cstdint>
#include <string>

#include "symbolize/address_space.h"
#include "symbolize/registers.h"
#include "symbolize/stack_image.h"
#include "symbolize/unwind_library.h"

namespace impasse::symbolize {

// What all walks of one process share.
struct Walker {
  const UnwindLibrary& library;
  unw_addr_space_t cached_rows;
  AddressSpace& space;
};

class Walk {
 public:
  enum class Outcome : std::uint8_t {
    kFrame,
    kEnd,            // the present frame is the outermost one
    kNoInformation,  // about the present frame's code
    kNoMemory,       // at missed()
    kNoRegister,     // lost()
    kNoCode,         // the return address (missed()) is none
    kNoProgress,     // the same frame again
    kRefused,        // by libunwind, for what it did not say
  };

  Walk(const Walker& walker, StackImage& image, const Registers& registers);
  Walk(const Walk&) = delete;
  Walk& operator=(const Walk&) = delete;

  // The present frame; at first the innermost.
  std::uint64_t pc() const { return pc_; }
  std::uint64_t sp() const { return sp_; }
  bool signal() const { return signal_; }
  bool returns_here() const { return returns_here_; }
  // The start of its function, as far as unwind information tells; 0: it does not.
  std::uint64_t function_start();

  // On to the next outer frame; anything but kFrame leaves the present one as it was.
  Outcome next();
  std::uint64_t missed() const { return missed_; }
  Register lost() const { return lost_; }
  std::string why(Outcome outcome) const;  // a clause

  static unw_accessors_t accessors();

 private:
  static int find_information(unw_addr_space_t rows, unw_word_t pc, unw_proc_info_t* found,
                              int need_information, void* walk);
  static int read_memory(unw_addr_space_t rows, unw_word_t address, unw_word_t* word, int write,
                         void* walk);
  static int read_register(unw_addr_space_t rows, unw_regnum_t number, unw_word_t* value, int write,
                           void* walk);

  bool read_word(std::uint64_t address, std::uint64_t& word);
  bool is_stack(const Mapping& mapping) const;
  Outcome look();

  const Walker& walker_;
  StackImage& image_;
  const Registers& registers_;
  unw_cursor_t cursor_;
  bool begun_ = false;
  std::uint64_t pc_;
  std::uint64_t sp_;
  bool signal_ = false;
  bool returns_here_ = false;
  // What went wrong in the callbacks of the present step.
  bool no_information_ = false;
  bool no_memory_ = false;
  bool no_register_ = false;
  std::uint64_t missed_ = 0;
  Register lost_ = kRip;
};

}  // namespace impasse::symbolize
