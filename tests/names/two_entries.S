// A function by hand whose parts stand in the tables for unwinding each for itself, with a gap
// between them; as in libc's clone3.
  .text
  .balign 16
  .globl two_entries
  .hidden two_entries
  .type two_entries, @function
two_entries:
  .cfi_startproc
  nop
  nop
  .cfi_endproc
  nop
  nop
  .cfi_startproc
  nop
  .cfi_endproc
  .cfi_startproc
  nop
  nop
  ret
  .cfi_endproc
  .size two_entries, .-two_entries
  .section .note.GNU-stack,"",@progbits
