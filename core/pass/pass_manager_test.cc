#include "pass/pass_manager.h"

#include <gtest/gtest.h>

#include <map>

#include "ir/ir_table.h"
#include "ir/kind_table.h"

namespace tenon {
namespace {

// What a test's pass does; stands where the instance of a plugin does.
struct Behaviour {
  std::function<Value(const std::string& pass, const std::string& name, const Node&, const TnContext*, const Map&)> run;
};

int run_function(void* instance, const TnContext* context, const char* pass, const char* name, const TnNode* function,
                 const TnValue* options, TnValue* ret) {
  auto* behaviour = static_cast<Behaviour*>(instance);
  try {
    *ret = behaviour->run(pass, name, Builder::borrow(function), context, Value::view(*options).ref<Map>()).release();
    return 0;
  } catch (const Error& e) { return set_error(tn_runtime(), e, ret); }
}
int run_module(void* instance, const TnContext* context, const char* pass, const TnNode* module, const TnValue* options,
               TnValue* ret) {
  return run_function(instance, context, pass, "", module, options, ret);
}
constexpr TnPass kTable{sizeof(TnPass), &run_module, &run_function};
constexpr TnPass kNoSlots{sizeof(size_t), nullptr, nullptr};

class PassManagerTest : public testing::Test, public PassSource {
 protected:
  void SetUp() override {
    environment_.builder = &b_;
    environment_.target = b_.map({{"kind", b_.string("cpu")}});
    module_ = module({{"f", function(1)}, {"g", function(2)}});
  }
  PassCode open(const PassInfo&) override { return {table_, &behaviour_}; }

  Node function(int64_t value, std::string_view callee = {}) const {
    Node body = b_.make<tir::Evaluate>({b_.imm(value)});
    if (!callee.empty())
      body = b_.make<tir::Evaluate>({b_.make<ir::Call>(
          {kInt32, b_.make<ir::GlobalVar>({Value(), b_.string(callee)}), b_.array({}), b_.map({}), b_.array({})})});
    return b_.make<tir::PrimFunc>({b_.array({}), b_.map({}), Value(), body});
  }
  Node module(const Builder::Entries& functions) const {
    return b_.make<ir::Module>({b_.map({{"who", b_.string("test")}}), b_.map({}), b_.map(functions), b_.array({})});
  }
  Stage stage(const std::string& name, Level level = Level::kLoop) const {
    auto pass = std::make_shared<PassInfo>();
    pass->plugin = "tests";
    pass->name = name;
    pass->level = level;
    return {pass, b_.map({}), ""};
  }
  RunResult run(std::vector<Stage> stages, RunOptions options = {}) {
    options.verify = false;
    return PassManager(environment_, *this).run(module_, Pipeline{"p", "", std::move(stages)}, options, diagnostics_);
  }
  std::string failure(std::vector<Stage> stages, RunOptions options = {}) {
    try {
      run(std::move(stages), std::move(options));
      return "no failure";
    } catch (const Error& e) { return e.message; }
  }
  std::vector<std::string> names(const Node& module) const {
    std::vector<std::string> out;
    for (const Map::Entry& e : module.to<ir::Module>().functions()) out.emplace_back(e.key());
    return out;
  }

