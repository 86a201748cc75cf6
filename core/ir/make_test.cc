#include "ir/make.h"

#include <cmath>
#include <thread>

#include "ir/kind_table.h"
#include "ir/limits.h"
#include "ir/test_support.h"

namespace tenon {
namespace {

using test::error_of;

TEST(Make, RefusesUnknownKind) {
  Error e = error_of([] { core_builder().make(999, {}); });
  EXPECT_EQ(e.code, TN_ERROR_ARGUMENT);
  EXPECT_NE(e.message.find("999"), std::string::npos);
}

TEST(Make, RefusesTooManySlots) {
  Builder b = core_builder();
  Error e = error_of([&] { b.make<tir::Evaluate>({b.imm(1), b.imm(2)}); });
  EXPECT_EQ(e.code, TN_ERROR_ARGUMENT);
  EXPECT_EQ(e.message, "cannot make tir.Evaluate/1: 2 slots are given, but it has 1");
}

TEST(Make, RefusesWrongSlotTypes) {
  Builder b = core_builder();
  EXPECT_EQ(error_of([&] { b.make<tir::Evaluate>({3}); }).message,
            "cannot make tir.Evaluate/1: slot `value` must be a node, but is an int");
  EXPECT_EQ(error_of([&] { b.make<tir::Evaluate>({}); }).message,
            "cannot make tir.Evaluate/1: slot `value` must be a node, but is none");
  EXPECT_EQ(error_of([&] { b.make<tir::Seq>({b.array({Value(b.imm(1)), Value(3)})}); }).message,
            "cannot make tir.Seq/1: slot `stmts` must be an array of nodes, but is an array whose element 1 is an int");
  EXPECT_EQ(error_of([&] { b.make<ir::FloatImm>({kFloat32, 1}); }).hint, "write the number as a float: Value(1.0)");
  EXPECT_EQ(error_of([&] { b.make<ir::IntImm>({"int64", 1}); }).message,
            "cannot make ir.IntImm/1: slot `type` must be a dtype, a type node or none, but is a string");
  EXPECT_NE(error_of([&] { b.make<tir::Bind>({b.imm(1), b.imm(2)}); }).message.find("defines"), std::string::npos);
  EXPECT_NE(error_of([&] {
              b.make<tir::PrimFunc>({b.array({b.imm(2)}), b.map({}), {}, b.imm(1)});
            }).message.find("an ir.IntImm node"),
            std::string::npos);
}

TEST(Make, RefusesValuesThatATreeCannotHold) {
  Builder b = core_builder();
  TnValue pointer{TN_POINTER, 0, {0}};
  Value attrs = b.map({{"p", Value::view(pointer)}});
  Error e = error_of([&] { b.make<ir::Call>({{}, b.imm(1), b.array({}), attrs}); });
  EXPECT_EQ(e.code, TN_ERROR_ARGUMENT);
  EXPECT_EQ(e.message, "a tree cannot hold a pointer");
  TnValue device{TN_DEVICE, 0, {0}};
  call([&](TnValue* ret) { return tn_runtime()->device_number("com.vendor.npu:1", &device.as.device, ret); });
  attrs = b.map({{"d", Value::view(device)}});
  e = error_of([&] { b.make<ir::Call>({{}, b.imm(1), b.array({}), attrs}); });
  EXPECT_EQ(e.message,
            "a tree cannot hold the number of the device 'com.vendor.npu:1', which is of this process alone");
  for (DLDataType t :
       {DLDataType{255, 255, 65535}, DLDataType{kDLInt, 0, 1}, DLDataType{kDLInt, 65, 1}, DLDataType{kDLFloat, 32, 0},
        DLDataType{kDLFloat, 32, 4097}, DLDataType{TN_DL_BOOL, 1, 1}, DLDataType{kDLComplex, 64, 1}}) {
    e = error_of([&] { b.make<ir::Call>({{}, b.imm(1), b.array({}), Value(b.map({{"d", Value(t)}}))}); });
    EXPECT_EQ(e.code, TN_ERROR_ARGUMENT) << dtype_text(t);
    EXPECT_TRUE(e.message.starts_with("a tree cannot hold the dtype of code ")) << e.message;
  }
  device.as.device = {kDLCUDA, 1};  // has its number everywhere
  attrs = b.map({{"d", Value::view(device)}});
  b.make<ir::Call>({{}, b.imm(1), b.array({}), attrs});
}

TEST(Make, NamesTheSourceOfAMistake) {
  Builder b = core_builder();
  const TnHostIr& ir = ir_table();
  Value span = call([&](TnValue* ret) { return ir.span(ir.self, "model.py", 12, 5, 12, 9, ret); });
  Error e = error_of([&] { b.make<tir::Evaluate>({3}, reinterpret_cast<const TnSpan*>(span.raw().as.object)); });
  EXPECT_EQ(e.where, "model.py:12:5");
}

TEST(Make, FillsInDefaults) {
  Builder b = core_builder();
  auto call = b.make<ir::Call>({{}, b.imm(1)});
  EXPECT_EQ(call.slot_count(), 5u);
  EXPECT_EQ(call.args().size(), 0u);
  EXPECT_EQ(call.attrs().size(), 0u);
  EXPECT_TRUE(call.type().is_none());
  EXPECT_EQ(b.make<relax::TensorType>({}).ndim(), 0);
}

TEST(Make, KeepsNoBorrowedCharacters) {
  Builder b = core_builder();
  std::string name = "a rather long name of a variable";
  auto v = b.make<ir::Var>({kInt64, name.c_str()});
  name.assign(name.size(), '-');
  EXPECT_EQ(v.name(), "a rather long name of a variable");
}

TEST(Make, ClearsUnusedBytesOfSlots) {
  TnValue slots[2] = {{TN_DTYPE, 77, {-1}}, {TN_INT, 99, {5}}};
  slots[0].as.dtype = kInt64;
  Node n = make_node(ir::IntImm::kKind, nullptr, slots, 2);
  EXPECT_EQ(n.slots()[0].raw().small_size, 0u);
  DLDataType t = kInt64;
  int64_t expected = 0;
  std::memcpy(&expected, &t, sizeof t);
  EXPECT_EQ(n.slots()[0].raw().as.i, expected);
  EXPECT_EQ(n.slots()[1].raw().small_size, 0u);
}

TEST(Make, DepthAndItsLimit) {
  Builder b = core_builder();
  EXPECT_EQ(b.imm(1).depth(), 1u);
  EXPECT_EQ(b.add(b.imm(1), b.imm(2)).depth(), 2u);
  EXPECT_EQ(b.make<tir::Seq>({b.array({b.make<tir::Evaluate>({b.imm(1)})})}).depth(), 3u);
  Node deepest = test::chain(b.imm(0), static_cast<int>(kLimits.depth) - 1);
  EXPECT_EQ(deepest.depth(), kLimits.depth);
  Error e = error_of([&] { b.add(deepest, b.imm(0)); });
  EXPECT_EQ(e.code, TN_ERROR_LIMIT);
  EXPECT_NE(e.message.find("4096"), std::string::npos);
}

TEST(Make, LimitsTheNestingOfContainers) {
  Builder b = core_builder();
  Value v = b.array({});
  for (int i = 0; i < 70; ++i) v = b.array({v});
  Error e = error_of([&] { b.make<ir::Call>({{}, b.imm(1), b.array({}), b.map({{"deep", v}})}); });
  EXPECT_EQ(e.code, TN_ERROR_LIMIT);
}

TEST(Make, DeepTreesAreReleasedOnASmallStack) {
  test::with_small_stack([] {
    Builder b = core_builder();
    // Nodes and arrays in turn, so that both kinds of objects release each other.
    Node n = b.make<tir::Evaluate>({b.imm(1)});
    for (int i = 0; i < 2000; ++i) n = b.make<tir::Seq>({b.array({n, n})});
    EXPECT_EQ(n.depth(), 2002u);
    Node m = test::chain(b.imm(0), static_cast<int>(kLimits.depth) - 1);
    m = Node();
    n = Node();
  });
}

TEST(Hash, IgnoresNamesSpansAndIdentity) {
  Builder b = core_builder();
  EXPECT_EQ(b.var("x").hash(), b.var("y").hash());
  EXPECT_NE(b.var("x").hash(), b.var("x", kInt32).hash());
  EXPECT_EQ(test::AddOne("").function.hash(), test::AddOne("_2").function.hash());
  EXPECT_NE(test::AddOne("").function.hash(), test::AddOne("", 2.0).function.hash());
  EXPECT_NE(b.real(0.0).hash(), b.real(-0.0).hash());
}

TEST(Hash, SameForShortAndLongStringObjects) {
  TnValue small{TN_SMALL_STRING, 2, {0}};
  std::memcpy(small.as.small, "ab", 2);
  Builder b = core_builder();
  Node x = b.make<ir::StringImm>({{}, Value::view(small)}), y = b.make<ir::StringImm>({{}, b.string("ab")});
  EXPECT_EQ(x.hash(), y.hash());
  EXPECT_EQ(test::difference(x, y), "");
}

TEST(Kinds, CoreSchemas) {
  const TnHostIr& ir = ir_table();
  EXPECT_EQ(ir.find_kind(ir.self, "tir.For/1"), uint32_t{TN_KIND_tir_For});
  EXPECT_EQ(ir.find_kind(ir.self, "tir.For/2"), 0u);
  const TnKindSchema* s = ir.schema(ir.self, TN_KIND_tir_For);
  ASSERT_NE(s, nullptr);
  EXPECT_EQ(s->slot_count, 8u);
  EXPECT_STREQ(s->slots[5].name, "loop_var");
  EXPECT_EQ(s->slots[5].role, TN_ROLE_DEF);
  EXPECT_EQ(ir.schema(ir.self, 4000), nullptr);
  EXPECT_EQ(ir.schema(ir.self, 0), nullptr);
  EXPECT_EQ(ir.schema(ir.self, TN_KIND_relax_AnyType)->slot_count, 0u);
}

// Sixty arrays within one another, each holding the next one twice: few objects in 2^60 places.
TEST(Make, BoundsThePlacesOfSharedArrays) {
  Builder b = core_builder();
  auto doubled = [&](int levels) {
    Value v(1);
    for (int i = 0; i < levels; ++i) v = b.array({v, v});
    return v;
  };
  const Value shared = doubled(60), again = doubled(60);
  const TnHostIr& ir = ir_table();
  auto refused = [](const char* what, auto&& f) {
    Error e = error_of(f);
    EXPECT_EQ(e.code, TN_ERROR_LIMIT) << what << ": " << e.message;
    EXPECT_NE(e.message.find("places"), std::string::npos) << what << ": " << e.message;
  };
  auto attribute = [&](const Value& v) { b.make<ir::Call>({{}, b.imm(1), b.array({}), Value(b.map({{"a", v}}))}); };
  attribute(doubled(20));
  refused("make", [&] { attribute(shared); });
  refused("walk", [&] { b.walk(shared, [](const Node&) {}); });
  refused("content_key", [&] { call([&](TnValue* ret) { return ir.content_key(ir.self, shared.ptr(), ret); }); });
  refused("structural_equal", [&] { test::difference(shared, again); });
  EXPECT_EQ(test::difference(shared, shared), "");
  Value bytes = call([&](TnValue* ret) { return ir.encode(ir.self, shared.ptr(), ret); });
  Error e = error_of([&] {
    std::string_view text = string_view_of(bytes.raw());
    call([&](TnValue* ret) { return ir.decode(ir.self, text.data(), text.size(), ret); });
  });
  EXPECT_NE(e.code, 0);
  EXPECT_NE(e.message.find("places"), std::string::npos) << e.message;
}

TEST(Kinds, PluginsDeclareTheirOwn) {
  std::vector<SlotDeclaration> slots = {{"type", TN_SLOT_ANY, TN_ROLE_USE}, {"tile", TN_SLOT_NODE, TN_ROLE_USE}};
  uint32_t kind = register_kind("com.vendor.Tile/1", TN_KIND_EXPR, slots);
  EXPECT_GE(kind, uint32_t{TN_KIND_FIRST_DYNAMIC});
  EXPECT_EQ(register_kind("com.vendor.Tile/1", TN_KIND_EXPR, slots), kind);
  EXPECT_EQ(find_kind("com.vendor.Tile/1"), kind);
  Builder b = core_builder();
  std::vector<Value> values = {kInt64, b.imm(4)};
  Node n = b.make(kind, values);
  EXPECT_EQ(n.depth(), 2u);
  slots.push_back({"more", TN_SLOT_INT, TN_ROLE_USE});
  EXPECT_EQ(error_of([&] { register_kind("com.vendor.Tile/1", TN_KIND_EXPR, slots); }).code, TN_ERROR_DUPLICATE);
  EXPECT_EQ(error_of([&] { register_kind("tir.For/1", TN_KIND_EXPR, slots); }).code, TN_ERROR_DUPLICATE);
}

TEST(Kinds, DeclarationsAreChecked) {
  auto refused = [](std::string_view id, std::vector<SlotDeclaration> slots) {
    return error_of([&] { register_kind(id, TN_KIND_EXPR, slots); }).code == TN_ERROR_ARGUMENT;
  };
  EXPECT_TRUE(refused("norevision", {}));
  EXPECT_TRUE(refused("a.b/0", {}));
  EXPECT_TRUE(refused("a.b/x", {}));
  EXPECT_TRUE(refused("nodot/1", {}));
  EXPECT_TRUE(refused("a.b/1", {{"x", TN_SLOT_INT, TN_ROLE_DEF}}));
  EXPECT_TRUE(refused("a.b/1", {{"x", TN_SLOT_INT, TN_ROLE_NAME}}));
  EXPECT_TRUE(refused("a.b/1", {{"x", 99, TN_ROLE_USE}}));
  EXPECT_TRUE(refused("a.b/1", {{"x", TN_SLOT_INT, TN_ROLE_USE}, {"x", TN_SLOT_INT, TN_ROLE_USE}}));
  EXPECT_TRUE(refused("a.b/1", std::vector<SlotDeclaration>(65, {"x", TN_SLOT_INT, TN_ROLE_USE})));
}

TEST(Kinds, DeclaredFromManyThreadsAtOnce) {
  std::vector<std::thread> threads;
  std::vector<uint32_t> kinds(8 * 50);
  for (size_t t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 50; ++i) {
        std::vector<SlotDeclaration> slots = {{"a", TN_SLOT_INT, TN_ROLE_USE}};
        kinds[t * 50 + i] = register_kind("com.threads.K" + std::to_string(i) + "/1", 0, slots);
        EXPECT_NE(kind_info(kinds[t * 50 + i]), nullptr);
      }
    });
  for (std::thread& t : threads) t.join();
  for (size_t t = 1; t < 8; ++t)
    for (size_t i = 0; i < 50; ++i) EXPECT_EQ(kinds[t * 50 + i], kinds[i]);
}

}  // namespace
}  // namespace tenon
