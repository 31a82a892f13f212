// A rule of a lock was broken: told once for each place in the program, with the stack of the
// thread that broke it.
//
// Promises: keeps errno; no lock, no allocation; one system call the first time a place is met,
// none later. Never changes what the program's call answers.
#pragma once

#include "detector/finding_kinds.h"
#include "detector/words.h"

namespace impasse {

struct Misuse {
  MisuseKind kind;
  LockKind lock_kind;
  std::uint64_t lock;
  std::uint64_t site;       // the program's call
  std::uint32_t other = 0;  // tid of the holder, where it is somebody else
  bool shared = false;      // the lock was asked for in order to read
};

void note_misuse(const Misuse& misuse);

// Right after a lock was asked for: libc refuses a rwlock to its own writer.
void note_refusal(std::uint8_t traits, std::uint64_t lock, std::uint64_t site);

}  // namespace impasse