  Builder b_ = core_builder();
  const TnPass* table_ = &kTable;
  Behaviour behaviour_;
  CompileEnvironment environment_;
  Node module_;
  std::vector<Diagnostic> diagnostics_;
};

TEST_F(PassManagerTest, NamesThePassThatFails) {
  behaviour_.run = [](auto&&...) -> Value { throw Error(TN_ERROR_UNSUPPORTED, "no such loop", "a.py:1:2"); };
  EXPECT_EQ(failure({stage("bad")}), "tests:bad: function 'f': no such loop");
  EXPECT_EQ(failure({stage("bad", Level::kModule)}), "tests:bad: no such loop");
  behaviour_.run = [](auto&&...) -> Value { throw std::runtime_error("oops"); };
  EXPECT_EQ(failure({stage("bad")}), "tests:bad: function 'f': let an exception escape: oops");
}

TEST_F(PassManagerTest, RefusesWrongResults) {
  behaviour_.run = [](auto&&...) { return Value(3); };
  EXPECT_EQ(failure({stage("bad", Level::kModule)}), "tests:bad: returned an integer where ir.Module/1 is due");
  EXPECT_EQ(failure({stage("bad")}), "tests:bad: function 'f': it returned an integer where tir.PrimFunc/1 is due");
  behaviour_.run = [&](auto&&...) { return Value(b_.imm(1)); };
  EXPECT_EQ(failure({stage("bad")}), "tests:bad: function 'f': it returned ir.IntImm/1 where tir.PrimFunc/1 is due");
  behaviour_.run = [&](const auto&, const auto&, const Node& f, auto&&...) { return Value(b_.array({Value(f)})); };
  EXPECT_EQ(failure({stage("bad")}),
            "tests:bad: function 'f': it returned an array that is not {function, map of new "
            "functions}");
  table_ = &kNoSlots;
  EXPECT_EQ(failure({stage("bad")}), "tests:bad: its plugin has no slot run_function, which passes of level loop need");
  EXPECT_EQ(failure({stage("bad", Level::kModule)}),
            "tests:bad: its plugin has no slot run_module, which passes of level module need");
}

TEST_F(PassManagerTest, SaysWhetherAPassChangedSomething) {
  behaviour_.run = [&](const std::string& pass, const std::string& name, const Node& f, auto&&...) -> Value {
    return pass == "change" && name == "g" ? Value(function(7)) : Value(f);
  };
  RunResult r = run({stage("keep"), stage("change"), stage("keep")});
  ASSERT_EQ(r.records.size(), 3u);
  EXPECT_FALSE(r.records[0].changed);
  EXPECT_TRUE(r.records[1].changed);
  EXPECT_FALSE(r.records[2].changed);
  EXPECT_EQ(r.records[1].pass, "tests:change");
  const auto& m = r.module.to<ir::Module>();
  EXPECT_TRUE(as_node(*m.functions().find("f")).same_as(as_node(*module_.to<ir::Module>().functions().find("f"))));
  EXPECT_EQ(m.attrs().find("who")->as_string(), "test");
}

TEST_F(PassManagerTest, NamesNewFunctionsAndRenamesReferences) {
  module_ = module({{"f", function(1)}, {"g", function(2)}, {"kernel", function(3)}});
  behaviour_.run = [&](const std::string&, const std::string& name, const Node& f, auto&&...) -> Value {
    if (name == "kernel") return Value(f);
    return b_.array({function(0, "kernel"), b_.map({{"kernel", function(9, "kernel")}})});
  };
  RunResult r = run({stage("outline")});
  EXPECT_EQ(names(r.module), (std::vector<std::string>{"f", "g", "kernel", "kernel_1", "kernel_2"}));
  auto callee = [&](const char* name) {
    std::string found;
    b_.walk(*r.module.to<ir::Module>().functions().find(name), [&](const Node& n) {
      if (const auto* g = n.as<ir::GlobalVar>()) found = g->name();
    });
    return found;
  };
  EXPECT_EQ(callee("f"), "kernel_1");
  EXPECT_EQ(callee("kernel_1"), "kernel_1");
  EXPECT_EQ(callee("g"), "kernel_2");
  EXPECT_EQ(callee("kernel"), "");
}

TEST_F(PassManagerTest, RefusesAHintThatMeansAnotherFunctionToo) {
  module_ = module({{"f", function(0, "kernel")}, {"kernel", function(3)}});
  behaviour_.run = [&](const std::string&, const std::string& name, const Node& f, auto&&...) -> Value {
    if (name == "kernel") return Value(f);
    return b_.array({Value(f), b_.map({{"kernel", function(9)}})});
  };
  EXPECT_NE(failure({stage("outline")}).find("already refers to another of that name"), std::string::npos);
}

TEST_F(PassManagerTest, ConcurrentPassesGiveTheSameModule) {
  Builder::Entries functions;
  for (int i = 0; i < 40; ++i) functions.emplace_back("f" + std::to_string(i), function(i));
  module_ = module(functions);
  behaviour_.run = [&](const std::string&, const std::string& name, const Node&, auto&&...) -> Value {
    return b_.array({function(0, "made"), b_.map({{"made", function(static_cast<int64_t>(name.size()))}})});
  };
  Stage one = stage("outline");
  RunResult serial = run({one});
  auto pass = std::make_shared<PassInfo>(*one.pass);
  pass->concurrent = true;
  RunResult parallel = run({{pass, one.options, ""}});
  Value path = call([&](TnValue* ret) {
    Value x(serial.module), y(parallel.module);
    return b_.ir()->structural_equal(b_.ir()->self, x.ptr(), y.ptr(), 0, ret);
  });
  EXPECT_TRUE(path.is_none()) << path.as_string();
  EXPECT_EQ(names(serial.module).size(), 80u);
}

TEST_F(PassManagerTest, StopsStartsAndLeavesOut) {
  std::vector<std::string> ran;
  behaviour_.run = [&](const std::string& pass, const std::string& name, const Node& f, auto&&...) -> Value {
    if (name == "f") ran.push_back(pass);
    return Value(f);
  };
  std::vector<Stage> stages{stage("a"), stage("b"), stage("a"), stage("c")};
  RunOptions o;
  o.stop_after = "tests:b";
  run(stages, o);
  EXPECT_EQ(ran, (std::vector<std::string>{"a", "b"}));
  ran.clear();
  o = {};
  o.start_from = "tests:a#2";
  o.disabled = {"tests:a"};
  EXPECT_TRUE(run(stages, o).records[0].disabled);
  EXPECT_EQ(ran, (std::vector<std::string>{"c"}));
  o = {};
  o.stop_after = "tests:a";
  EXPECT_EQ(failure(stages, o), "stop after 'tests:a': the pipeline runs this pass more than once, as stages 1, 3");
  o.stop_after = "tests:d";
  EXPECT_EQ(failure(stages, o), "stop after 'tests:d': the pipeline does not run this pass");
  o.stop_after = "9";
  EXPECT_EQ(failure(stages, o), "stop after '9': the pipeline has 4 stages, numbered from 1");
  o.stop_after = "1";
  o.start_from = "2";
  EXPECT_EQ(failure(stages, o), "the pipeline is to stop before the stage that it is to start from");
}

TEST_F(PassManagerTest, GivesThePassItsContext) {
  behaviour_.run = [&](const std::string&, const std::string& name, const Node& f, const TnContext* c,
                       auto&&...) -> Value {
    EXPECT_EQ(Value::view(*c->target).ref<Map>().find("kind")->as_string(), "cpu");
    Value g = call([&](TnValue* ret) { return c->signature(c->self, "g", ret); });
    EXPECT_TRUE(as_node(g).is<tir::PrimFunc>());
    Value none = call([&](TnValue* ret) { return c->signature(c->self, "nothing", ret); });
    EXPECT_TRUE(none.is_none());
    c->report(c->self, TN_SEVERITY_WARNING, ("slow " + name).c_str(), nullptr, nullptr);
    return Value(f);
  };
  int instrumented = 0;
  RunOptions o;
  o.instruments.push_back([&](const PassRecord& r, const Node& before, const Node& after) {
    ++instrumented;
    EXPECT_TRUE(before.same_as(after));
    EXPECT_FALSE(r.changed);
  });
  run({stage("look")}, o);
  EXPECT_EQ(instrumented, 1);
  ASSERT_EQ(diagnostics_.size(), 2u);
  EXPECT_EQ(diagnostics_[1].message, "slow g");
  EXPECT_EQ(diagnostics_[1].from, "tests:look");
}

TEST_F(PassManagerTest, WritesWhatIsNewerInOlderWordsOrRefuses) {
  Node var = b_.var("i"), body = b_.make<tir::Evaluate>({var});
  Node loop = b_.make<tir::For>(
      {b_.imm(2), b_.imm(10), int64_t{TN_FOR_SERIAL}, b_.string(""), b_.map({}), var, body, Value(b_.imm(4))});
  auto with_body = [&](const Node& statement) {
    return b_.make<tir::PrimFunc>({b_.array({}), b_.map({}), Value(), statement});
  };
  module_ = module({{"f", with_body(loop)}, {"g", function(2)}});
  std::vector<Node> seen;
  behaviour_.run = [&](const auto&, const auto& name, const Node& f, auto&&...) {
    if (name == "f") seen.push_back(f.to<tir::PrimFunc>().body());
    return Value(f);
  };
  // Unchanged: what comes back is what was there, not what the pass saw.
  EXPECT_TRUE(run({stage("old")}).module.same_as(module_));
  ASSERT_EQ(seen.size(), 1u);
  const auto& older = seen[0].to<tir::For>();
  EXPECT_TRUE(older.step().is_none());
  EXPECT_EQ(older.extent().to<ir::IntImm>().value(), 3);  // 2, 6, 10
  Node expected = b_.make<tir::Evaluate>({b_.add(b_.imm(2), b_.mul(older.loop_var(), b_.imm(4)))});
  EXPECT_FALSE(b_.difference(Value(older.body()), Value(expected), true));

  auto with = [&](auto&& change) {
    Stage s = stage("newer");
    auto pass = std::make_shared<PassInfo>(*s.pass);
    change(*pass);
    s.pass = pass;
    return s;
  };
  run({with([](PassInfo& p) { p.consumes = 2; })});
  run({with([](PassInfo& p) { p.preserves_unknown = true; })});
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_TRUE(seen[1].same_as(loop));
  EXPECT_TRUE(seen[2].same_as(loop));

  // A kind that has no older words.
  uint32_t kind = register_kind("tests.Later/1", TN_KIND_STMT, {}, 3);
  module_ = module({{"f", function(1)}, {"h", with_body(b_.make(kind, std::span<const Value>()))}});
  int called = 0;
  behaviour_.run = [&](const auto&, const auto& name, const Node& f, auto&&...) {
    called += name == "h";
    return Value(f);
  };
  std::string words = "it knows the IR vocabulary 1, but there is tests.Later/1, of vocabulary 3";
  EXPECT_EQ(failure({stage("old")}), "tests:old: function 'h': " + words);
  EXPECT_EQ(failure({stage("old", Level::kModule)}), "tests:old: function 'h': " + words);
  EXPECT_EQ(called, 0);
  run({with([](PassInfo& p) { p.preserves_unknown = true; })});
  EXPECT_EQ(called, 1);
}

TEST_F(PassManagerTest, KeepsFactsAndRefusesTheHostWhenAsked) {
  auto record = [&](const TnContext* c, const char* to, const char* when) {
    Value data = b_.map({{"function", b_.string("f")},
                         {"operator", b_.string("relax.exp")},
                         {"to", b_.string(to)},
                         {"reason", b_.string("too small")},
                         {"when", *when ? b_.string(when) : Value()}});
    c->record(c->self, "placement", data.ptr());
  };
  const char *to = "com.vendor.npu", *when = "";
  behaviour_.run = [&](const auto&, const auto& name, const Node& f, const TnContext* c, auto&&...) {
    if (name == "f") record(c, to, when);
    return Value(f);
  };
  RunOptions o;
  o.fallback = false;
  RunResult r = run({stage("place")}, o);
  ASSERT_EQ(r.facts.size(), 1u);
  EXPECT_EQ(r.facts[0].topic, "placement");
  EXPECT_EQ(r.facts[0].from, "tests:place");
  when = "n <= 4";
  EXPECT_EQ(failure({stage("place")}, o),
            "the operator relax.exp of the function 'f' stays on the host unless n <= 4: too small");
  to = when = "";
  EXPECT_EQ(failure({stage("place"), stage("place")}, o),
            "the operator relax.exp of the function 'f' stays on the host (and 1 more): too small");
  behaviour_.run = [](const auto&, const auto&, const Node& f, auto&&...) { return Value(f); };
  EXPECT_EQ(failure({stage("look")}, o),
            "nothing may fall back to the host, and no pass of the pipeline places operators");
}

TEST_F(PassManagerTest, StopsWhenCancelled) {
  behaviour_.run = [](const auto&, const auto&, const Node& f, auto&&...) { return Value(f); };
  environment_.cancelled = [] { return true; };
  EXPECT_EQ(failure({stage("a")}), "cancelled before the pass tests:a");
}

}  // namespace
}  // namespace tenon
