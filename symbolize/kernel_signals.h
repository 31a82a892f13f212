// Signal actions as the kernel knows them: what the program's own sigaction(), which may be
// anybody's, would make of them is none of our business, and what is put back must be exact.
#pragma once

#include <csignal>
#include <cstddef>
#include <cstdint>

namespace impasse::symbolize {

using SignalHandler = void (*)(int signal, siginfo_t* info, void* context);

// struct sigaction of the kernel, x86-64.
struct KernelAction {
  SignalHandler handler = nullptr;  // nullptr: SIG_DFL
  std::uint64_t flags = 0;
  void (*restorer)() = nullptr;
  std::uint64_t mask = 0;

  bool is_default() const { return handler == nullptr; }
  bool is_ignored() const { return reinterpret_cast<std::uintptr_t>(handler) == 1; }
};

constexpr std::uint64_t signal_bit(int signal) {
  return std::uint64_t{1} << (signal - 1);
}

// nullptr: nothing to set, or nothing to be told.
bool kernel_action(int signal, const KernelAction* set, KernelAction* was);
void kernel_mask(int how, std::uint64_t set, std::uint64_t* was);
// To the calling thread, as if whoever sent it had sent it now.
void send_again_here(int signal, siginfo_t* info);
// To the process. What kill() had sent comes as if by sigqueue(), with the same sender.
void send_again(int signal, const siginfo_t& info);

// Without libc: an action that is installed needs code that returns from its handler.
KernelAction with_own_restorer(KernelAction action);
// Tells a handler with that action by its return address whether the kernel called it, or another
// handler that had found it installed.
bool called_by_kernel(const void* return_address);

}  // namespace impasse::symbolize
