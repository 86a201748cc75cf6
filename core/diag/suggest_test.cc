#include "diag/suggest.h"

#include <gtest/gtest.h>

namespace tenon {
namespace {

TEST(Suggest, CountsEdits) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("abc", "acb"), 1u);
  EXPECT_EQ(edit_distance("same", "same"), 0u);
}

TEST(Suggest, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(nearest_name("zzzz", {"simplify", "unroll"}), "");
  EXPECT_EQ(nearest_name("", {"a"}), "");
  EXPECT_EQ(did_you_mean("zzzz", {"simplify"}, "its passes are: simplify"), "its passes are: simplify");
}

TEST(Suggest, FindsTheNearest) {
  EXPECT_EQ(nearest_name("simplfy", {"unroll", "simplify"}), "simplify");
  EXPECT_EQ(nearest_name("Simplify", {"simplify"}), "simplify");
  EXPECT_EQ(did_you_mean("unrol", {"unroll", "enroll"}), "did you mean 'unroll'?");
}

}  // namespace
}  // namespace tenon
