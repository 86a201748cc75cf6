#include <gtest/gtest.h>
#include <pthread.h>

#include <thread>

#include "tenon/cxx/builder.h"

namespace tenon {
namespace {

const TnRuntime* rt = tn_runtime();
Builder b(rt, nullptr);
constexpr uint64_t kOneWeak = uint64_t{1} << 32;

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

TEST(Objects, AnErrorIsCausedByErrorsAlone) {
  TnValue text, ret;
  rt->string("no error at all, though of the size of one, and more than that", 62, &text);
  rt->error(TN_ERROR_IO, "outer", nullptr, nullptr, text.as.object, &ret);
  EXPECT_EQ(reinterpret_cast<TnError*>(ret.as.object)->cause, nullptr);
  Error copy(reinterpret_cast<TnError*>(ret.as.object));
  EXPECT_EQ(copy.message, "outer");
  EXPECT_EQ(copy.cause, nullptr);
  tn_value_release(&ret);
  EXPECT_EQ(static_cast<uint32_t>(text.as.object->counts), 1u);
  tn_value_release(&text);
}

TEST(Objects, ErrorsThatCauseThemselvesAreCopied) {
  TnValue ret;
  rt->error(TN_ERROR_IO, "again", nullptr, nullptr, nullptr, &ret);
  auto* e = reinterpret_cast<TnError*>(ret.as.object);
  e->cause = &e->header;
  Error copy(e);
  size_t causes = 0;
  for (const Error* c = copy.cause.get(); c; c = c->cause.get()) ++causes;
  EXPECT_EQ(causes, 64u);
  e->cause = nullptr;
  tn_value_release(&ret);
}

int destroyed = 0;

TEST(Objects, WeakReferencesKeepMemoryButNotContent) {
  TnValue v;
  ASSERT_EQ(rt->object(sizeof(TnObject) + 8, rt->type_index("test.weak"), [](void*) { ++destroyed; }, &v), 0);
  TnObject* o = v.as.object;
  o->counts += kOneWeak;
  tn_object_release(o);
  EXPECT_EQ(destroyed, 1);
  EXPECT_EQ(o->counts, kOneWeak);
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

TEST(Objects, TypeKeysOfAllValuesAreKnown) {
  for (int32_t i : {TN_NONE,     TN_INT,      TN_BOOL,       TN_FLOAT,    TN_POINTER,      TN_DTYPE,       TN_DEVICE,
                    TN_DLTENSOR, TN_C_STRING, TN_BYTE_ARRAY, TN_RVALUE,   TN_SMALL_STRING, TN_SMALL_BYTES, TN_OBJECT,
                    TN_STRING,   TN_BYTES,    TN_ERROR,      TN_FUNCTION, TN_SHAPE,        TN_TENSOR,      TN_ARRAY,
                    TN_MAP,      TN_NODE,     TN_SPAN,       TN_CONSTANT}) {
    ASSERT_NE(rt->type_key(i), nullptr) << i;
    EXPECT_EQ(rt->type_index(rt->type_key(i)), i);
  }
}

TEST(Objects, TypeIndicesAgreeBetweenThreads) {
  constexpr int kThreads = 8, kKeys = 100;
  std::vector<std::vector<int32_t>> seen(kThreads);
  std::vector<std::thread> threads;
  threads.reserve(kThreads);
  for (auto& mine : seen)
    threads.emplace_back([&mine] {
      for (int i = 0; i < kKeys; ++i) {
        std::string key = "test.shared." + std::to_string(i);
        mine.push_back(rt->type_index(key.c_str()));
        EXPECT_EQ(rt->type_key(mine.back()), key);
      }
    });
  for (auto& t : threads) t.join();
  for (auto& mine : seen) EXPECT_EQ(mine, seen[0]);
}

TEST(Objects, FunctionsFreeTheirContextOnce) {
  static int freed = 0;
  {
    Value f = call([](TnValue* ret) {
      return rt->function(
          [](void* self, const TnValue* args, int32_t n, TnValue* r) {
            return static_cast<TnFunction*>(self)->context && n == 1
                       ? (*r = args[0], 0)
                       : rt->error(TN_ERROR_ARGUMENT, "", "", "", nullptr, r);
          },
          &freed, [](void* context) { ++*static_cast<int*>(context); }, ret);
    });
    auto* function = reinterpret_cast<TnFunction*>(f.raw().as.object);
    TnValue arg = {TN_INT, 0, {5}}, ret;
    ASSERT_EQ(function->call(function, &arg, 1, &ret), 0);
    EXPECT_EQ(ret.as.i, 5);
    ASSERT_EQ(function->call(function, &arg, 0, &ret), -1);
    tn_value_release(&ret);
    std::vector<Value> copies(3, f);
  }
  EXPECT_EQ(freed, 1);
}

TEST(Objects, RefusesASizeWithNoRoomForTheHeader) {
  TnValue ret;
  ASSERT_EQ(rt->object(8, 200, nullptr, &ret), -1);
  tn_value_release(&ret);
}

TEST(Objects, SizesWithoutANumberAreOutOfMemory) {
  TnValue ret;
  EXPECT_EQ(rt->shape(nullptr, SIZE_MAX / 4, &ret), -1);
  EXPECT_EQ(reinterpret_cast<TnError*>(ret.as.object)->code, TN_ERROR_OUT_OF_MEMORY);
  tn_value_release(&ret);
  EXPECT_EQ(rt->array(nullptr, SIZE_MAX / 8, &ret), -1);
  EXPECT_EQ(rt->map(nullptr, SIZE_MAX / 8, &ret), -1);
  EXPECT_EQ(rt->string(nullptr, SIZE_MAX - 3, &ret), -1);
  EXPECT_EQ(rt->object(SIZE_MAX - 3, 200, nullptr, &ret), -1);
}

void run_with_small_stack(void (*body)()) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 256 << 10);
  pthread_t thread;
  auto start = [](void* f) -> void* {
    (*static_cast<void (**)()>(f))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, start, static_cast<void*>(&body)), 0);
  pthread_join(thread, nullptr);
}

