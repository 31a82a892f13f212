// Names from files afterwards: debug_files PROGRAM STRIPPED DEBUG OTHER, where STRIPPED and DEBUG
// were made from PROGRAM, and OTHER is a different build of it.
#include "symbolize/debug_files.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "symbolize/file_identity.h"
#include "symbolize/readable_name.h"

namespace {

namespace fs = std::filesystem;
using impasse::symbolize::DebugFiles;
using impasse::symbolize::file_identity;
using impasse::symbolize::Frame;
using impasse::symbolize::MappedFile;

std::string program;
std::string stripped;
std::string debug;
std::string other;

constexpr std::uint64_t kBase = 0x5555'5555'0000;

std::uint64_t address_of(const std::string& symbol) {
  FILE* const nm = popen(("nm " + program).c_str(), "r");
  char line[1000];
  std::uint64_t found = 0;
  while (fgets(line, sizeof line, nm) != nullptr) {
    const std::string text(line);
    if (text.ends_with(" " + symbol + "\n")) found = std::strtoull(line, nullptr, 16);
  }
  pclose(nm);
  EXPECT_NE(found, 0u) << symbol;
  return kBase + found;
}

// A new directory.
class Directory {
 public:
  Directory() {
    path_ = testing::TempDir() + "impasse_debug.XXXXXX";
    EXPECT_NE(mkdtemp(path_.data()), nullptr);
  }
  ~Directory() { fs::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  std::string put(const std::string& file, const std::string& as) const {
    fs::create_directories(fs::path(path_ + "/" + as).parent_path());
    fs::copy_file(file, path_ + "/" + as);
    return path_ + "/" + as;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The program was PROGRAM; what is at its path now is `file`.
MappedFile ran(const std::string& file) {
  return {file, kBase, kBase + 0x100000, file_identity(program.c_str()).build_id};
}

Frame named(DebugFiles& files, std::uint64_t address) {
  Frame frame;
  frame.pc = address;
  frame.returns_here = false;
  files.name(frame);
  return frame;
}

void expect_everything(DebugFiles& files) {
  const Frame plain = named(files, address_of("plain_function") + 1);
  ASSERT_EQ(plain.sources.size(), 1u);
  EXPECT_EQ(plain.sources[0].function, "plain_function");
  EXPECT_TRUE(plain.sources[0].file.ends_with("asking_program.cc"));
  EXPECT_NE(plain.sources[0].line, 0u);
  EXPECT_EQ(plain.function_offset, 1u);

  const std::uint64_t chain = address_of(
      "_Z13inlined_chainRKNSt7__cxx1112basic_stringIcSt11char_"
      "traitsIcESaIcEEE");
  bool found = false;
  for (std::uint64_t i = 0; i < 40; ++i) {
    const Frame frame = named(files, chain + i);
    if (frame.sources.size() != 3) continue;
    found = true;
    EXPECT_NE(frame.sources[0].function.find("plant"), std::string::npos);
    EXPECT_NE(frame.sources[1].function.find("dig"), std::string::npos);
    EXPECT_EQ(frame.sources[2].function, "inlined_chain(std::string const&)");
    EXPECT_LT(frame.sources[0].line, frame.sources[1].line);
    EXPECT_LT(frame.sources[1].line, frame.sources[2].line);
    EXPECT_TRUE(frame.sources[2].file.ends_with("asking_program.cc"));
    EXPECT_EQ(frame.function_offset, i);
  }
  EXPECT_TRUE(found);

  const auto data = files.symbol_of_data(address_of("_ZN6garden7the_bedE") + 44);
  ASSERT_TRUE(data.has_value());
  EXPECT_EQ(data->name, "garden::the_bed");
  EXPECT_EQ(data->offset, 44u);
  EXPECT_TRUE(named(files, address_of("short_symbol") + 1).sources.empty());

  // Other units stand before it and behind it; to none of those does it belong.
  const Frame start = named(files, address_of("_start") + 1);
  ASSERT_EQ(start.sources.size(), 1u);
  EXPECT_EQ(start.sources[0].function, "_start");
  EXPECT_EQ(start.sources[0].file, "");
  EXPECT_EQ(start.sources[0].line, 0u);
  EXPECT_EQ(named(files, address_of("two_entries") + 6).function_offset, 6u);
}

void expect_nothing(DebugFiles& files) {
  EXPECT_TRUE(named(files, address_of("plain_function") + 1).sources.empty());
  EXPECT_FALSE(files.symbol_of_data(address_of("_ZN6garden7the_bedE")).has_value());
}

TEST(DebugFiles, TheProgramItself) {
  DebugFiles files({ran(program)}, {});
  expect_everything(files);
  EXPECT_TRUE(files.complaints().empty());
}

TEST(DebugFiles, AStrippedProgramHasNoNames) {
  DebugFiles files({ran(stripped)}, {});
  expect_nothing(files);
  EXPECT_TRUE(files.complaints().empty());
}

TEST(DebugFiles, SeparateDebugInformationByBuildId) {
  const Directory directory;
  const std::string id = file_identity(program.c_str()).build_id;
  directory.put(debug, ".build-id/" + id.substr(0, 2) + "/" + id.substr(2) + ".debug");
  DebugFiles files({ran(stripped)}, {directory.path()});
  expect_everything(files);
}

TEST(DebugFiles, ADebugFileOfAnyName) {
  const Directory directory;
  directory.put(debug, "some.debug");
  DebugFiles files({ran(stripped)}, {directory.path()});
  expect_everything(files);
}

TEST(DebugFiles, AnUnstrippedCopy) {
  const Directory directory;
  directory.put(program, "unstripped");
  DebugFiles files({ran(stripped)}, {directory.path()});
  expect_everything(files);
}

TEST(DebugFiles, WithoutTheProgramsOwnFile) {
  const Directory directory;
  directory.put(debug, "some.debug");
  DebugFiles files({ran("/nonexistent/program")}, {directory.path()});
  expect_everything(files);
}

TEST(DebugFiles, AnotherBuildAtItsPathIsRefused) {
  DebugFiles files({ran(other)}, {});
  expect_nothing(files);
  ASSERT_EQ(files.complaints().size(), 1u);
  EXPECT_NE(files.complaints()[0].find(other), std::string::npos);
  EXPECT_NE(files.complaints()[0].find("build-id"), std::string::npos);
}

TEST(DebugFiles, AnotherBuildInADirectoryIsRefused) {
  const Directory directory;
  const std::string copy = directory.put(other, fs::path(stripped).filename().string());
  DebugFiles files({ran(stripped)}, {directory.path()});
  expect_nothing(files);
  ASSERT_EQ(files.complaints().size(), 1u);
  EXPECT_NE(files.complaints()[0].find(copy), std::string::npos);
}

TEST(DebugFiles, AWrongFileUnderTheRightBuildIdIsRefused) {
  const Directory directory;
  const std::string id = file_identity(program.c_str()).build_id;
  directory.put(other, ".build-id/" + id.substr(0, 2) + "/" + id.substr(2) + ".debug");
  DebugFiles files({ran(stripped)}, {directory.path()});
  expect_nothing(files);
  EXPECT_EQ(files.complaints().size(), 1u);
}

TEST(DebugFiles, DamagedFilesAreSurvived) {
  const Directory directory;
  const std::string copy = directory.put(program, "damaged");
  for (const std::uintmax_t bytes : {0u, 63u, 64u, 200u, 5'000u}) {
    fs::resize_file(copy, bytes);
    DebugFiles files({ran(copy)}, {directory.path(), "/nonexistent"});
    expect_nothing(files);
    fs::remove(copy);
    fs::copy_file(program, copy);
  }
}

// A file's dynamic symbols have versions.
TEST(DebugFiles, NamesAreWithoutVersions) {
  void* const function = dlsym(RTLD_DEFAULT, "clock_nanosleep");
  Dl_info place;
  ASSERT_NE(dladdr(function, &place), 0);
  const auto base = reinterpret_cast<std::uint64_t>(place.dli_fbase);
  DebugFiles files(
      {{place.dli_fname, base, base + 0x400000, file_identity(place.dli_fname).build_id}}, {});
  const Frame frame = named(files, reinterpret_cast<std::uint64_t>(function));
  ASSERT_FALSE(frame.sources.empty());
  EXPECT_TRUE(frame.sources.back().function.ends_with("clock_nanosleep"))
      << frame.sources.back().function;
}

TEST(ReadableName, HasNoVersion) {
  using impasse::symbolize::readable_name;
  EXPECT_EQ(readable_name("clock_nanosleep@GLIBC_2.2.5"), "clock_nanosleep");
  EXPECT_EQ(readable_name("__libc_start_main@@GLIBC_2.34"), "__libc_start_main");
  EXPECT_EQ(readable_name("_ZN4pool3runEv@@POOL_1"), "pool::run()");
  EXPECT_EQ(readable_name("@odd"), "@odd");
}

TEST(DebugFiles, AddressesOutsideOfModules) {
  DebugFiles files({ran(program), {"[vdso]", 1, 2, ""}, {"", 0, 0, ""}}, {});
  EXPECT_TRUE(named(files, 0).sources.empty());
  EXPECT_TRUE(named(files, ~std::uint64_t{0}).sources.empty());
  EXPECT_FALSE(files.symbol_of_data(0).has_value());
}

}  // namespace

int main(int count, char** arguments) {
  testing::InitGoogleTest(&count, arguments);
  if (count != 5) return 2;
  program = arguments[1];
  stripped = arguments[2];
  debug = arguments[3];
  other = arguments[4];
  return RUN_ALL_TESTS();
}
