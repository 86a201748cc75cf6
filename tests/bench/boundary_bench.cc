// What the boundary between host and plugins costs, and what verification and validation cost, in compiles end to end.
//
//   calls    a slot of the host through its C table, the SDK's C++ over it, and the same work called directly
//   models   the digits, a ResNet-like graph, a module of 10,000 operations: compiled with and without the verifiers
//            in turn, and the calls across the boundary, counted and priced
//
//   tenon_bench_boundary [--rounds=N] [--only=MODEL]
#include <tenon/compiler_session.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>

#include "build/catalog.h"
#include "build/session.h"
#include "ir/ir_table.h"
#include "ir/walk.h"
#include "registry/registry.h"
#include "tenon/ext/op.h"
#include "tenon/ext/plugins.h"

namespace {

using namespace tenon;

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
double best_of(int rounds, const std::function<void()>& f) {
  double best = 1e9;
  for (int i = 0; i < rounds; ++i) {
    double start = seconds();
    f();
    best = std::min(best, seconds() - start);
  }
  return best;
}

// ---- Models

std::string chain(int operations) {
  std::string text =
      "@I.ir_module\nclass Module:\n    @R.function\n"
      "    def main(x: R.Tensor((4, 64), \"float32\"), y: R.Tensor((4, 64), \"float32\")):\n"
      "        with R.dataflow():\n";
  const char* forms[] = {"R.add(%s, y)", "R.nn.relu(%s)", "R.multiply(%s, y)", "R.tanh(%s)"};
  std::string last = "x";
  for (int i = 0; i < operations; ++i) {
    char value[64];
    std::snprintf(value, sizeof value, forms[i % 4], last.c_str());
    last = "v" + std::to_string(i);
    text += "            " + last + " = " + value + "\n";
  }
  return text + "            R.output(" + last + ")\n        return " + last + "\n";
}

std::string resnet() {
  std::string params, body;
  int count = 0;
  auto weight = [&](int out, int in, int k) {
    std::string name = "w" + std::to_string(count++);
    params += ", " + name + ": R.Tensor((" + std::to_string(out) + ", " + std::to_string(in) + ", " +
              std::to_string(k) + ", " + std::to_string(k) + "), \"float32\")";
    return name;
  };
  int value = 0;
  auto bind = [&](const std::string& e) {
    std::string name = "v" + std::to_string(value++);
    body += "            " + name + " = " + e + "\n";
    return name;
  };
  std::string last = bind("R.nn.relu(R.nn.conv2d(x, " + weight(64, 3, 7) + ", strides=[2, 2], padding=[3, 3, 3, 3]))");
  int channels = 64;
  for (int stage = 0; stage < 4; ++stage)
    for (int unit = 0; unit < 2; ++unit) {
      int out = 64 << stage;
      bool down = stage > 0 && unit == 0;
      std::string stride = down ? "strides=[2, 2], " : "";
      std::string a = bind("R.nn.relu(R.nn.conv2d(" + last + ", " + weight(out, channels, 3) + ", " + stride +
                           "padding=[1, 1, 1, 1]))");
      std::string b = bind("R.nn.conv2d(" + a + ", " + weight(out, out, 3) + ", padding=[1, 1, 1, 1])");
      std::string shortcut = last;
      if (down) shortcut = bind("R.nn.conv2d(" + last + ", " + weight(out, channels, 1) + ", strides=[2, 2])");
      last = bind("R.nn.relu(R.add(" + b + ", " + shortcut + "))");
      channels = out;
    }
  last = bind("R.mean(" + last + ", axis=[2, 3])");
  return "@I.ir_module\nclass Module:\n    @R.function\n    def main(x: R.Tensor((1, 3, 224, 224), \"float32\")" +
         params + "):\n        with R.dataflow():\n" + body + "            R.output(" + last + ")\n        return " +
         last + "\n";
}

// ---- Calls

// What a call costs more than the same C++ calling the core directly: to make a node by the SDK, to be called back in a
// walk by the SDK, and any other, through a slot of a table.
struct Prices {
  double node = 0, callback = 0, other = 0;
} prices;

void calls(const CompilerSession& session) {
  const Builder& b = session.builder();
  const TnHostIr& ir = *b.ir();
  constexpr int kCount = 200000;
  Node module = session.parse(chain(10000), "chain.py");
  Value tree(module);
  uint64_t nodes = 0;
  double native = 1e9, table = 1e9, sdk = 1e9;
  for (int round = 0; round < 15; ++round) {  // in turn
    native = std::min(native, best_of(1, [&] {
                        nodes = 0;
                        walk_tree(
                            tree.raw(), [&](const TnNode*) { return ++nodes, Below::kEnter; },
                            [](const TnNode*) { return true; });
                      }));
    table = std::min(table, best_of(1, [&] {
                       nodes = 0;
                       TnValue ret{TN_NONE, 0, {0}};
                       ir.walk(
                           ir.self, tree.ptr(),
                           [](void* n, const TnNode*, TnValue*) { return ++*static_cast<uint64_t*>(n), 0; }, nullptr,
                           &nodes, &ret);
                     }));
    sdk = std::min(sdk, best_of(1, [&] {
                     nodes = 0;
                     b.walk(tree, [&](const Node&) { ++nodes; });
                   }));
  }
  auto per = [&](double s) { return s / static_cast<double>(nodes) * 1e9; };
  std::printf(
      "visit, 10,000 operations, %llu places: native %.1f ns, by the table %.1f ns (%.0f million calls/s), by the SDK "
      "%.1f ns\n",
      static_cast<unsigned long long>(nodes), per(native), per(table), 1e-6 / (table / static_cast<double>(nodes)),
      per(sdk));
  // The same C++ on both sides, its values included: what differs is the way to the core.
  Node one = b.imm(1), two = b.imm(2);
  double direct = 1e9, slot = 1e9, cxx = 1e9;
  for (int round = 0; round < 9; ++round) {  // in turn
    direct = std::min(direct, best_of(1, [&] {
                        for (int i = 0; i < kCount; ++i) {
                          Value slots[] = {Value(kInt64), Value(one), Value(two)};
                          make_node(TN_KIND_tir_Add, nullptr, reinterpret_cast<const TnValue*>(slots), 3);
                        }
                      }));
    slot = std::min(slot, best_of(1, [&] {
                      for (int i = 0; i < kCount; ++i) {
                        Value slots[] = {Value(kInt64), Value(one), Value(two)};
                        TnValue ret;
                        ir.make(ir.self, TN_KIND_tir_Add, nullptr, reinterpret_cast<const TnValue*>(slots), 3, &ret);
                        tn_value_release(&ret);
                      }
                    }));
    cxx = std::min(cxx, best_of(1, [&] {
                     for (int i = 0; i < kCount; ++i) b.make<tir::Add>({kInt64, one, two});
                   }));
  }
  std::printf("make: native %.1f ns, by the table %.1f ns (%.1f million calls/s), by the SDK %.1f ns\n",
              direct / kCount * 1e9, slot / kCount * 1e9, kCount / slot * 1e-6, cxx / kCount * 1e9);
  prices = {std::max((cxx - direct) / kCount * 1e9, 0.0), std::max(per(sdk) - per(native), 0.0),
            std::max((slot - direct) / kCount * 1e9, 0.0)};
}

// What the validation layer costs a call: off, the host holds the plugin's own table.
void layer() {
  constexpr int kCount = 20000;
  double ns[2] = {0, 0};
  bool own[2] = {false, false};
  for (bool on : {false, true}) {
    Builder b = core_builder();
    Registry registry(b, RegistryOptions(), reinterpret_cast<const void*>(&tn_compiler));
    Session session(registry, on);
    auto* plugins = static_cast<const TnHostPlugins*>(session.service(TN_HOST_PLUGINS));
    TnProvided ops{};
    call([&](TnValue* ret) { return plugins->open(plugins->self, "ops-relax", TN_OP, &ops, ret); });
    const TnPlugin* plugin = registry.load(find_plugin(registry, "ops-relax"));
    own[on] = !on && plugin->capability(ops.instance, TN_OP) == ops.table;
    Node type = b.make<relax::TensorType>({b.array({b.imm(4)}), kFloat32, 1, b.map({})});
    Node relu = b.make<ir::Call>(
        {Value(), b.make<ir::Op>({{}, b.string("relax.nn.relu")}), b.array({b.var("x", Value(type))})});
    auto* table = static_cast<const TnOp*>(ops.table);
    ns[on] = best_of(on ? 1 : 7,
                     [&] {
                       for (int i = 0; i < kCount; ++i)
                         call([&](TnValue* ret) { return table->infer_type(ops.instance, nullptr, relu.get(), ret); });
                     }) /
             kCount * 1e9;
  }
  std::printf("infer_type of an operator: %.0f ns without the validation layer (%s), %.0f ns with it\n", ns[0],
              own[0] ? "the host calls the plugin's own table, nothing is added" : "NOT the plugin's own table", ns[1]);
}

// ---- Compiles

struct Model {
  const char* name;
  std::string text;  // "" for the digits
  Node read(const CompilerSession& s) const {
    return text.empty() ? s.import_model(DIGITS, Value()) : s.parse(text, "model.py");
  }
};

struct Times {
  double passes, code;
};
Times compile(const CompilerSession& session, const Node& module, bool verify, const std::string& path) {
  const Builder& b = session.builder();
  double start = seconds();
  Map lowered = session.run_pipeline(module, b.string("cpu"), b.map({{"verify", Value(verify)}}));
  double middle = seconds();
  session.compile(as_node(*lowered.find("module")), path, Value());
  return {middle - start, seconds() - middle};
}

Value session_options(bool validate) {
  Builder b(tn_compiler()->runtime, nullptr);
  return b.map({{"validate", Value(validate)}});
}

// How often a compile crosses the boundary: counted by the validation layer.
Validation::Calls crossings(const Model& m, const std::string& path) {
  Builder b = core_builder();
  Registry registry(b, RegistryOptions(), reinterpret_cast<const void*>(&tn_compiler));
  Session session(registry, true);
  // Read by this program's own core: a node belongs to the core that made it.
  Node module = m.text.empty() ? session.import_model(DIGITS, "", Map()) : session.parse(m.text, "model.py");
  Validation::Calls before = session.validation()->calls();
  Node lowered = session.run(module, registry.pipeline("cpu", session.target()).pipeline, RunOptions()).module;
  session.write_artifact_file(lowered, path, "", Map(), "", "");
  Validation::Calls after = session.validation()->calls();
  return {after.all - before.all, after.nodes - before.nodes, after.callbacks - before.callbacks};
}

void model(const Model& m, int rounds) {
  CompilerSession session(tn_compiler(), session_options(false));
  Node module = m.read(session);
  std::string path = "/tmp/tenon_bench_boundary.so";
  Times with{1e9, 1e9}, without{1e9, 1e9};
  for (int i = 0; i < rounds; ++i) {
    Times v = compile(session, module, true, path), n = compile(session, module, false, path);
    with = {std::min(with.passes, v.passes), std::min(with.code, v.code)};
    without = {std::min(without.passes, n.passes), std::min(without.code, n.code)};
  }
  double code = std::min(with.code, without.code), verify = with.passes - without.passes;
  double total = without.passes + code + verify;
  std::printf("%-18s compile %8.1f ms: passes %8.1f, code %8.1f, verification %7.1f = %.1f %%\n", m.name, total * 1e3,
              without.passes * 1e3, code * 1e3, verify * 1e3, verify / total * 100);
  {
    CompilerSession validated(tn_compiler(), session_options(true));
    Times t = compile(validated, m.read(validated), true, path);
    std::printf("%-18s with the validation layer on: passes %8.1f ms, code %8.1f ms; off, no table is exchanged\n", "",
                t.passes * 1e3, t.code * 1e3);
  }
  Validation::Calls n = crossings(m, path);
  uint64_t others = n.all - n.nodes - n.callbacks;
  double cost =
      1e-9 * (static_cast<double>(n.nodes) * prices.node + static_cast<double>(n.callbacks) * prices.callback +
              static_cast<double>(others) * prices.other);
  std::printf(
      "%-18s %llu calls across the boundary: %llu nodes made at %.1f ns each beyond the direct call, %llu callbacks at "
      "%.1f, %llu others at %.1f = %.1f ms, %.2f %% of the compile\n",
      "", static_cast<unsigned long long>(n.all), static_cast<unsigned long long>(n.nodes), prices.node,
      static_cast<unsigned long long>(n.callbacks), prices.callback, static_cast<unsigned long long>(others),
      prices.other, cost * 1e3, cost / total * 100);
  std::remove(path.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  int rounds = 7;
  std::string only;
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], "--rounds=", 9) == 0) rounds = std::max(1, std::atoi(argv[i] + 9));
    if (std::strncmp(argv[i], "--only=", 7) == 0) only = argv[i] + 7;
  }
  {
    CompilerSession session(tn_compiler(), session_options(false));
    calls(session);
  }
  layer();
  const Model models[] = {{"digits", ""}, {"resnet-like", resnet()}, {"10,000 operations", chain(10000)}};
  for (const Model& m : models)
    if (only.empty() || only == m.name) model(m, rounds);
}
