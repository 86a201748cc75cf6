// A session, and one use of each of the plugins that do harm.
#ifndef TENON_TESTS_SABOTAGE_HOST_H
#define TENON_TESTS_SABOTAGE_HOST_H

#include <fcntl.h>
#include <gtest/gtest.h>
#include <tenon/compiler_session.h>
#include <tenon/ext/draft/partitioner.h>
#include <tenon/ext/op.h>
#include <tenon/ext/plugins.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

namespace tenon::sabotage {

namespace fs = std::filesystem;

// On the process; kAnswer: the call alone goes wrong; kGiven: it ends where the slot has an argument that is a tree.
enum class Effect { kEnds, kHangs, kMemory, kHarmless, kAnswer, kGiven };
struct Deed {
  const char* name;
  Effect effect;
  bool anywhere;  // also where the plugin has no argument and gives no result
};
inline constexpr Deed kDeeds[] = {{"segv", Effect::kEnds, true},
                                  {"abort", Effect::kEnds, true},
                                  {"exit-0", Effect::kEnds, true},
                                  {"exit-3", Effect::kEnds, true},
                                  {"quick-exit", Effect::kEnds, true},
                                  {"kill", Effect::kEnds, true},
                                  {"term", Effect::kEnds, true},
                                  {"bus", Effect::kEnds, true},
                                  {"stop", Effect::kHangs, true},
                                  {"divide", Effect::kEnds, true},
                                  {"trap", Effect::kEnds, true},
                                  {"stack", Effect::kEnds, true},
                                  {"loop", Effect::kHangs, true},
                                  {"sleep", Effect::kHangs, true},
                                  {"deadlock", Effect::kHangs, true},
                                  {"memory", Effect::kMemory, true},
                                  {"pages", Effect::kMemory, true},
                                  {"close-all", Effect::kEnds, true},
                                  {"garbage", Effect::kEnds, true},
                                  {"print", Effect::kEnds, true},
                                  {"null-call", Effect::kEnds, true},
                                  {"free-twice", Effect::kEnds, true},
                                  {"thread", Effect::kEnds, true},
                                  {"throw", Effect::kAnswer, true},
                                  {"chdir", Effect::kHarmless, true},
                                  {"locale", Effect::kHarmless, true},
                                  {"rounding", Effect::kHarmless, true},
                                  {"block-signals", Effect::kHarmless, true},
                                  {"handlers", Effect::kHarmless, true},
                                  {"fork", Effect::kHarmless, true},
                                  {"fork-leave", Effect::kEnds, true},
                                  {"cut", Effect::kEnds, true},
                                  {"replace-all", Effect::kEnds, true},
                                  {"trace-me", Effect::kEnds, true},
                                  {"words", Effect::kAnswer, false},
                                  {"no-result", Effect::kHarmless, false},
                                  {"no-error", Effect::kAnswer, false},
                                  {"number", Effect::kHarmless, false},
                                  {"wild-result", Effect::kEnds, false},
                                  {"wild-error", Effect::kEnds, false},
                                  {"unknown-type", Effect::kAnswer, false},
                                  {"pointer", Effect::kAnswer, false},
                                  {"free-arguments", Effect::kGiven, false},
                                  {"release-once", Effect::kGiven, false},
                                  {"write-below", Effect::kGiven, false},
                                  {"scribble", Effect::kGiven, false}};
inline constexpr const char* kKinds[] = {"pass", "op", "codegen", "linker", "frontend", "partitioner", "kind"};

inline fs::path temporary() {
  static const fs::path folder = [] {
    fs::path p = fs::path(testing::TempDir()) / ("tenon_sabotage_" + std::to_string(getpid()));
    fs::create_directories(p / "cache");
    setenv("XDG_CACHE_HOME", (p / "cache").c_str(), 1);
    setenv("TENON_SABOTAGE", (p / "deed").c_str(), 1);
    setenv("TENON_SABOTAGE_OBJECT", OBJECT, 1);
    return p;
  }();
  return folder;
}

inline void will(const std::string& moment, const std::string& deed, const std::string& kind) {
  std::ofstream(temporary() / "deed") << moment << " " << deed << " sabotage-" << kind;
}

// Hangs are waited for, so their deadline is short; a sanitizer's processes take longer to start.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr int64_t kDeadlineMs = 3000;
#else
inline constexpr int64_t kDeadlineMs = 250;
#endif

class Host {
 public:
  explicit Host(bool isolate = true, int64_t deadline_ms = kDeadlineMs)
      : b_(tn_compiler()->runtime, nullptr), session_(tn_compiler(), options(isolate, deadline_ms)) {
    module_ = session_.parse(
        "@T.prim_func\ndef main(A: T.Buffer((4,), \"int32\")):\n    for i in range(4):\n        A[i] = i\n",
        "sabotage.py");
    graph_ = session_.parse(
        "@R.function\ndef main(x: R.Tensor((4,), \"float32\")):\n    return I.op(\"sabotage.act\")(x)\n", "graph.py");
    foreign_ = session_.parse(
        "@T.prim_func\ndef main(A: T.Buffer((4,), \"float32\")):\n"
        "    A[0] = I.node(\"com.sabotage.act/1\", type=I.dtype(\"float32\"), a=A[1])\n",
        "foreign.py");
    std::ofstream(temporary() / "model.sabotage")
        << "@R.function\ndef main(x: R.Tensor((4,), \"float32\")):\n    return x\n";
  }
  // Uses the plugin of a kind. Returns the error's text, code first, or "" when there was none.
  std::string use(const std::string& kind) {
    try {
      if (kind == "pass") {
        Map r = session_.run_pipeline(module_, Value(b_.array({b_.string("sabotage-pass:act")})), Value());
        return as_node(*r.find("module")).same_as(module_) ? "" : "another module";
      }
      if (kind == "op") infer();
      if (kind == "codegen") session_.generate(module_, "sabotage-codegen", Value());
      if (kind == "linker")
        session_.compile(
            module_, (temporary() / "out.so").string(),
            Value(b_.map({{"codegen", b_.string("sabotage-codegen")}, {"linker", b_.string("sabotage-linker")}})));
      if (kind == "partitioner") decide();
      if (kind == "kind") session_.generate(foreign_, "sabotage-codegen", Value());
      if (kind == "frontend") session_.import_model((temporary() / "model.sabotage").string(), Value());
      return "";
    } catch (const Error& e) {
      if (e.code == TN_ERROR_UNSUPPORTED && e.message.find("links nothing") != std::string::npos) return "";
      last = e;
      return std::to_string(e.code) + " " + e.message;
    }
  }
  // Calls f with a context for plugins.
  template <class F>
  Value with_context(F&& f) {
    Map target = session_.target();
    Value target_value(target);
    TnContext context{sizeof(TnContext),
                      this,
                      target_value.ptr(),
                      [](void*, int32_t, const char*, const TnSpan*, const char*) {},
                      [](void*) { return 0; },
                      [](void*, const char*, TnValue* ret) {
                        *ret = TnValue{TN_NONE, 0, {0}};
                        return 0;
                      },
                      [](void* self, const char* topic, const TnValue* data) {
                        static_cast<Host*>(self)->facts.push_back(std::string(topic) + ": " +
                                                                  std::string(Value::view(*data).as_string()));
                      }};
    return call([&](TnValue* ret) { return f(context, ret); });
  }
  // Asks the partitioner about a function, as a pass of another plugin does.
  void decide() {
    auto* plugins = session_.service<TnHostPlugins>(TN_HOST_PLUGINS);
    TnProvided p{};
    call([&](TnValue* ret) { return plugins->open(plugins->self, "sabotage-partitioner", TN_PARTITIONER, &p, ret); });
    auto* table = static_cast<const TnPartitioner*>(p.table);
    Node candidate = as_node(*graph_.to<ir::Module>().functions().find("main"));
    facts.clear();
    Value said = with_context([&](TnContext& context, TnValue* ret) {
      return table->decide(p.instance, &context, "exp", candidate.get(), ret);
    });
    if (!said.is_map() || !said.ref<Map>().find("take"))
      throw Error(TN_ERROR_PLUGIN, "sabotage-partitioner gave no decision");
  }
  // Asks the op table for the type of the call in `graph_`.
  void infer() {
    Node found;
    session_.builder().walk(Value(graph_), [&](const Node& n) {
      if (n.is<ir::Call>()) found = n;
    });
    auto* ops = session_.service<TnHostOps>(TN_HOST_OPS);
    Value type = with_context(
        [&](TnContext& context, TnValue* ret) { return ops->infer_type(ops->self, &context, found.get(), ret); });
    if (!type.is_node()) throw Error(TN_ERROR_PLUGIN, "sabotage-op gave no type");
  }
  std::string standing(const std::string& kind) {
    try {
      Map m = session_.probe("sabotage-" + kind);
      return std::string(m.find("state")->as_string()) + ": " + std::string(m.find("reason")->as_string());
    } catch (const Error& e) { return "refused: " + e.message; }
  }
  // The same where the plugin does not hang: a busy machine may need several attempts.
  std::string standing_in_time(const std::string& kind) {
    std::string said;
    for (int i = 0; i < 8; ++i)
      if (said = standing(kind); said.find("did not come back") == std::string::npos) break;
    return said;
  }
  CompilerSession& session() { return session_; }
  Error last{0, ""};
  std::vector<std::string> facts;  // that the partitioner recorded

