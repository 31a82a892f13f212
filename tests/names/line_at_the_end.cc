// What is made of the first one ends with a row of lines of no length (see line_at_the_end.sh), as
// compilers make them behind a call that does not return. _start is linked behind it.
extern "C" __attribute__((visibility("hidden"), section(".text.startup"))) int first_part(int n) {
  return n + 1;
}

extern "C" __attribute__((visibility("hidden"))) int last_part(int n) {
  return n + 2;
}
