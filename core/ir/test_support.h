// What the tests of core/ir share.
#ifndef TENON_CORE_IR_TEST_SUPPORT_H
#define TENON_CORE_IR_TEST_SUPPORT_H

#include <gtest/gtest.h>
#include <pthread.h>

#include <functional>
#include <string>

#include "ir/ir_table.h"

namespace tenon::test {

// Runs f in a thread whose stack has 256 KiB.
inline void with_small_stack(const std::function<void()>& f) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, 256 * 1024), 0);
  pthread_t thread;
  auto run = [](void* p) -> void* {
    (*static_cast<const std::function<void()>*>(p))();
    return nullptr;
  };
  ASSERT_EQ(pthread_create(&thread, &attributes, run, const_cast<std::function<void()>*>(&f)), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

// The error that f throws; code 0 when it throws none.
template <class F>
Error error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) { return e; }
  return Error(0, "no error");
}

// The path to the first difference; "" when equal.
inline std::string difference(const Value& a, const Value& b, bool map_free = false) {
  const TnHostIr& ir = ir_table();
  Value path = call([&](TnValue* ret) { return ir.structural_equal(ir.self, a.ptr(), b.ptr(), map_free, ret); });
  return std::string(path.as_string());
}

// x + x + ... : every level shares the one below at both operands.
inline Node doubling(const Node& leaf, int levels) {
  Builder b = core_builder();
  Node n = leaf;
  for (int i = 0; i < levels; ++i) n = b.add(n, n);
  return n;
}

// A chain of `levels` additions: depth levels + 1 of an IntImm leaf.
inline Node chain(const Node& leaf, int levels) {
  Builder b = core_builder();
  Node n = leaf;
  for (int i = 0; i < levels; ++i) n = b.add(n, b.imm(i));
  return n;
}

// PrimFunc(A: Buffer[(n,)], B: Buffer[(n,)]): for i in n: B[i] = A[i] + 1.0; `n` is met in A's shape.
struct AddOne {
  Node n, a, c, i, body, function;
  explicit AddOne(std::string_view suffix = "", double addend = 1.0) {
    Builder b = core_builder();
    auto name = [&](const char* base) { return base + std::string(suffix); };
    n = b.var(name("n"));
    a = b.buffer(name("A"), kFloat32, b.array({n}));
    c = b.buffer(name("B"), kFloat32, b.array({n}));
    i = b.var(name("i"));
    body = b.store(c, b.array({i}), b.add(b.load(a, b.array({i})), b.real(addend)));
    function = b.make<tir::PrimFunc>(
        {b.array({a, c}), b.map({{"global_symbol", b.string("add_one")}}), Value(), b.loop(i, n, body)});
  }
  Node module() const {
    Builder b = core_builder();
    return b.make<ir::Module>({b.map({}), b.map({}), b.map({{"add_one", function}}), b.array({})});
  }
};

}  // namespace tenon::test
#endif
