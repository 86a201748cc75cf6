// libtenon through its C table, as the tool and other languages use it.
#include "tenon/compiler.h"

#include "registry/test_support.h"

namespace tenon {
namespace {

class CompilerTable : public RegistryTest {
 protected:
  CompilerTable() {
    write("plugins/passes-x/manifest.yaml",
          "id: passes-x\nversion: 0.1.0\ntier: stable-c\nsummary: s\nlibrary: passes-x.so\nprovides: [tenon.pass/1]\n"
          "passes:\n  - {name: simplify, level: loop, summary: s, options: {n: {type: int, default: 1}}}\n");
    write("plugins.yaml",
          "plugins: [passes-x]\npipelines: {cpu: {stages: [passes-x:simplify]}, bad: {stages: [x:y]}}\n");
  }
  ~CompilerTable() override { c_->session_destroy(session_); }
  void open() {
    Value options = b_.map({{"plugin_dirs", b_.array({b_.string(path("plugins"))})},
                            {"config", b_.string(path("plugins.yaml"))},
                            {"search_defaults", Value(false)}});
    call([&](TnValue* ret) { return c_->session_create(options.ptr(), &session_, ret); });
  }
  template <class Slot, class... Args>
  Value invoke(Slot slot, Args... args) {
    return call([&](TnValue* ret) { return slot(session_, args..., ret); });
  }
  template <class F>
  std::string failure(F&& f) {
    try {
      f();
      return "no failure";
    } catch (const Error& e) { return lines({e}); }
  }
  // Made by libtenon: a node belongs to the core that made it.
  Node module() const {
    Builder b(c_->runtime, static_cast<const TnHostIr*>(c_->service(session_, TN_HOST_IR)));
    return b.make<ir::Module>({b_.map({}), b_.map({}), b_.map({}), b_.array({})});
  }

  const TnCompiler* c_ = tn_compiler();
  TnSession* session_ = nullptr;
};

TEST_F(CompilerTable, RefusesWrongSessionOptions) {
  auto create = [&](const Value& options) {
    return failure([&] { call([&](TnValue* ret) { return c_->session_create(options.ptr(), &session_, ret); }); });
  };
  EXPECT_EQ(create(b_.map({{"plugin_dir", Value(1)}})),
            " a session has no option 'plugin_dir'; did you mean 'plugin_dirs'?\n");
  EXPECT_EQ(create(b_.map({{"config", Value(1)}})),
            " option 'config' of a session takes a string, not an integer (1)\n");
  EXPECT_EQ(create(Value(3)), " the options of a session are a map, not an integer\n");
  EXPECT_EQ(create(b_.map({{"target", b_.string(":")}})),
            " the target ':' names no kind; write cpu, or KIND:FEATURES\n");
  EXPECT_EQ(session_, nullptr);
}

TEST_F(CompilerTable, AnswersFromManifestsAlone) {
  open();
  Value all = invoke(c_->plugins);
  const Value& plugins = *all.ref<Map>().find("plugins");
  ASSERT_EQ(plugins.ref<Array>().size(), 1u);
  EXPECT_FALSE(plugins.ref<Array>()[0].ref<Map>().find("loaded")->as_bool());
  Value pipeline = invoke(c_->pipeline, "cpu");
  const Value& stage = pipeline.ref<Map>().find("stages")->ref<Array>()[0];
  EXPECT_EQ(value_text(*stage.ref<Map>().find("options")), "{n: 1}");
  Value bad = invoke(c_->pipeline, "bad");
  EXPECT_EQ(bad.ref<Map>().find("complaints")->ref<Array>().size(), 1u);
  EXPECT_EQ(value_text(invoke(c_->pipelines)), "[\"cpu\", \"bad\"]");
}

TEST_F(CompilerTable, RunsNothingThatIsWrong) {
  open();
  Node m = module();
  auto run = [&](const Value& pipeline, const Value& options) {
    return failure([&] { invoke(c_->run_pipeline, m.get(), pipeline.ptr(), options.ptr()); });
  };
  EXPECT_EQ(run(b_.array({b_.string("passes-x:simplfy")}), Value()),
            " the plugin 'passes-x' has no pass 'simplfy'; did you mean 'simplify'?\n");
  EXPECT_EQ(run(b_.array({b_.string("passes-x:simplify{n: many}")}), Value()),
            " option 'n' of pass passes-x:simplify takes an integer, not a string (\"many\")\n");
  EXPECT_EQ(run(b_.array({Value(3)}), Value()), " a stage is a string or a map {pass, options}, not an integer\n");
  EXPECT_EQ(run(Value(3), Value()), " a pipeline is a string or an array of stages, not an integer\n");
  EXPECT_EQ(run(b_.string("bad"), Value()),
            "plugins.yaml:2:64 there is no plugin 'x'; list what is installed with: tenon plugin list\n");
  EXPECT_EQ(run(b_.string("cpu"), b_.map({{"stop_afer", b_.string("x")}})),
            " run_pipeline has no option 'stop_afer'; did you mean 'stop_after'?\n");
  EXPECT_EQ(run(b_.string("cpu"), b_.map({{"disable", b_.array({b_.string("passes-x:no")})}})),
            " the plugin 'passes-x' has no pass 'no'; its passes are: simplify\n");
  EXPECT_EQ(
      run(b_.string("cpu"), Value()),
      "plugins/passes-x/passes-x.so the plugin 'passes-x' 0.1.0 cannot be loaded: its library does not exist; install "
      "the plugin again\n");
  EXPECT_EQ(failure([&] { invoke(c_->load, m.get(), "passes-x", static_cast<const TnValue*>(nullptr)); }),
            " the plugin 'passes-x' is not an executor: it does not provide tenon.executor/1; no plugin that is "
            "installed is one\n");
}

TEST_F(CompilerTable, TellsInstrumentsAboutPasses) {
  open();
  Node m = module();
  int calls = 0;
  Value counter = call([&](TnValue* ret) {
    return tn_runtime()->function(
        [](void* self, const TnValue*, int32_t n, TnValue* r) -> int {
          *static_cast<int*>(static_cast<TnFunction*>(self)->context) += n == 3 ? 1 : 100;
          *r = {TN_NONE, 0, {0}};
          return 0;
        },
        &calls, nullptr, ret);
  });
  Value pipeline = b_.string("cpu");
  Value options = b_.map({{"disable", b_.array({b_.string("passes-x:simplify")})}, {"on_pass", counter}});
  Value result = invoke(c_->run_pipeline, m.get(), pipeline.ptr(), options.ptr());
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(as_node(*result.ref<Map>().find("module")).same_as(m));
}

}  // namespace
}  // namespace tenon
