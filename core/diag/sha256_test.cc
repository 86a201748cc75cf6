#include "diag/sha256.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace tenon {
namespace {

// The examples of FIPS 180-4 and of NIST's CAVP.
TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(digest_text(sha256("")), "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(digest_text(sha256("abc")), "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(digest_text(sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "sha256:248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(digest_text(sha256(std::string(1000000, 'a'))),
            "sha256:cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesGiveTheSameAsTheWhole) {
  std::string text(300, '\0');
  for (size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>(i * 7);
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    Sha256 s;
    s.update(text.data(), cut);
    s.update(text.data() + cut, text.size() - cut);
    ASSERT_EQ(s.finish(), sha256(text)) << cut;
  }
}

TEST(Sha256, InstructionsAndPortableCodeAgree) {
  const unsigned seed = 20260113;
  std::mt19937 random(seed);
  std::vector<uint8_t> data(64 * 33);
  for (uint8_t& b : data) b = static_cast<uint8_t>(random());
  uint32_t a[8], b[8];
  for (uint32_t& w : a) w = static_cast<uint32_t>(random());
  std::memcpy(b, a, sizeof a);
  if (!internal::sha256_blocks_native(a, data.data(), 33)) GTEST_SKIP() << "the processor has no SHA instructions";
  internal::sha256_blocks_portable(b, data.data(), 33);
  for (int i = 0; i < 8; ++i) EXPECT_EQ(a[i], b[i]) << "seed " << seed;
}

}  // namespace
}  // namespace tenon
