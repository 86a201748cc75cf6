// codegen-llvm: tenon.codegen/1 makes objects and assembly, tenon.executor/1 makes functions of this process.
#include <tenon/ext/codegen.h>
#include <tenon/ext/executor.h>
#include <tenon/plugin.h>

#include "compile.h"
#include "jit.h"

namespace tenon::backend {
namespace {

struct CodegenLlvm : PluginInstance {
  explicit CodegenLlvm(const TnHost* host) : PluginInstance(host) { initialize_llvm(); }
  const TnHostArith* arith() const { return &service<TnHostArith>().required(); }
};

const Value& target_of(const TnContext* context) {
  static const Value none;
  return context && context->target ? Value::view(*context->target) : none;
}

Array strings(const Builder& b, const std::vector<std::string>& items) {
  std::vector<Value> out;
  for (const std::string& s : items) out.push_back(b.string(s));
  return b.array(out);
}

int generate(void* instance, const TnContext* context, const TnNode* module, const TnValue* options, TnValue* ret) {
  auto& self = *static_cast<CodegenLlvm*>(instance);
  return guard(self.runtime(), ret, [&]() -> Value {
    const Builder& b = self.builder();
    CompileOptions o = read_options(Value::view(*options));
    Compiled c =
        compile(b, self.arith(), context, Builder::borrow(module).to<ir::Module>(), read_target(target_of(context)), o);
    Builder::Entries exports;
    for (auto& [name, symbol] : c.exports) exports.emplace_back(name, b.string(symbol));
    Value bytes = call([&](TnValue* r) { return b.runtime()->bytes(c.bytes.data(), c.bytes.size(), r); });
    return b.map({{"format", b.string(o.emit == "elf-object" ? "elf-object/1" : o.emit)},
                  {"bytes", bytes},
                  {"exports", b.map(exports)},
                  {"imports", strings(b, c.imports)},
                  {"constants", b.array(c.constants)},
                  {"symbols", strings(b, c.symbols)}});
  });
}

// A module in memory, shared by its functions. The context stands first: generated code finds it there.
struct LoadedModule {
  TnModuleContext context;
  std::unique_ptr<LoadedObject> code;
  std::vector<Value> import_values, constant_values;
  std::vector<TnFunction*> imports;
  std::vector<const void*> constants;
  uint64_t references = 1;

  static void retain(LoadedModule* m) { __atomic_fetch_add(&m->references, 1, __ATOMIC_RELAXED); }
  static void release(void* p) {
    auto* m = static_cast<LoadedModule*>(p);
    if (__atomic_sub_fetch(&m->references, 1, __ATOMIC_ACQ_REL) == 0) delete m;
  }
};

// Where generated code finds a constant: 64-byte aligned. Bytes that lie otherwise are copied once.
const void* aligned(const Builder& b, Value& constant) {
  const auto* c = reinterpret_cast<const TnConstant*>(constant.raw().as.object);
  if (reinterpret_cast<uintptr_t>(c->data) % 64 == 0) return c->data;
  auto size = static_cast<int64_t>(c->size);
  constant = call(
      [&](TnValue* ret) { return b.runtime()->tensor(DLDevice{kDLCPU, 0}, make_dtype(kDLUInt, 8), 1, &size, ret); });
  void* copy = reinterpret_cast<const TnTensor*>(constant.raw().as.object)->tensor.data;
  std::memcpy(copy, c->data, c->size);
  return copy;
}

int load(void* instance, const TnContext* context, const TnNode* module, const TnValue* imports, const TnValue* options,
         TnValue* ret) {
  auto& self = *static_cast<CodegenLlvm*>(instance);
  return guard(self.runtime(), ret, [&]() -> Value {
    const Builder& b = self.builder();
    CompileOptions o = read_options(Value::view(*options));
    o.emit = "elf-object";
    TargetSpec target = read_target(target_of(context));
    require_host_runs(target);
    Compiled c = compile(b, self.arith(), context, Builder::borrow(module).to<ir::Module>(), target, o);

    std::unique_ptr<LoadedModule, void (*)(void*)> loaded(new LoadedModule, &LoadedModule::release);
    static const Map none;
    const Map& offered = Value::view(*imports).is_map() ? Value::view(*imports).ref<Map>() : none;
    for (const std::string& name : c.imports) {
      const Value* f = offered.find(name);
      if (!f || f->type_index() != TN_FUNCTION)
        throw Error(TN_ERROR_NOT_FOUND, "the external function '" + name + "' was not given", {},
                    "register it with TnCompiler.register_function before the module is loaded");
      loaded->import_values.push_back(*f);
      loaded->imports.push_back(reinterpret_cast<TnFunction*>(f->raw().as.object));
    }
    for (Value& constant : c.constants) {
      loaded->constants.push_back(aligned(b, constant));
      loaded->constant_values.push_back(constant);
    }
    loaded->code = std::make_unique<LoadedObject>(c.bytes, c.symbols);
    loaded->context = {sizeof(TnModuleContext), b.runtime(), loaded->imports.data(), loaded->constants.data()};

    Builder::Entries functions;
    for (auto& [name, symbol] : c.exports) {
      auto entry = reinterpret_cast<TnCall>(loaded->code->find(symbol));
      LoadedModule::retain(loaded.get());
      TnValue f{TN_NONE, 0, {0}};
      int status = b.runtime()->function(entry, loaded.get(), &LoadedModule::release, &f);
      if (status != 0) LoadedModule::release(loaded.get());
      functions.emplace_back(name, check(status, f));
    }
    return b.map(functions);
  });
}

constexpr auto kCodegen = make_table<TnCodegen>(&generate);
constexpr auto kExecutor = make_table<TnExecutor>(&load);

}  // namespace
}  // namespace tenon::backend

TENON_PLUGIN(tenon::backend::CodegenLlvm, tenon::backend::kCodegen, tenon::backend::kExecutor)
