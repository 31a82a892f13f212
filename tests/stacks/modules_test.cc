// What AddressSpace tells of modules, against readelf and the loader.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "symbolize/address_space.h"
#include "symbolize/unwinder.h"

namespace impasse::symbolize {
namespace {

std::string build_id_by_readelf(const std::string& path) {
  FILE* const notes = popen(("readelf -n '" + path + "' 2>/dev/null").c_str(), "r");
  char line[512];
  std::string id;
  while (notes != nullptr && fgets(line, sizeof line, notes) != nullptr) {
    char found[256];
    if (sscanf(line, " Build ID: %255s", found) == 1) id = found;
  }
  if (notes != nullptr) pclose(notes);
  return id;
}

TEST(AddressSpace, BuildIdsAreThoseOfReadelf) {
  AddressSpace space;
  ASSERT_TRUE(space.refresh());
  int compared = 0;
  for (const Module& module : space.modules().all()) {
    if (!module.executable || module.path.front() != '/') continue;
    EXPECT_EQ(module.build_id, build_id_by_readelf(module.path)) << module.path;
    ++compared;
  }
  EXPECT_GE(compared, 4);
}

TEST(AddressSpace, BiasesAreThoseOfTheLoader) {
  AddressSpace space;
  ASSERT_TRUE(space.refresh());
  std::map<std::uint64_t, int> biases;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* into) {
        ++(*static_cast<std::map<std::uint64_t, int>*>(into))[info->dlpi_addr];
        return 0;
      },
      &biases);
  int compared = 0;
  for (const Module& module : space.modules().all()) {
    if (!module.executable) continue;
    EXPECT_EQ(biases.count(module.bias), 1u) << module.path;
    EXPECT_NE(module.unwind.count, 0u) << module.path;
    ++compared;
  }
  EXPECT_EQ(compared, static_cast<int>(biases.size()));
}

TEST(AddressSpace, TheKernelsOwnModuleIsThere) {
  AddressSpace space;
  ASSERT_TRUE(space.refresh());
  const std::uint64_t vdso = getauxval(AT_SYSINFO_EHDR);
  ASSERT_NE(vdso, 0u);
  const Module* const module = space.module(vdso);
  ASSERT_NE(module, nullptr);
  EXPECT_EQ(module->path, "[vdso]");
  EXPECT_NE(module->unwind.count, 0u);
}

TEST(AddressSpace, KnowsWhenModulesComeAndGo) {
  AddressSpace space;
  ASSERT_TRUE(space.refresh());
  const std::uint64_t first = space.generation();
  void* const memory = mmap(nullptr, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_TRUE(space.refresh());
  EXPECT_EQ(space.generation(), first);  // memory is no module
  EXPECT_NE(space.mapping(reinterpret_cast<std::uint64_t>(memory)), nullptr);
  munmap(memory, 8192);
  void* const library = dlopen("libutil.so.1", RTLD_NOW);
  ASSERT_NE(library, nullptr) << dlerror();
  ASSERT_TRUE(space.refresh());
  const std::uint64_t second = space.generation();
  EXPECT_NE(second, first);
  dlclose(library);
  ASSERT_TRUE(space.refresh());
  EXPECT_NE(space.generation(), second);
  EXPECT_FALSE(space.modules().empty());
  space.reset();
  EXPECT_TRUE(space.modules().empty());
}

TEST(AddressSpace, GuardPagesAreMisses) {
  auto* const memory = static_cast<char*>(
      mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memset(memory, 1, 8192);
  mprotect(memory + 4096, 4096, PROT_NONE);
  AddressSpace space;
  ASSERT_TRUE(space.refresh());
  char into[16];
  EXPECT_EQ(space.read(reinterpret_cast<std::uint64_t>(memory + 4088), into, 16), 8u);
  EXPECT_EQ(space.read(reinterpret_cast<std::uint64_t>(memory + 4096), into, 16), 0u);
  munmap(memory, 8192);
}

TEST(AddressSpace, CodeMovedToOtherMemoryIsItsModulesStill) {
  const auto modules = Modules::from_maps(
      "1000-2000 r--p 00000000 fe:00 1 /a\n"
      "2000-3000 r-xp 00000000 00:00 0 \n"
      "3000-4000 r--p 00002000 fe:00 1 /a\n"
      "4000-5000 r-xp 00000000 00:00 0 \n");
  ASSERT_TRUE(modules.find(0x2010).has_value());
  EXPECT_EQ(modules.find(0x2010)->offset, 0x1010u);
  EXPECT_FALSE(modules.find(0x4010).has_value());
}

TEST(Unwinder, SaysThatLibunwindIsNotThere) {
  AddressSpace space;
  ASSERT_TRUE(space.refresh());
  Unwinder unwinder(space);
  StackImage image(space);
  const int here = 0;
  image.copy(Registers::from_system_call(reinterpret_cast<std::uint64_t>(&read_maps),
                                         reinterpret_cast<std::uint64_t>(&here)));
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  const rlimit none{0, before.rlim_max};  // nothing can be opened: no library is found
  setrlimit(RLIMIT_NOFILE, &none);
  unwinder.load();
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_FALSE(unwinder.ready());
  const Stack stack = unwinder.walk(image);
  EXPECT_EQ(stack.frames.size(), 1u);
  EXPECT_NE(stack.trouble.find("libunwind-x86_64.so.8 could not be loaded"), stack.trouble.npos)
      << stack.trouble;
}

// Headers that lie must not lead anywhere.
TEST(AddressSpace, HostileHeadersAreRead) {
  auto* const memory = static_cast<unsigned char*>(
      mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  const auto start = reinterpret_cast<std::uint64_t>(memory);
  char maps[128];
  srand(7);
  for (int round = 0; round < 5'000; ++round) {
    AddressSpace self;
    ElfW(Ehdr) header{};
    memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_phentsize = sizeof(ElfW(Phdr));
    header.e_phnum = static_cast<ElfW(Half)>(rand());
    header.e_phoff = rand() % 2 != 0 ? sizeof header : static_cast<ElfW(Off)>(rand()) << 20;
    for (int i = 0; i < 8192; ++i) memory[i] = static_cast<unsigned char>(rand() % 8);
    memcpy(memory, &header, sizeof header);
    snprintf(maps, sizeof maps, "%lx-%lx r-xp 00000000 fe:00 9 /hostile\n", start, start + 8192);
    self.refresh_from(maps);
    ASSERT_EQ(self.modules().all().size(), 1u);
    if (round > 50) continue;
    self.refresh_from(std::string(maps, 20));
  }
  munmap(memory, 8192);
}

}  // namespace
}  // namespace impasse::symbolize