 private:
  Value options(bool isolate, int64_t deadline_ms) const {
    Map limits = b_.map({{"deadline_ms", Value(deadline_ms)},
                         {"memory_mb", Value(int64_t{128})},
                         {"probe_deadline_ms", Value(deadline_ms)},
                         {"repro_dir", b_.string((temporary() / "repro").string())}});
    return Value(b_.map({{"plugin_dirs", Value(b_.array({b_.string(PLUGINS)}))},
                         {"isolate", Value(isolate)},
                         {"isolation", Value(limits)}}));
  }
  Builder b_;
  CompilerSession session_;
  Node module_, graph_, foreign_;
};

inline size_t open_descriptors() {
  size_t n = 0;
  for (int fd = 0; fd < 1024; ++fd) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

// A deadline long enough for slow machines would make every hang slow, so hangs are few and their deadline is short; a
// clean call that a busy machine does not finish in time is made again.
inline void expect_works(Host& host, const std::string& kind, const std::string& after) {
  will("call", "none", kind);
  std::string said;
  for (int i = 0; i < 5; ++i) {
    said = host.use(kind);
    if (!said.starts_with(std::to_string(TN_ERROR_LIMIT))) break;
  }
  EXPECT_EQ(said, "") << kind << " after " << after;
}

}  // namespace tenon::sabotage
#endif
