#include "support.h"

#include <tenon/compiler.h>

namespace tenon::test {
namespace {

// One session for the whole test program.
struct Shared {
  const TnCompiler* compiler = tn_compiler();
  TnSession* session = nullptr;
  Shared() {
    const TnValue none{TN_NONE, 0, {0}};
    call([&](TnValue* ret) { return compiler->session_create(&none, &session, ret); });
  }
};

Shared& shared() {
  static Shared s;
  return s;
}

}  // namespace

const Builder& builder() {
  static const Builder b(shared().compiler->runtime,
                         static_cast<const TnHostIr*>(shared().compiler->service(shared().session, TN_HOST_IR)));
  return b;
}

const void* service(const char* id) { return shared().compiler->service(shared().session, id); }

Map load(const Node& module, const Map& imports, const Map& options) {
  const TnCompiler* compiler = shared().compiler;
  TnSession* session = shared().session;
  for (const Map::Entry& e : imports)
    call([&](TnValue* ret) {
      return compiler->register_function(session, std::string(e.key()).c_str(), e.value().ptr(), ret);
    });
  const Value o = builder().map_value(options);
  Value v = call([&](TnValue* ret) { return compiler->load(session, module.get(), "eval-interp", o.ptr(), ret); });
  return v.ref<Map>();
}

Value load_one(const Node& function, const Map& imports, const Map& options) {
  return *load(module_of({{"main", Value(function)}}), imports, options).find("main");
}

Node prim_func(const std::vector<Node>& params, const Node& body) {
  const Builder& b = builder();
  return b.make<tir::PrimFunc>({b.array(params), b.map({{"global_symbol", b.string("main")}}), Value(), body});
}

Node module_of(const Builder::Entries& functions) {
  const Builder& b = builder();
  return b.make<ir::Module>({b.map({}), b.map({}), b.map(functions), b.array({})});
}

Node range(const Node& min, const Node& extent) { return builder().make<ir::Range>({min, extent}); }

Node iter_var(const Node& var, const Node& extent, int64_t kind) {
  const Builder& b = builder();
  return b.make<tir::IterVar>({range(b.imm(0, extent.dtype()), extent), kind, var});
}

Node block(const std::string& name, const std::vector<Node>& axes, const std::vector<Node>& values, const Node& body,
           const Value& init, const std::vector<Node>& alloc, const std::vector<Node>& match) {
  const Builder& b = builder();
  Node node = b.make<tir::Block>(
      {b.string(name), b.array(axes), b.array(alloc), b.array(match), b.array({}), b.array({}), b.map({}), init, body});
  return b.make<tir::BlockRealize>({b.array(values), b.imm(1, kBool), node});
}

Value invoke(const Value& function, std::vector<Value> args) {
  auto* f = reinterpret_cast<TnFunction*>(function.raw().as.object);
  return call([&](TnValue* ret) {
    return f->call(f, reinterpret_cast<const TnValue*>(args.data()), static_cast<int32_t>(args.size()), ret);
  });
}

Value native(Native f) {
  auto* kept = new Native(std::move(f));
  return call([&](TnValue* ret) {
    return builder().runtime()->function(
        [](void* self, const TnValue* args, int32_t n, TnValue* r) {
          auto* g = static_cast<Native*>(static_cast<TnFunction*>(self)->context);
          return guard(builder().runtime(), r, [&] { return (*g)(args, n); });
        },
        kept, [](void* context) { delete static_cast<Native*>(context); }, ret);
  });
}

}  // namespace tenon::test
