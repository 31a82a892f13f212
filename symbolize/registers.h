// The registers that a walk starts from, numbered as DWARF numbers them on x86-64. Some may be
// unknown.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace impasse::symbolize {

enum Register : unsigned {
  kRax,
  kRdx,
  kRcx,
  kRbx,
  kRsi,
  kRdi,
  kRbp,
  kRsp,
  kR8,
  kR9,
  kR10,
  kR11,
  kR12,
  kR13,
  kR14,
  kR15,
  kRip,
  kRegisters
};

class Registers {
 public:
  // What a blocked thread saved in its wait record.
  static Registers from_saved(std::uint64_t rip, std::uint64_t rsp, std::uint64_t rbp,
                              std::uint64_t rbx, std::uint64_t r12, std::uint64_t r13,
                              std::uint64_t r14, std::uint64_t r15) {
    Registers registers;
    registers.set(kRip, rip);
    registers.set(kRsp, rsp);
    registers.set(kRbp, rbp);
    registers.set(kRbx, rbx);
    registers.set(kR12, r12);
    registers.set(kR13, r13);
    registers.set(kR14, r14);
    registers.set(kR15, r15);
    return registers;
  }

  // What /proc/PID/task/TID/syscall tells.
  static Registers from_system_call(std::uint64_t pc, std::uint64_t sp) {
    Registers registers;
    registers.set(kRip, pc);
    registers.set(kRsp, sp);
    return registers;
  }

  // What a signal handler finds in uc_mcontext.gregs: r8 to r15, rdi, rsi, rbp, rbx, rdx, rax, rcx,
  // rsp, rip.
  static Registers from_signal(const long long* gregs) {
    constexpr Register kOrder[kRegisters] = {kR8,  kR9,  kR10, kR11, kR12, kR13, kR14, kR15, kRdi,
                                             kRsi, kRbp, kRbx, kRdx, kRax, kRcx, kRsp, kRip};
    Registers registers;
    for (std::size_t i = 0; i < kRegisters; ++i) {
      registers.set(kOrder[i], static_cast<std::uint64_t>(gregs[i]));
    }
    return registers;
  }

  void set(Register which, std::uint64_t value) {
    values_[which] = value;
    known_ |= 1U << which;
  }
  bool known(Register which) const { return (known_ >> which & 1U) != 0; }
  std::uint64_t operator[](Register which) const { return values_[which]; }
  std::uint64_t pc() const { return values_[kRip]; }
  std::uint64_t sp() const { return values_[kRsp]; }

 private:
  std::array<std::uint64_t, kRegisters> values_{};
  std::uint32_t known_ = 0;
};

}  // namespace impasse::symbolize
