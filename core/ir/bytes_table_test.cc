// Trees that follow each other between two ends that number what has crossed.
#include "ir/bytes.h"
#include "ir/test_support.h"

namespace tenon {
namespace {

using test::chain;
using test::difference;
using test::error_of;

const Builder b = core_builder();

// Of more objects than one part holds.
Value long_list(const Node& first) {
  std::vector<Value> nodes{Value(first)};
  for (int i = 0; i < 20'000; ++i) nodes.push_back(Value(b.add(first, b.imm(i))));
  return Value(b.array(nodes));
}

struct Ends {
  ObjectTable here, there;
  size_t bytes = 0, parts = 0;

  Value cross(const Value& tree) {
    std::string last = encode_tree(tree.raw(), here, [&](const std::string& part) {
      ++parts;
      bytes += part.size();
      EXPECT_TRUE(decode_tree(part, {}, there).is_none());
    });
    bytes = last.size();
    return decode_tree(last, {}, there);
  }
  // Both ends have the same objects under the same numbers.
  void expect_alike() {
    ASSERT_EQ(here.objects.size(), there.objects.size());
    for (size_t i = 0; i < here.objects.size(); ++i)
      EXPECT_EQ(difference(here.objects[i], there.objects[i], true), "") << i;
  }
};

TEST(BytesTable, WhatIsKnownIsNotSentAgain) {
  Ends ends;
  Value tree(chain(b.imm(7), 100));
  Value first = ends.cross(tree);
  EXPECT_EQ(difference(tree, first), "");
  const size_t whole = ends.bytes;
  Value again = ends.cross(tree);
  EXPECT_LT(ends.bytes, whole / 4);
  EXPECT_EQ(again.raw().as.object, first.raw().as.object);
  Value above = ends.cross(Value(b.add(as_node(tree), b.imm(1))));
  EXPECT_EQ(as_node(above).slot(tir::AddSlot::a).raw().as.object, first.raw().as.object);
  ends.expect_alike();
}

TEST(BytesTable, ALargeTreeGoesInParts) {
  Ends ends;
  Value tree = long_list(b.var("x"));
  Value there = ends.cross(tree);
  EXPECT_GE(ends.parts, 3u);
  EXPECT_EQ(difference(tree, there, true), "");
  ends.expect_alike();
}

TEST(BytesTable, WhatCannotBeWrittenLeavesWhatWasSent) {
  Ends ends;
  Node x = b.var("x");
  int anything = 0;
  TnValue pointer{TN_POINTER, 0, {0}};
  pointer.as.p = &anything;
  Value bad(b.array({long_list(x), Value::share(pointer)}));
  EXPECT_EQ(error_of([&] { ends.cross(bad); }).code, TN_ERROR_ARGUMENT);
  EXPECT_GE(ends.parts, 3u);
  ends.expect_alike();
  Value tree(b.array({Value(x), Value(b.add(x, b.imm(1)))}));
  Value there = ends.cross(tree);
  EXPECT_EQ(difference(tree, there, true), "");
  ends.expect_alike();
}

TEST(BytesTable, DamagedBytesAddNothing) {
  Ends ends;
  Value tree(chain(b.var("x"), 10));
  ends.cross(tree);
  const size_t before = ends.there.objects.size();
  ObjectTable here;
  std::string bytes = encode_tree(Value(chain(b.imm(1), 5)).raw(), here);
  bytes.back() = '\x7f';
  internal::seal_bytes(&bytes);
  EXPECT_EQ(error_of([&] { decode_tree(bytes, {}, ends.there); }).code, TN_ERROR_CORRUPT);
  EXPECT_EQ(ends.there.objects.size(), before);
  Value again = ends.cross(tree);
  EXPECT_EQ(difference(tree, again, true), "");
}

}  // namespace
}  // namespace tenon
