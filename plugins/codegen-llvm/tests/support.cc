#include "support.h"

#include <tenon/compiler.h>

namespace tenon::test {
namespace {

TnSession* new_session() {
  TnSession* session = nullptr;
  TnValue none{TN_NONE, 0, {0}};
  call([&](TnValue* ret) { return tn_compiler()->session_create(&none, &session, ret); });
  return session;
}

struct Host {
  TnSession* session = new_session();
  const Builder b{tn_compiler()->runtime, static_cast<const TnHostIr*>(tn_compiler()->service(session, TN_HOST_IR))};
};

Host& host() {
  static Host h;
  return h;
}

}  // namespace

const Builder& builder() { return host().b; }

Map load(const Node& module, const char* executor, const Builder::Entries& imports, const Builder::Entries& options) {
  Host& h = host();
  for (auto& [name, f] : imports)
    call([&](TnValue* ret) { return tn_compiler()->register_function(h.session, name.c_str(), f.ptr(), ret); });
  Value o = h.b.map(options);
  Value v = call([&](TnValue* ret) { return tn_compiler()->load(h.session, module.get(), executor, o.ptr(), ret); });
  return v.ref<Map>();
}

Value load_one(const Node& function, const char* executor, const Builder::Entries& imports,
               const Builder::Entries& options) {
  return *load(module_of({{"main", Value(function)}}), executor, imports, options).find("main");
}

Node run_pipeline(const Node& module, const char* pipeline) {
  Value name(pipeline), none;
  Value v = call([&](TnValue* ret) {
    return tn_compiler()->run_pipeline(host().session, module.get(), name.ptr(), none.ptr(), ret);
  });
  return as_node(*v.ref<Map>().find("module"));
}

Map generate(const Node& module, const Builder::Entries& options, const std::string& target) {
  Host& h = host();
  call([&](TnValue* ret) { return tn_compiler()->set_target(h.session, target.c_str(), ret); });
  Value o = h.b.map(options);
  TnValue ret{TN_NONE, 0, {0}};
  int status = tn_compiler()->generate(h.session, module.get(), "codegen-llvm", o.ptr(), &ret);
  call([&](TnValue* r) { return tn_compiler()->set_target(h.session, "cpu", r); });
  return check(status, ret).ref<Map>();
}

Node prim_func(const std::vector<Node>& params, const Node& body, const Builder::Entries& attrs) {
  const Builder& b = builder();
  Builder::Entries all = attrs;
  all.emplace_back("global_symbol", b.string("main"));
  return b.make<tir::PrimFunc>({b.array(params), b.map(all), Value(), body});
}

Node private_func(const std::vector<Node>& params, const Node& body) {
  const Builder& b = builder();
  return b.make<tir::PrimFunc>({b.array(params), b.map({}), Value(), body});
}

Node module_of(const Builder::Entries& functions) {
  const Builder& b = builder();
  return b.make<ir::Module>({b.map({}), b.map({}), b.map(functions), b.array({})});
}

Node load_at(const Node& buffer, const std::vector<Node>& at) { return builder().load(buffer, builder().array(at)); }
Node store_at(const Node& buffer, const std::vector<Node>& at, const Node& value) {
  return builder().store(buffer, builder().array(at), value);
}

Node call_packed(Value type, const std::string& name, const std::vector<Node>& args) {
  const Builder& b = builder();
  std::vector<Node> all = {b.make<ir::StringImm>({Value(), b.string(name)})};
  all.insert(all.end(), args.begin(), args.end());
  return b.make<ir::Call>(
      {std::move(type), b.make<ir::Op>({Value(), "tir.call_packed"}), b.array(all), b.map({}), b.array({})});
}

Node call_function(const std::string& name, const std::vector<Node>& args) {
  const Builder& b = builder();
  return b.make<tir::Evaluate>({b.make<ir::Call>(
      {Value(), b.make<ir::GlobalVar>({Value(), b.string(name)}), b.array(args), b.map({}), b.array({})})});
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
          auto* native = static_cast<Native*>(static_cast<TnFunction*>(self)->context);
          return guard(builder().runtime(), r, [&] { return (*native)(args, n); });
        },
        kept, [](void* p) { delete static_cast<Native*>(p); }, ret);
  });
}

}  // namespace tenon::test
