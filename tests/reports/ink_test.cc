// Columns are counted and cut by what is seen: one for a letter of several bytes, none for colour.
#include "report/ink.h"

#include <gtest/gtest.h>

namespace impasse::report {
namespace {

TEST(Ink, CutsAndCounts) {
  EXPECT_EQ(columns("a→b"), 3U);
  EXPECT_EQ(columns(bold("ab") + dim("c")), 3U);
  EXPECT_EQ(cut("abcdef", 4), "abc…");
  EXPECT_EQ(cut("→→→", 3), "→→→");
  EXPECT_EQ(cut("→→→→", 3), "→→…");
  EXPECT_EQ(finished(bold("x") + "→", {}), "x→");
}

}  // namespace
}  // namespace impasse::report
