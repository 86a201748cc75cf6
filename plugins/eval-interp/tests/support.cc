#include "support.h"

namespace tenon::test {

const void* service(const char* id) { return tn_compiler()->service(session().session(), id); }

Map load(const Node& module, const Map& imports, const Map& options) {
  for (const Map::Entry& e : imports) session().register_function(std::string(e.key()), e.value());
  return session().load(module, "eval-interp", Value(builder().map_value(options)));
}

Value load_one(const Node& function, const Map& imports, const Map& options) {
  return *load(module_of({{"main", Value(function)}}), imports, options).find("main");
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

}  // namespace tenon::test
