// What the drivers ask the allocator that replaces malloc.
#pragma once

struct OwnMallocCounters {
  unsigned long taken = 0;
  unsigned long given_back = 0;
};

OwnMallocCounters own_malloc_counters();

// Registers fork handlers, so that a child never inherits the allocator's mutex locked.
void own_malloc_lock_around_fork();
