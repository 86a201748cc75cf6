#include "support.h"

namespace tenon::test {

Map load(const Node& module, const char* executor, const Builder::Entries& imports, const Builder::Entries& options) {
  for (auto& [name, f] : imports) session().register_function(name, f);
  return session().load(module, executor, Value(builder().map(options)));
}

Value load_one(const Node& function, const char* executor, const Builder::Entries& imports,
               const Builder::Entries& options) {
  return *load(module_of({{"main", Value(function)}}), executor, imports, options).find("main");
}

Node run_pipeline(const Node& module, const char* pipeline) {
  return as_node(*session().run_pipeline(module, Value(pipeline), Value()).find("module"));
}

Map generate(const Node& module, const Builder::Entries& options, const std::string& target) {
  TnSession* raw = session().session();
  call([&](TnValue* ret) { return tn_compiler()->set_target(raw, target.c_str(), ret); });
  Value o = builder().map(options);
  TnValue ret{TN_NONE, 0, {0}};
  int status = tn_compiler()->generate(raw, module.get(), "codegen-llvm", o.ptr(), &ret);
  call([&](TnValue* r) { return tn_compiler()->set_target(raw, "cpu", r); });
  return check(status, ret).ref<Map>();
}

Node private_func(const std::vector<Node>& params, const Node& body) {
  const Builder& b = builder();
  return b.make<tir::PrimFunc>({b.array(params), b.map({}), Value(), body});
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

}  // namespace tenon::test
