// Where the memory of a ledger comes from: a 0600 file in /dev/shm, or anonymous memory where that
// cannot be had.
//
// Promises: no call in here is a cancellation point, allocates, or leaves a descriptor open;
// nothing raises SIGXFSZ or SIGBUS, whatever the limits and however full the file system.
#pragma once

#include <cstddef>

#include "detector/ledger.h"

namespace impasse {

struct LedgerMemory {
  void* base = nullptr;  // null: there is no memory
  Geometry geometry{};
};

// `directory` null: anonymous memory right away.
LedgerMemory map_ledger(const char* directory);
// In a forked child: the shared memory is the parent's. Its place stays readable and writable, as
// private memory that nobody looks at: the fork may have come from a signal handler in the middle
// of a lock.
void leave_ledger_memory(void* base, std::size_t bytes);

// A Reserve: makes a page-aligned part of the mapping safe to write.
bool reserve_ledger_memory(void* start, std::size_t bytes);

// The file's path; null: there is none.
const char* ledger_file();
// Why there is none though there should be: an error number.
int ledger_trouble();
// Removes the file, if this process made one, and an answer beside it that nobody has fetched.
void remove_ledger_file();
// The file that this very process made before it called exec.
void remove_ledger_of_earlier_image(const char* directory);

// When this process began, in clock ticks since boot; 0: not to be had.
std::uint64_t process_start();
// In a forked child: the file is the parent's.
void disown_ledger_file();

}  // namespace impasse
