// One fault at a time, chosen by the environment variable TENON_FAULT; without one it is the interpreter. The kit must
// find each (executor.txt).
#include <tenon/ext/executor.h>
#include <tenon/plugin.h>

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace tenon {
namespace {

bool fault(const char* name) {
  const char* chosen = std::getenv("TENON_FAULT");
  return chosen && std::strcmp(chosen, name) == 0;
}

struct Bad : PluginInstance {
  using PluginInstance::PluginInstance;
  int64_t calls = 0;
};

// A function of the interpreter's.
struct Wrapped {
  const TnRuntime* runtime;
  Value inner;
};

// The first element of a float32 tensor becomes another.
void change(const TnValue& v) {
  if (v.type_index != TN_TENSOR) return;
  const DLTensor& t = reinterpret_cast<const TnTensor*>(v.as.object)->tensor;
  if (same_dtype(t.dtype, kFloat32)) *reinterpret_cast<float*>(static_cast<char*>(t.data) + t.byte_offset) += 1;
}

int call_wrapped(void* self, const TnValue* args, int32_t n, TnValue* ret) {
  static std::atomic<int> running = 0;
  struct Running {
    Running() : others(running++) {}
    ~Running() { --running; }
    int others;
  } here;
  if (fault("exec-one-at-a-time") && here.others > 0) std::abort();
  for (int32_t i = 0; fault("exec-crash-on-empty") && i < n; ++i)
    if (args[i].type_index == TN_TENSOR && reinterpret_cast<TnTensor*>(args[i].as.object)->tensor.shape[0] == 0)
      std::abort();
  auto* w = static_cast<Wrapped*>(static_cast<TnFunction*>(self)->context);
  auto* f = reinterpret_cast<TnFunction*>(w->inner.raw().as.object);
  const int status = f->call(f, args, n, ret);
  if (status != 0 && fault("exec-accepts-anything")) {
    tn_value_release(ret);
    *ret = {TN_NONE, 0, {0}};
    return 0;
  }
  if (status != 0 || !fault("exec-wrong-result")) return status;
  change(*ret);
  for (int32_t i = 0; i < n; ++i) change(args[i]);
  return 0;
}

int load(void* instance, const TnContext* context, const TnNode* module, const TnValue* imports, const TnValue*,
         TnValue* ret) {
  return slot<Bad>(instance, ret, [&](Bad& self) -> Value {
    const Builder& b = self.builder();
    ++self.calls;
    if (fault("exec-crash")) std::abort();
    if (fault("exec-no-functions")) return b.map({});
    if (fault("exec-crash-on-number") && module->kind == TN_KIND_ir_IntImm) std::abort();
    Value every(b.map({{"max_steps", Value(1000000)},
                       {"max_bytes", Value(1 << 28)},
                       {"max_depth", Value(256)},
                       {"uninitialised", b.string("poison")}}));
    for (const auto& provider : self.providers<TnExecutor>()) {
      if (provider.plugin() != "eval-interp") continue;
      Value functions = provider.open().call<&TnExecutor::load>(context, module, imports, every.ptr());
      Builder::Entries out;
      for (const Map::Entry& e : functions.ref<Map>()) {
        auto* w = new Wrapped{b.runtime(), e.value()};
        out.emplace_back(std::string(e.key()), call([&](TnValue* r) {
                           return b.runtime()->function(
                               &call_wrapped, w, [](void* p) { delete static_cast<Wrapped*>(p); }, r);
                         }));
      }
      return b.map(out);
    }
    throw Error(TN_ERROR_UNSUPPORTED, "the interpreter is not installed");
  });
}
constexpr auto executor_table = make_table<TnExecutor>(&load);

}  // namespace
}  // namespace tenon

TENON_PLUGIN(tenon::Bad, tenon::executor_table)
