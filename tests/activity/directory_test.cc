// The names in a directory: all of them, however many, and why there are none.
#include "system/directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>

namespace impasse::system {
namespace {

class DirectoryTest : public testing::Test {
 protected:
  DirectoryTest() {
    std::string pattern = testing::TempDir() + "impasse-directory-XXXXXX";
    place_ = mkdtemp(pattern.data());
  }
  ~DirectoryTest() override { std::filesystem::remove_all(place_); }

  void make(const std::string& name) const {
    const int fd = open((place_ + "/" + name).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    ASSERT_GE(fd, 0);
    close(fd);
  }

  std::string place_;
};

std::multiset<std::string> names_in(Directory& directory) {
  std::multiset<std::string> names;
  for (std::string_view name; directory.next(name);) names.emplace(name);
  return names;
}

TEST_F(DirectoryTest, AnEmptyOneHasItselfAndItsParent) {
  Directory directory(place_.c_str());
  EXPECT_GE(directory.fd(), 0);
  EXPECT_EQ(names_in(directory), (std::multiset<std::string>{".", ".."}));
  EXPECT_EQ(directory.error(), 0);
}

TEST_F(DirectoryTest, NamesOfEveryLengthAndMoreThanOneReadTakes) {
  std::multiset<std::string> made{".", ".."};
  for (std::size_t i = 0; i < 600; ++i) {
    std::string name = std::to_string(i);
    name.resize(name.size() + i % (NAME_MAX - name.size()), 'x');
    make(name);
    made.insert(std::move(name));
  }
  Directory directory(place_.c_str());
  EXPECT_EQ(names_in(directory), made);
  EXPECT_EQ(directory.error(), 0);
}

TEST_F(DirectoryTest, WhatIsNoDirectoryHasNoNamesAndSaysWhy) {
  make("file");
  Directory missing((place_ + "/missing").c_str());
  EXPECT_LT(missing.fd(), 0);
  EXPECT_TRUE(names_in(missing).empty());
  EXPECT_EQ(missing.error(), ENOENT);
  Directory file((place_ + "/file").c_str());
  EXPECT_TRUE(names_in(file).empty());
  EXPECT_EQ(file.error(), ENOTDIR);
}

TEST_F(DirectoryTest, OneThatWasRemovedMeanwhileEnds) {
  Directory directory(place_.c_str());
  ASSERT_EQ(rmdir(place_.c_str()), 0);
  EXPECT_TRUE(names_in(directory).empty());
  EXPECT_EQ(directory.error(), ENOENT);
}

}  // namespace
}  // namespace impasse::system
