// Saves the registers that a walk of the caller's stack starts from: rip, rsp, rbp, rbx, r12 to
// r15. To be used in the very function that then makes the blocking call: the saved rip lies in it,
// and its unwind information leads on.
#pragma once

// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): must stand in the caller's own frame
#define IMPASSE_SAVE_REGISTERS(to)                                                                \
  __asm__ volatile(                                                                               \
      "leaq 1f(%%rip), %%rax\n\tmovq %%rax, 0(%0)\n\tmovq %%rsp, 8(%0)\n\tmovq %%rbp, 16(%0)\n\t" \
      "movq %%rbx, 24(%0)\n\tmovq %%r12, 32(%0)\n\tmovq %%r13, 40(%0)\n\tmovq %%r14, 48(%0)\n\t"  \
      "movq %%r15, 56(%0)\n1:"                                                                    \
      :                                                                                           \
      : "r"(to)                                                                                   \
      : "rax", "memory")
