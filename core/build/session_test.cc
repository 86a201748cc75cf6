#include "build/session.h"

#include <gtest/gtest.h>

#include "ir/ir_table.h"
#include "tenon/ext/codegen.h"
#include "tenon/ext/executor.h"

namespace tenon {
namespace {

// A plugin inside the test: what its slots do is chosen by the test that runs.
struct Fake {
  int creations = 0, destructions = 0;
  std::string needs;  // a service that create asks for
  bool had_service = false;
  Value loaded;  // what the executor returns
  std::string seen_options;
  size_t seen_imports = 0;
};
Fake* fake = nullptr;

int create(const TnHost* host, void** instance, TnValue*) {
  ++fake->creations;
  *instance = fake;
  if (!fake->needs.empty()) fake->had_service = host->service(host->self, fake->needs.c_str()) != nullptr;
  return 0;
}
void destroy(void* instance) { ++static_cast<Fake*>(instance)->destructions; }

int load(void* instance, const TnContext* context, const TnNode*, const TnValue* imports, const TnValue* options,
         TnValue* ret) {
  auto* self = static_cast<Fake*>(instance);
  self->seen_options = value_text(Value::view(*options));
  self->seen_imports = Value::view(*imports).ref<Map>().size();
  context->report(context->self, TN_SEVERITY_NOTE, "loading", nullptr, nullptr);
  *ret = Value(self->loaded).release();
  return 0;
}
int generate(void*, const TnContext*, const TnNode*, const TnValue*, TnValue* ret) {
  return tn_runtime()->error(TN_ERROR_UNSUPPORTED, "no such thing", nullptr, nullptr, nullptr, ret);
}
constexpr TnExecutor kExecutor{sizeof(TnExecutor), &load};
constexpr TnCodegen kCodegen{sizeof(TnCodegen), &generate};
const void* capability(void*, const char* id) {
  if (std::string_view(id) == TN_EXECUTOR) return &kExecutor;
  if (std::string_view(id) == TN_CODEGEN) return &kCodegen;
  return nullptr;
}
constexpr TnPlugin kPlugin{sizeof(TnPlugin), TN_ABI_VERSION, TN_IR_VOCABULARY, "fake",
                           "1.0.0",          &create,        &destroy,         &capability};

class Provider : public PluginProvider {
 public:
  const std::vector<PluginInfo>& plugins() override { return plugins_; }
  const std::vector<BrokenPlugin>& broken() override { return broken_; }
  const TnPlugin* load(const PluginInfo&) override {
    ++loads;
    return &kPlugin;
  }
  int loads = 0;
  std::vector<PluginInfo> plugins_;
  std::vector<BrokenPlugin> broken_;
};

class SessionTest : public testing::Test {
 protected:
  void SetUp() override {
    fake = &fake_;
    PluginInfo p;
    p.id = "fake";
    p.version = "0.1.0";
    p.provides = {TN_EXECUTOR, TN_CODEGEN};
    p.executor = ExecutorInfo{{{"n", OptionType::kInt, false, Value(3), {}, ""}}};
    p.codegen = CodegenInfo{{"npu"}, {"text"}, {}, Level::kLoop};
    provider_.plugins_ = {p};
    fake_.loaded = b_.map({});
  }
  Node module() const { return b_.make<ir::Module>({b_.map({}), b_.map({}), b_.map({}), b_.array({})}); }
  template <class F>
  std::string failure(F&& f) {
    try {
      f();
      return "no failure";
    } catch (const Error& e) { return e.message + (e.hint.empty() ? "" : "; " + e.hint); }
  }
  Fake fake_;
  Provider provider_;
  Builder b_ = core_builder();
};

TEST_F(SessionTest, NamesWhatIsMissing) {
  Session s(provider_);
  EXPECT_EQ(failure([&] { s.load(module(), "fak", {}); }), "there is no plugin 'fak'; did you mean 'fake'?");
  EXPECT_EQ(failure([&] { s.load(module(), "fake", b_.map({{"m", Value(1)}})); }),
            "the executor fake has no option 'm'; did you mean 'n'?");
  EXPECT_EQ(failure([&] { s.generate(module(), "", {}); }),
            "no installed plugin is a code generator for this target; there are: fake");
  provider_.broken_.push_back({"bad", "bad/manifest", {Error(TN_ERROR_PARSE, "it lacks a name", "bad/manifest:1:1")}});
  EXPECT_EQ(
      failure([&] { s.load(module(), "bad", {}); }),
      "the plugin 'bad' cannot be used: it lacks a name; correct it, or install the plugin again; all complaints: "
      "tenon plugin list");
  EXPECT_EQ(provider_.loads, 0);
  provider_.plugins_.clear();
  EXPECT_EQ(failure([&] { s.load(module(), "", {}); }).substr(0, 38), "no installed plugin is an executor; in");
}

TEST_F(SessionTest, NamesThePluginThatFails) {
  Session s(provider_);
  EXPECT_EQ(failure([&] { s.generate(module(), "fake", {}); }), "fake: no such thing");
  fake_.loaded = Value(3);
  EXPECT_EQ(failure([&] { s.load(module(), "fake", {}); }),
            "the executor 'fake' returned an integer, not a map of functions; this is a bug of the plugin 'fake'");
  provider_.plugins_[0].provides.push_back("com.vendor.thing/1");
  Session other(provider_);
  EXPECT_EQ(
      failure([&] { other.load(module(), "fake", {}); }),
      "the plugin 'fake' 0.1.0 cannot be used: its manifest provides com.vendor.thing/1, its library does not; this is "
      "a bug of the plugin: ask its vendor");
  EXPECT_EQ(failure([&] { s.register_function("f", Value(3)); }),
            "the external function 'f' is an integer, not a function");
}

TEST_F(SessionTest, MakesAnInstanceAtFirstUseAndDestroysItOnce) {
  {
    Session s(provider_);
    EXPECT_EQ(fake_.creations, 0);
    s.register_function("f", call([&](TnValue* ret) {
                          return tn_runtime()->function(
                              [](void*, const TnValue*, int32_t, TnValue*) -> int { return 0; }, nullptr, nullptr, ret);
                        }));
    s.load(module(), "", {});
    s.load(module(), "fake", b_.map({{"n", Value(5)}}));
    EXPECT_EQ(fake_.seen_options, "{n: 5}");
    EXPECT_EQ(fake_.seen_imports, 1u);
    EXPECT_EQ(fake_.creations, 1);
    EXPECT_EQ(s.take_diagnostics().size(), 2u);
    EXPECT_EQ(s.take_diagnostics().size(), 0u);
  }
  EXPECT_EQ(fake_.destructions, 1);
}

TEST_F(SessionTest, OffersServices) {
  Session s(provider_);
  EXPECT_NE(s.service("tenon.host.ir/1"), nullptr);
  EXPECT_NE(s.service("tenon.host.arith/1"), nullptr);
  EXPECT_NE(s.service("tenon.host.ops/1"), nullptr);
  EXPECT_EQ(s.service("tenon.host.nothing/1"), nullptr);
  EXPECT_EQ(fake_.creations, 0);
  EXPECT_EQ(s.service("fake:tenon.executor/1"), &kExecutor);
  EXPECT_EQ(s.service("tenon.codegen/1"), &kCodegen);
  EXPECT_EQ(s.service("other:tenon.codegen/1"), nullptr);
}

TEST_F(SessionTest, APluginThatNeedsItselfGetsNothing) {
  Session s(provider_);
  fake_.needs = "fake:tenon.executor/1";
  s.load(module(), "fake", {});
  EXPECT_FALSE(fake_.had_service);
  EXPECT_EQ(s.take_diagnostics()[0].message, "the plugin 'fake' 0.1.0 is needed while it is being created");
}

}  // namespace
}  // namespace tenon
