#include <gtest/gtest.h>
#include <pthread.h>

#include "tenon/cxx/builder.h"

namespace tenon {
namespace {

const TnRuntime* rt = tn_runtime();
Builder b(rt, nullptr);

TEST(Objects, MapRefusesAKeyThatStandsTwiceAndANonTextKey) {
  Value twice[4] = {"x", 1, "x", 2}, number[2] = {1, 2};
  TnValue ret;
  ASSERT_EQ(rt->map(reinterpret_cast<TnValue*>(twice), 2, &ret), -1);
  EXPECT_STREQ(reinterpret_cast<TnError*>(ret.as.object)->message, "the key 'x' stands twice in a map");
  tn_value_release(&ret);
  ASSERT_EQ(rt->map(reinterpret_cast<TnValue*>(number), 1, &ret), -1);
  EXPECT_EQ(reinterpret_cast<TnError*>(ret.as.object)->code, TN_ERROR_TYPE);
  tn_value_release(&ret);
}

TEST(Objects, ContainersRefuseBorrowedTensors) {
  DLTensor t{};
  EXPECT_THROW(b.array({Value(&t)}), Error);
}

TEST(Objects, MapIsSortedAndFindsItsKeys) {
  Builder::Entries entries;
  for (int i = 0; i < 500; ++i) entries.emplace_back("k" + std::to_string(i * 7919 % 500), Value(i));
  Map m = b.map(entries);
  ASSERT_EQ(m.size(), 500u);
  for (size_t i = 1; i < m.size(); ++i) EXPECT_LT(m.begin()[i - 1].key(), m.begin()[i].key());
  for (const auto& [key, value] : entries) EXPECT_EQ(m.find(key)->as_int(), value.as_int());
  EXPECT_EQ(m.find("k500"), nullptr);
}

TEST(Objects, ErrorsKeepTheirCause) {
  try {
    Error inner(TN_ERROR_IO, "inner");
    Error outer(TN_ERROR_PARSE, "outer", "f:1:2", "do this");
    outer.cause = std::make_shared<Error>(inner);
    TnValue ret;
    check(set_error(rt, outer, &ret), ret);
    FAIL();
  } catch (const Error& e) { EXPECT_EQ(e.message + e.where + e.hint + e.cause->message, "outerf:1:2do thisinner"); }
}

int destroyed = 0;

TEST(Objects, WeakReferencesKeepMemoryButNotContent) {
  TnValue v;
  ASSERT_EQ(rt->object(sizeof(TnObject) + 8, rt->type_index("test.weak"), [](void*) { ++destroyed; }, &v), 0);
  TnObject* o = v.as.object;
  o->counts += uint64_t{1} << 32;
  tn_object_release(o);
  EXPECT_EQ(destroyed, 1);
  EXPECT_EQ(o->counts, uint64_t{1} << 32);
  o->deleter(o, 2);
}

TEST(Objects, TypeIndicesAreStableAndHaveKeys) {
  int32_t a = rt->type_index("test.a");
  EXPECT_GE(a, TN_FIRST_DYNAMIC);
  EXPECT_EQ(rt->type_index("test.a"), a);
  EXPECT_NE(rt->type_index("test.b"), a);
  EXPECT_STREQ(rt->type_key(a), "test.a");
  EXPECT_EQ(rt->type_key(a + 1000), nullptr);
  EXPECT_STREQ(rt->type_key(TN_MAP), "tenon.Map");
}

TEST(Objects, ReleasingAMillionNestedArraysNeedsLittleStack) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  pthread_t thread;
  ASSERT_EQ(pthread_create(
                &thread, &attributes,
                [](void*) -> void* {
                  Value v = b.array({Value(b.map({{"leaf", 1}}))});
                  for (int i = 0; i < 1'000'000; ++i) v = b.array({v});
                  return nullptr;
                },
                nullptr),
            0);
  pthread_join(thread, nullptr);
}

}  // namespace
}  // namespace tenon
