#include "symbolize/kernel_signals.h"

#include <sys/syscall.h>
#include <unistd.h>

// Unwinders know a signal's frame by these very bytes; it has no unwind information.
asm(R"(
  .text
  .balign 16
  nop
  .globl impasse_return_from_handler
  .hidden impasse_return_from_handler
  .type impasse_return_from_handler, @function
impasse_return_from_handler:
  movq $15, %rax
  syscall
  .size impasse_return_from_handler, .-impasse_return_from_handler
)");
extern "C" __attribute__((visibility("hidden"))) void impasse_return_from_handler();

namespace impasse::symbolize {
namespace {

constexpr std::uint64_t kHasRestorer = 0x0400'0000;

}  // namespace

bool kernel_action(int signal, const KernelAction* set, KernelAction* was) {
  return syscall(SYS_rt_sigaction, signal, set, was, sizeof(KernelAction::mask)) == 0;
}

void kernel_mask(int how, std::uint64_t set, std::uint64_t* was) {
  syscall(SYS_rt_sigprocmask, how, &set, was, sizeof set);
}

void send_again_here(int signal, siginfo_t* info) {
  syscall(SYS_rt_tgsigqueueinfo, syscall(SYS_getpid), syscall(SYS_gettid), signal, info);
}

void send_again(int signal, const siginfo_t& info) {
  siginfo_t again = info;
  // The kernel believes no other thread than the first one that it was kill().
  if (again.si_code >= 0) again.si_code = SI_QUEUE;
  syscall(SYS_rt_sigqueueinfo, syscall(SYS_getpid), signal, &again);
}

KernelAction with_own_restorer(KernelAction action) {
  action.flags |= kHasRestorer;
  action.restorer = impasse_return_from_handler;
  return action;
}

bool called_by_kernel(const void* return_address) {
  return return_address == reinterpret_cast<const void*>(impasse_return_from_handler);
}

}  // namespace impasse::symbolize
