// dl_iterate_phdr() and dladdr() for our own objects, answered from what the kernel lists and not
// by the loader, whose lock a stuck thread may hold for ever.
//
// How: both are wrapped when the preloaded object is linked; the wraps answer from the
// OwnLoaderView of the calling thread. Without one they know no module.
//
// Promises: no lock; the program's own file (the main module) comes first, with an empty name; then
// every ELF file whose file on disk is still the one that is mapped (its build-id says so): what
// was replaced meanwhile would give wrong names. dladdr() tells module and base, never a symbol:
// the nearest dynamic symbol of a stripped file is mostly a wrong one. Cost: making one reads a
// page of each module's file and of its memory, 10 µs each.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "symbolize/address_space.h"

namespace impasse::symbolize {

class OwnLoaderView {
 public:
  // `space` is refreshed and outlives the view.
  explicit OwnLoaderView(const AddressSpace& space);
  ~OwnLoaderView();
  OwnLoaderView(const OwnLoaderView&) = delete;
  OwnLoaderView& operator=(const OwnLoaderView&) = delete;

  static const OwnLoaderView* present();  // of the calling thread

  const AddressSpace& space() const { return space_; }
  // The modules whose files can be asked for names, the program's own one first.
  const std::vector<const Module*>& modules() const { return modules_; }
  bool has(const Module& module) const;
  bool is_main(const Module& module) const { return &module == main_; }
  // A path that leads to the main module's file, even if it was removed. Without a main module: any
  // module's.
  std::string file_of_main() const;
  // How many were left out because their file is another one by now, or gone.
  std::size_t replaced() const { return replaced_; }

 private:
  const AddressSpace& space_;
  std::vector<const Module*> modules_;
  const Module* main_ = nullptr;
  std::size_t replaced_ = 0;
  const OwnLoaderView* before_;
};

}  // namespace impasse::symbolize
