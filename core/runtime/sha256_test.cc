#include <gtest/gtest.h>

#include <string>

#include "tenon/runtime.h"

namespace {

std::string hex(const std::string& text) {
  uint8_t d[32];
  tn_runtime()->sha256(text.data(), text.size(), d);
  std::string out;
  for (uint8_t b : d) {
    char two[3];
    snprintf(two, sizeof two, "%02x", b);
    out += two;
  }
  return out;
}

// The vectors of FIPS 180-4's examples, and lengths around the block boundary against sha256sum.
TEST(Sha256, KnownDigests) {
  EXPECT_EQ(hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hex(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, LengthsAroundABlock) {
  for (size_t n : {55u, 56u, 57u, 63u, 64u, 65u, 119u, 120u, 128u}) {
    std::string text(n, 'x'), command = "printf %s " + text + " | sha256sum";
    FILE* p = popen(command.c_str(), "r");
    char expected[65] = {};
    ASSERT_EQ(fread(expected, 1, 64, p), 64u);
    pclose(p);
    EXPECT_EQ(hex(text), expected) << n;
  }
}

}  // namespace
