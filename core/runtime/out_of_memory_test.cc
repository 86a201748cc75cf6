// Every allocation of the runtime fails in turn: the caller gets an error, and what was made before is given back.
#include <gtest/gtest.h>

#include "tenon/runtime.h"

// NOLINTBEGIN(bugprone-reserved-identifier): the names are those of the C library.
extern "C" {
void* __libc_calloc(size_t, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);
}
// NOLINTEND(bugprone-reserved-identifier)

namespace {

// What the replaced functions below do while `armed`.
struct Injection {
  bool armed, all_after;
  int until_failure;  // allocations that still succeed
  bool failed;
  void* live[64];

  bool fails() {
    if (!armed || until_failure-- > 0) return false;
    bool now = !failed || all_after;
    failed = true;
    return now;
  }
  void* note(void* p) {
    if (armed)
      for (void*& slot : live)
        if (!slot) return slot = p;
    return p;
  }
  int count() const {
    int n = 0;
    for (void* p : live) n += p != nullptr;
    return n;
  }
} injection;

}  // namespace

extern "C" {
TN_EXPORT void* calloc(size_t n, size_t size) {
  return injection.fails() ? nullptr : injection.note(__libc_calloc(n, size));
}
TN_EXPORT void* aligned_alloc(size_t alignment, size_t size) {
  return injection.fails() ? nullptr : injection.note(__libc_memalign(alignment, size));
}
TN_EXPORT void free(void* p) {
  for (void*& slot : injection.live)
    if (p && slot == p) slot = nullptr;
  __libc_free(p);
}
}

namespace {

const TnRuntime* rt = tn_runtime();

TnValue text(const char* s) {
  TnValue v = {TN_C_STRING, 0, {0}};
  v.as.s = s;
  return v;
}

int tensor(TnValue* ret) {
  int64_t shape[2] = {3, 4};
  return rt->tensor({kDLCPU, 0}, {kDLFloat, 32, 1}, 2, shape, ret);
}

// Lends a tensor out and takes it back.
template <class Managed>
int exchange(Managed* (*out)(TnTensor*, TnValue*), int (*in)(Managed*, TnValue*), TnValue* ret) {
  TnValue t;
  if (tensor(&t)) {
    *ret = t;
    return -1;
  }
  Managed* m = out(reinterpret_cast<TnTensor*>(t.as.object), ret);
  tn_value_release(&t);
  if (!m) return -1;
  int status = in(m, ret);
  if (status) m->deleter(m);
  return status;
}

struct Operation {
  const char* name;
  int (*run)(TnValue* ret);
};

const Operation operations[] = {
    {"string", [](TnValue* ret) { return rt->string("abc", 3, ret); }},
    {"bytes", [](TnValue* ret) { return rt->bytes("abc", 3, ret); }},
    {"shape",
     [](TnValue* ret) {
       int64_t dims[2] = {1, 2};
       return rt->shape(dims, 2, ret);
     }},
    {"array",
     [](TnValue* ret) {
       TnValue items[3] = {text("a"), text("b"), text("c")};
       return rt->array(items, 3, ret);
     }},
    {"map",
     [](TnValue* ret) {
       TnValue items[4] = {text("k"), text("v"), text("j"), text("w")};
       return rt->map(items, 2, ret);
     }},
    {"map with a key that stands twice",
     [](TnValue* ret) {
       TnValue items[4] = {text("k"), text("v"), text("k"), text("w")};
       if (rt->map(items, 2, ret) == 0) return 1;
       if (reinterpret_cast<TnError*>(ret->as.object)->code != TN_ERROR_DUPLICATE) return -1;
       tn_value_release(ret);
       *ret = TnValue{TN_NONE, 0, {0}};
       return 0;
     }},
    {"function",
     [](TnValue* ret) {
       return rt->function([](void*, const TnValue*, int32_t, TnValue*) { return 0; }, nullptr, nullptr, ret);
     }},
    {"object", [](TnValue* ret) { return rt->object(100, 200, nullptr, ret); }},
    {"tensor", tensor},
    {"DLPack",
     [](TnValue* ret) { return exchange<DLManagedTensor>(rt->tensor_to_dlpack, rt->tensor_from_dlpack, ret); }},
    {"versioned DLPack",
     [](TnValue* ret) {
       return exchange<TnDLManagedTensorVersioned>(rt->tensor_to_dlpack_versioned, rt->tensor_from_dlpack_versioned,
                                                   ret);
     }},
    {"view",
     [](TnValue* ret) {
       TnValue t;
       if (tensor(&t)) {
         *ret = t;
         return -1;
       }
       int64_t shape = 6;
       int status =
           rt->tensor_view(reinterpret_cast<TnTensor*>(t.as.object), {kDLFloat, 32, 1}, 1, &shape, nullptr, 0, ret);
       tn_value_release(&t);
       return status;
     }},
};

TEST(OutOfMemory, EachAllocationFailsInTurn) {
  for (const Operation& operation : operations)
    for (bool all_after : {false, true}) {
      int failures = 0;
      for (bool failed = true; failed; failures += failed) {
        TnValue ret;
        injection = {true, all_after, failures, false, {}};
        int status = operation.run(&ret);
        failed = injection.failed;
        ASSERT_EQ(status, failed ? -1 : 0) << operation.name << ", allocation " << failures;
        if (failed) {
          ASSERT_EQ(ret.type_index, TN_ERROR);
          EXPECT_EQ(reinterpret_cast<TnError*>(ret.as.object)->code, TN_ERROR_OUT_OF_MEMORY);
        }
        tn_value_release(&ret);
        injection.armed = false;
        EXPECT_EQ(injection.count(), 0) << operation.name << " leaks after allocation " << failures;
        ASSERT_LT(failures, 20);
      }
      EXPECT_GT(failures, 0) << operation.name;
    }
}

TEST(OutOfMemory, AnErrorWithoutMemoryIsStillAnError) {
  TnValue ret;
  injection = {true, true, 0, false, {}};
  EXPECT_EQ(rt->error(TN_ERROR_PARSE, "never seen", nullptr, nullptr, nullptr, &ret), -1);
  injection.armed = false;
  EXPECT_STREQ(reinterpret_cast<TnError*>(ret.as.object)->message, "out of memory");
  tn_value_release(&ret);
}

TEST(OutOfMemory, AWorkspaceIsNull) {
  injection = {true, true, 0, false, {}};
  EXPECT_EQ(rt->workspace_alloc(10'000), nullptr);
  injection.armed = false;
}

}  // namespace
