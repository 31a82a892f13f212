// Names of functions as the compiler gives them, and as short as people say them.
#include "report/function_name.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace impasse::report {
namespace {

TEST(FunctionName, Short) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"recvfrom", "recvfrom"},
      {"Stream::tryGetView(Context&)", "Stream::tryGetView"},
      {"RaftNode::status() const", "RaftNode::status"},
      {"void std::__invoke<int, char>(int&&)", "std::__invoke<int, char>"},
      {"(anonymous namespace)::f(int)", "(anonymous namespace)::f"},
      {"A::operator()(int) const", "A::operator()"},
      {"A::operator<<(int)", "A::operator<<"},
      {"std::ostream& operator<< <int>(std::ostream&, int)", "operator<< <int>"},
      {"A::operator bool() const", "A::operator bool"},
      {"operator new(unsigned long)", "operator new"},
      {"f(int)::{lambda(int)#2}::operator()(int) const", "f(…)::{lambda#2}::operator()"},
      {"g[abi:cxx11](int)", "g"},
      {"h(int) [clone .cold]", "h"},
      {"std::map<std::string, std::vector<int>>::at(int)", "std::map<…>::at"},
      {"A::operator->() const", "A::operator->"},
      {"foo(void (*)(int))", "foo"},
      {"", ""},
      {"((((", "(((("},
      {"operator", "operator"},
  };
  for (const auto& [full, expected] : cases) EXPECT_EQ(short_function(full), expected) << full;
}

}  // namespace
}  // namespace impasse::report
