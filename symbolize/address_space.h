// One process as a walk of its stacks sees it: what is mapped, and the bytes there.
//
// Promises: no stdio, no dl_iterate_phdr, no lock; reads through the kernel, so that memory that
// vanished meanwhile is an error and never a crash. Memory without read permission is never read
// (a guard page is a miss, although /proc/PID/mem would show it).
// Cost of refresh(): 0.2 to 0.5 ms for 110 mappings, most of it the kernel's; 10 µs more for each
// module not seen before. For one thread at a time.
//
//   AddressSpace space;                // ourselves; AddressSpace other(pid) for somebody else
//   if (!space.refresh()) …            // at the begin of each snapshot
//   space.modules().find(pc)           // module, offset; Module::bias and build_id are known
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "symbolize/modules.h"
#include "symbolize/page_cache.h"
#include "system/memory.h"

namespace impasse::symbolize {

class AddressSpace {
 public:
  explicit AddressSpace(std::uint32_t pid = 0) : memory_(pid) {}

  // Looks at the process anew. False: its mappings could not be read; the last ones stay, if any.
  bool refresh();
  // The same with the text of /proc/PID/maps at hand.
  void refresh_from(std::string_view maps);
  // Until the next refresh() nothing is mapped, and that takes no memory; modules stay known.
  void rest();
  // In a forked child: nothing of what was read is true any more. Leaks it: another thread may have
  // been changing it at that instant.
  void reset();

  const Modules& modules() const { return modules_; }
  const system::Memory& memory() const { return memory_; }
  // Another number: modules came or went, and what was derived from their addresses may be wrong.
  std::uint64_t generation() const { return generation_; }
  // The text of /proc/PID/maps that all this is from.
  const std::string& maps() const { return maps_; }

  const Mapping* mapping(std::uint64_t address) const { return modules_.mapping(address); }
  const Module* module(std::uint64_t address) const;
  bool is_code(std::uint64_t address) const;  // in an executable mapping
  // Through the cache of pages. How many bytes from the front could be read.
  std::size_t read(std::uint64_t address, void* into, std::size_t bytes);
  bool read_all(std::uint64_t address, void* into, std::size_t bytes) {
    return read(address, into, bytes) == bytes;
  }
  // "libfoo.so+0x12f0", or the bare address.
  std::string name(std::uint64_t address) const;

 private:
  void take(Modules now);

  system::Memory memory_;
  PageCache pages_;
  std::string maps_;
  Modules modules_;
  std::uint64_t generation_ = 0;
};

// All of /proc/PID/maps (0: our own), read with plain system calls; empty: not readable.
// Bounded: a process with more than some 200,000 mappings is shown without the last ones.
std::string read_maps(std::uint32_t pid);

}  // namespace impasse::symbolize
