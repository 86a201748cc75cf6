#include "ir/op_table.h"

#include "ir/test_support.h"

namespace tenon {
namespace {

using test::error_of;

Map row(const Builder::Entries& entries) { return core_builder().map(entries); }
Value text(std::string_view s) { return core_builder().string(s); }
Value names(std::vector<std::string> list) {
  std::vector<Value> values;
  for (const std::string& s : list) values.push_back(text(s));
  return core_builder().array(values);
}
Map exp_row() {
  return row({{"id", text("tir.exp")}, {"level", text("loop")}, {"args", names({"x"})}, {"result", text("first")}});
}
Node call_of(std::string_view op, const std::vector<Node>& args, const Map& attrs = {}) {
  Builder b = core_builder();
  return b.make<ir::Call>({{}, b.make<ir::Op>({Value(), b.string(op)}), b.array(args), b.map_value(attrs)});
}

TEST(OpTable, RefusesTheSameOperatorTwiceNamingBoth) {
  OpTable t;
  t.add(exp_row(), "some-ops", "some-ops/manifest:12:5");
  Error e = error_of([&] { t.add(exp_row(), "other", "other/manifest:3:5"); });
  EXPECT_EQ(e.code, TN_ERROR_DUPLICATE);
  EXPECT_NE(e.message.find("some-ops/manifest:12:5"), std::string::npos);
  EXPECT_NE(e.message.find("other/manifest:3:5"), std::string::npos);
}

TEST(OpTable, GivesAnOperatorOfTwoPluginsToNeither) {
  OpTable t;
  t.add_or_dispute(exp_row(), "some-ops", "some-ops/manifest:12:5");
  EXPECT_EQ(t.get("tir.exp").plugin, "some-ops");
  t.add_or_dispute(exp_row(), "other", "other/manifest:3:5");
  for (const Error& e : {error_of([&] { t.find("tir.exp"); }), error_of([&] { t.get("tir.exp"); })}) {
    EXPECT_EQ(e.code, TN_ERROR_DUPLICATE);
    EXPECT_NE(e.message.find("`other`"), std::string::npos);
    EXPECT_NE(e.message.find("`some-ops`"), std::string::npos);
  }
  EXPECT_EQ(error_of([&] { t.add_or_dispute(row({{"id", text("plain")}}), "p", "m:1:1"); }).code, TN_ERROR_ARGUMENT);
}

TEST(OpTable, RefusesRowsThatAreNotWellFormed) {
  OpTable t;
  auto message = [&](const Builder::Entries& entries) {
    Error e = error_of([&] { t.add(row(entries), "p", "m:1:1"); });
    EXPECT_EQ(e.where, "m:1:1");
    return e.message + (e.hint.empty() ? "" : " | " + e.hint);
  };
  EXPECT_EQ(message({}), "cannot add an operator: `id: ` must read namespace.name");
  EXPECT_EQ(message({{"id", text("a.b")}, {"level", text("lop")}}),
            "cannot add the operator `a.b`: `level: lop` is none of loop, graph | did you mean 'loop'?");
  EXPECT_EQ(message({{"id", text("a.b")}, {"effect", text("pure")}}),
            "cannot add the operator `a.b`: its row has the unknown key `effect` | did you mean 'effects'?");
  EXPECT_EQ(message({{"id", text("a.b")}, {"args", names({"x...", "y"})}}),
            "cannot add the operator `a.b`: only the last argument may be variadic, but `x...` is not the last");
  EXPECT_EQ(message({{"id", text("a.b")}, {"result", text("flot32")}}),
            "cannot add the operator `a.b`: `result: flot32` is neither `first`, `given` nor a dtype");
  EXPECT_EQ(message({{"id", text("a.b")}, {"level", text("loop")}, {"takes", names({"int", "integer"})}}),
            "cannot add the operator `a.b`: `takes` names `integer`, which is none of int, bool, float");
  EXPECT_EQ(message({{"id", text("a.b")}, {"takes", names({"int"})}}),
            "cannot add the operator `a.b`: `takes` is for operators of the loop level");
  EXPECT_EQ(message({{"id", text("a.b")}, {"functions", names({"computes"})}}),
            "cannot add the operator `a.b`: `functions` names the unknown `computes` | did you mean 'compute'?");
  EXPECT_EQ(
      message({{"id", text("a.b")}, {"attrs", row({{"axis", row({{"type", text("int")}, {"default", text("x")}})}})}}),
      "cannot add the operator `a.b`: attribute `axis` is int, but its default is a string");
  auto attr = [&](Map declaration) {
    return message({{"id", text("a.b")}, {"attrs", row({{"axis", Value(std::move(declaration))}})}});
  };
  EXPECT_EQ(attr(row({{"type", text("int")}, {"choices", names({"x"})}})),
            "cannot add the operator `a.b`: attribute `axis` is int, but a choice is a string");
  EXPECT_EQ(attr(row({{"choices", 1}})),
            "cannot add the operator `a.b`: `choices` of attribute `axis` must be a list of values, but is an int");
  EXPECT_EQ(attr(row({{"position", 0}})),
            "cannot add the operator `a.b`: `position` of attribute `axis` must be a number from 1");
  EXPECT_EQ(message({{"id", text("a.b")}, {"revision", 0}}),
            "cannot add the operator `a.b`: `revision` must be a number from 1");
}

TEST(OpTable, SuggestsNames) {
  OpTable t;
  t.add(exp_row(), "some-ops", "");
  Error e = error_of([&] { t.get("tir.exq", "main"); });
  EXPECT_EQ(e.code, TN_ERROR_NOT_FOUND);
  EXPECT_EQ(e.hint, "did you mean 'tir.exp'?");
  EXPECT_EQ(e.where, "main");
  EXPECT_EQ(t.find("tir.exq"), nullptr);
}

TEST(OpTable, ReadsRows) {
  OpTable t;
  t.add(row({{"id", text("relax.concat")},
             {"revision", 2},
             {"args", names({"tensors", "more..."})},
             {"attrs",
              row({{"axis", row({{"type", text("int")}, {"default", 0}})}, {"mode", row({{"type", text("string")}})}})},
             {"effects", text("read")},
             {"functions", names({"compute", "infer_type"})}}),
        "ops-graph", "x");
  const OpRecord& op = t.get("relax.concat");
  EXPECT_EQ(op.revision, 2);
  EXPECT_EQ(op.level, OpLevel::kGraph);
  EXPECT_EQ(op.effects, OpEffects::kRead);
  EXPECT_TRUE(op.variadic);
  EXPECT_EQ(op.args, std::vector<std::string>{"tensors"});
  EXPECT_TRUE(op.has_function("compute"));
  EXPECT_FALSE(op.has_function("evaluate"));
  EXPECT_EQ(op.find_attr("axis")->value->as_int(), 0);
  EXPECT_FALSE(op.find_attr("mode")->value.has_value());
  EXPECT_EQ(op.data.find("plugin")->as_string(), "ops-graph");
}

TEST(OpTable, ChecksCalls) {
  Builder b = core_builder();
  OpTable t;
  t.add(
      row({{"id", text("relax.sum")},
           {"args", names({"x"})},
           {"attrs",
            row({{"axis", row({{"type", text("list")}, {"default", Value()}})},
                 {"keepdims", row({{"type", text("bool")}, {"default", false}})},
                 {"mode", row({{"type", text("string")}})},
                 {"layout", row({{"type", text("string")}, {"default", text("NC")}, {"choices", names({"NC", "CN"})}})},
                 {"out", row({{"type", text("dtype")}, {"default", Value()}, {"choices", b.array({Value()})}})}})}}),
      "p", "x");
  Node x = b.var("x");
  Map good = row({{"mode", text("m")}, {"axis", b.array({1})}});
  EXPECT_EQ(t.misfit(call_of("relax.sum", {x}, good)), "");
  EXPECT_EQ(t.misfit(call_of("relax.sum", {x}, row({{"mode", text("m")}, {"axis", Value()}}))), "");
  EXPECT_EQ(t.misfit(call_of("relax.sum", {x, x}, good)), "`relax.sum` takes 1 argument, but 2 are given");
  EXPECT_EQ(t.misfit(call_of("relax.sum", {x})), "`relax.sum` needs the attribute `mode`");
  EXPECT_EQ(t.misfit(call_of("relax.sum", {x}, row({{"mode", text("m")}, {"keepdim", true}}))),
            "`relax.sum` has no attribute `keepdim`, did you mean 'keepdims'?");
  EXPECT_EQ(t.misfit(call_of("relax.sum", {x}, row({{"mode", text("m")}, {"keepdims", 1}}))),
            "attribute `keepdims` of `relax.sum` must be bool, but is an int");
  EXPECT_EQ(t.misfit(call_of("relax.sum", {x}, row({{"mode", text("m")}, {"layout", text("CN")}, {"out", Value()}}))),
            "");
  EXPECT_EQ(t.misfit(call_of("relax.sum", {x}, row({{"mode", text("m")}, {"layout", text("NCc")}}))),
            "attribute `layout` of `relax.sum` must be \"NC\" or \"CN\", but is \"NCc\"");
  EXPECT_EQ(t.misfit(call_of("relax.sum", {x}, row({{"mode", text("m")}, {"out", text("int8")}}))),
            "attribute `out` of `relax.sum` must be null, but is \"int8\"");
  EXPECT_EQ(t.complete_attrs(call_of("relax.sum", {x}, good)).find("keepdims")->as_bool(), false);
}

TEST(OpTable, DtypesOfCalls) {
  Builder b = core_builder();
  OpTable t;
  t.add(exp_row(), "p", "x");
  t.add(row({{"id", text("tir.isnan")}, {"args", names({"x"})}, {"result", text("bool")}}), "p", "x");
  t.add(row({{"id", text("tir.call")}, {"args", names({"x"})}}), "p", "x");
  Node x = b.real(1.0), v = b.make<tir::Broadcast>({with_lanes(kFloat32, 4), x, 4});
  EXPECT_TRUE(same_dtype(*t.dtype_of_call(call_of("tir.exp", {v})), with_lanes(kFloat32, 4)));
  EXPECT_TRUE(same_dtype(*t.dtype_of_call(call_of("tir.isnan", {v})), with_lanes(kBool, 4)));
  EXPECT_TRUE(same_dtype(*t.dtype_of_call(call_of("tir.isnan", {x})), kBool));
  EXPECT_FALSE(t.dtype_of_call(call_of("tir.call", {x})));
  EXPECT_FALSE(t.dtype_of_call(call_of("tir.unknown", {x})));
  EXPECT_FALSE(t.dtype_of_call(x));
}

}  // namespace
}  // namespace tenon