TEST(Objects, ReleasingAMillionNestedArraysNeedsLittleStack) {
  run_with_small_stack([] {
    Value v = b.array({Value(b.map({{"leaf", 1}}))});
    for (int i = 0; i < 1'000'000; ++i) v = i % 2 ? Value(b.map({{"x", v}})) : Value(b.array({v}));
  });
}

TEST(Objects, ReleasingAMillionCausesNeedsLittleStack) {
  run_with_small_stack([] {
    TnValue error;
    rt->error(TN_ERROR_IO, "first", nullptr, nullptr, nullptr, &error);
    for (int i = 0; i < 1'000'000; ++i) {
      TnValue outer;
      rt->error(TN_ERROR_IO, "next", nullptr, nullptr, error.as.object, &outer);
      tn_value_release(&error);
      error = outer;
    }
    tn_value_release(&error);
  });
}

// A list whose elements are made with `object`, each with a weak reference besides.
struct Link {
  TnObject header;
  TnObject* next;
};
int links_destroyed = 0;

TEST(Objects, ReleasingAMillionLinksWithWeakReferencesNeedsLittleStack) {
  run_with_small_stack([] {
    constexpr int kLinks = 1'000'000;
    int32_t type = rt->type_index("test.link");
    std::vector<TnObject*> links;
    TnObject* next = nullptr;
    for (int i = 0; i < kLinks; ++i) {
      TnValue v;
      auto destroy = [](void* self) {
        ++links_destroyed;
        if (TnObject* n = static_cast<Link*>(self)->next) tn_object_release(n);
      };
      if (rt->object(sizeof(Link), type, destroy, &v)) abort();
      reinterpret_cast<Link*>(v.as.object)->next = next;
      next = v.as.object;
      if (i < kLinks / 2 && i % 3) continue;  // the upper half: each of them
      next->counts += kOneWeak;
      links.push_back(next);
    }
    tn_object_release(next);
    EXPECT_EQ(links_destroyed, kLinks);
    for (TnObject* o : links) {
      EXPECT_EQ(o->counts, kOneWeak);
      o->deleter(o, 2);
    }
  });
}

TEST(Objects, CountsHoldUnderContention) {
  Value shared = b.array({Value(b.map({{"x", 1}}))});
  std::vector<std::thread> threads(4);
  for (std::thread& t : threads)
    t = std::thread([shared] {
      for (int i = 0; i < 10'000; ++i) Value copy = b.array({shared, shared});
    });
  for (auto& t : threads) t.join();
  threads.clear();
  EXPECT_EQ(static_cast<uint32_t>(shared.raw().as.object->counts), 1u);
}

}  // namespace
}  // namespace tenon
