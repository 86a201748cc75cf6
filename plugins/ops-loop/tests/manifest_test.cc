// The manifest and the table of scalar functions list the same ops, with the same number of arguments.
#include <gtest/gtest.h>
#include <loop_ops/loop_ops.h>
#include <tenon/compiler.h>
#include <tenon/cxx/builder.h>

#include <map>
#include <set>
#include <string>

namespace tenon {
namespace {

struct Row {
  size_t args;
  bool evaluates;
  std::set<std::string> takes;
};

// The rows of ops-loop as a session has read them.
std::map<std::string, Row> manifest_rows() {
  const TnCompiler* compiler = tn_compiler();
  TnSession* session = nullptr;
  const TnValue none{TN_NONE, 0, {0}};
  call([&](TnValue* ret) { return compiler->session_create(&none, &session, ret); });
  std::map<std::string, Row> rows;
  {
    const Value all = call([&](TnValue* ret) { return compiler->plugins(session, ret); });
    for (const Value& plugin : all.ref<Map>().find("plugins")->ref<Array>()) {
      if (plugin.ref<Map>().find("id")->as_string() != "ops-loop") continue;
      for (const Value& op : plugin.ref<Map>().find("ops")->ref<Array>()) {
        const Map& row = op.ref<Map>();
        const Value* functions = row.find("functions");
        const Value* args = row.find("args");
        rows[std::string(row.find("id")->as_string())] = {
            args && args->is_array() ? args->ref<Array>().size() : 0,
            functions && functions->is_array() && functions->ref<Array>().size() == 1,
            {}};
        if (const Value* takes = row.find("takes"))
          for (const Value& name : takes->ref<Array>())
            rows[std::string(row.find("id")->as_string())].takes.emplace(name.as_string());
      }
    }
  }
  compiler->session_destroy(session);
  return rows;
}

TEST(Manifest, ListsEveryScalarFunction) {
  const auto rows = manifest_rows();
  ASSERT_FALSE(rows.empty());
  for (const LoopOp& op : loop_ops()) {
    auto it = rows.find(op.id);
    ASSERT_NE(it, rows.end()) << op.id << " is not in the manifest";
    EXPECT_TRUE(it->second.evaluates) << op.id;
    EXPECT_EQ(it->second.args, static_cast<size_t>(op.arity)) << op.id;
  }
}

TEST(Manifest, TakesTheDtypesOfTheScalarFunctions) {
  constexpr std::pair<const char*, DLDataType> classes[] = {
      {"int", kInt32}, {"int", make_dtype(kDLUInt, 8)}, {"bool", kBool}, {"float", kFloat32}, {"float", kFloat64}};
  const auto rows = manifest_rows();
  for (const LoopOp& op : loop_ops())
    for (const auto& [name, dtype] : classes)
      EXPECT_EQ(rows.at(op.id).takes.contains(name), op.of(dtype) != nullptr) << op.id << " of " << dtype_text(dtype);
}

TEST(Manifest, EvaluatesOnlyWhatHasAFunction) {
  const auto special = [](const std::string& id) {
    return id == "tir.likely" || id == "tir.reinterpret" || id == "tir.max_value" || id == "tir.min_value" ||
           id == "tir.infinity" || id == "tir.nan";
  };
  for (const auto& [id, row] : manifest_rows())
    if (row.evaluates && !special(id)) { EXPECT_NE(find_loop_op(id), nullptr) << id; }
}

}  // namespace
}  // namespace tenon
