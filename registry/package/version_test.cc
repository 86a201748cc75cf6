#include "registry/package/version.h"

#include <gtest/gtest.h>

namespace tenon {
namespace {

TEST(Version, ComparesNumbersAsNumbers) {
  const char* sorted[] = {"0.9.0", "0.10.0-rc1", "0.10.0", "1.2", "1.2.1", "2.0.0", "10.0"};
  for (size_t i = 0; i < std::size(sorted); ++i)
    for (size_t k = 0; k < std::size(sorted); ++k) {
      int order = compare_versions(sorted[i], sorted[k]);
      EXPECT_EQ(order < 0, i < k) << sorted[i] << " " << sorted[k];
      EXPECT_EQ(order == 0, i == k) << sorted[i] << " " << sorted[k];
    }
  EXPECT_EQ(compare_versions("12", "12.0.0"), 0);
}

TEST(Version, RangesHoldInEveryPart) {
  EXPECT_TRUE(VersionRange(">=12,<14").contains("12"));
  EXPECT_TRUE(VersionRange(">=12, <14").contains("13.9.1"));
  EXPECT_FALSE(VersionRange(">=12,<14").contains("14.0"));
  EXPECT_FALSE(VersionRange(">=12,<14").contains("11.8"));
  EXPECT_TRUE(VersionRange("12").contains("12.4"));
  EXPECT_FALSE(VersionRange("1.2").contains("1.20"));
  EXPECT_TRUE(VersionRange("<=2").contains("2.0"));
  EXPECT_FALSE(VersionRange(">2").contains("2.0"));
  for (const char* wrong : {"", "12;14", ">=", "=>12", "a", ">=1..2", "~1", "1,", "1.2.x"})
    EXPECT_NE(VersionRange::problem(wrong), "") << wrong;
}

}  // namespace
}  // namespace tenon
