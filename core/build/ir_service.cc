#include "build/ir_service.h"

#include <filesystem>
#include <optional>

#include "arith/analyzer.h"
#include "build/payload.h"
#include "ir/bytes.h"
#include "ir/ir_table.h"
#include "ir/kind_table.h"
#include "ir/verify.h"
#include "script/parse.h"
#include "script/print.h"

namespace tenon {

IrService::IrService() : table_(ir_table()) {
  table_.self = this;
  table_.parse = [](void* self, const char* text, size_t size, const char* file, TnValue* ret) -> int {
    return guard(tn_runtime(), ret,
                 [&] { return static_cast<IrService*>(self)->parse({text, size}, file ? file : ""); });
  };
  table_.print = [](void* self, const TnValue* tree, const TnValue* options, TnValue* ret) -> int {
    return guard(tn_runtime(), ret, [&] {
      const Value& given = Value::view(*options);
      return core_builder().string(
          static_cast<IrService*>(self)->print(Value::view(*tree), given.is_map() ? given.ref<Map>() : Map()));
    });
  };
  table_.constant = [](void* self, const DLTensor* tensor, TnValue* ret) -> int {
    return guard(tn_runtime(), ret, [&] { return Value(static_cast<IrService*>(self)->constants_.add(*tensor)); });
  };
  table_.find_kind = [](void* self, const char* id) -> uint32_t {
    uint32_t kind = find_kind(id);
    if (kind) return kind;
    try {
      static_cast<IrService*>(self)->declare_kinds();
    } catch (...) { return 0; }
    return find_kind(id);
  };
  table_.verify = [](void* self, const TnNode* module, TnValue* ret) -> int {
    return guard(tn_runtime(), ret, [&] {
      static_cast<IrService*>(self)->verify_all(Builder::borrow(module));
      return Value();
    });
  };
  table_.decode = [](void* self, const char* data, size_t size, TnValue* ret) -> int {
    return guard(tn_runtime(), ret, [&] {
      auto& constants = static_cast<IrService*>(self)->constants_;
      static_cast<IrService*>(self)->declare_kinds();
      return decode_tree({data, size}, [&](std::string_view digest, uint64_t) { return constants.find(digest); });
    });
  };
}

void IrService::verify(const Node& module) {
  std::optional<Analyzer> analyzer;
  Builder b = core_builder();
  VerifyServices services;
  services.ops = ops_ ? &ops_() : nullptr;
  services.differ = [&](const Node& x, const Node& y) {
    if (!analyzer) analyzer.emplace();
    return analyzer->can_prove(b.ne(x, y));
  };
  if (make_inference_) services.infer_type = make_inference_(module);
  VerifyCache cache;  // taken while it is used: another thread that verifies meanwhile looks at everything
  {
    std::lock_guard lock(cache_mutex_);
    std::swap(cache, cache_);
  }
  services.cache = &cache;
  verify_module(module, services);
  std::lock_guard lock(cache_mutex_);
  cache_ = std::move(cache);
}

void IrService::forget_verified() {
  std::lock_guard lock(cache_mutex_);
  cache_ = {};
}

void IrService::verify_all(const Node& module) {
  verify(module);
  attached_payloads(module.to<ir::Module>());
}

Node IrService::parse(std::string_view text, const std::string& file) {
  declare_kinds();
  ParseContext context;
  if (ops_) {
    context.find_op = [this](std::string_view id) { return find_op(id); };
    context.op_names = [this] { return ops_().ids(); };
  }
  context.find_constant = [&](std::string_view digest) { return find_constant(digest, file); };
  context.make_constant = [this](const DLTensor& tensor) { return Value(constants_.add(tensor)); };
  return tenon::parse(text, file, context);
}

std::string IrService::print(const Value& tree, const Map& given) {
  PrintOptions options;
  for (const Map::Entry& e : given) {
    if (e.key() == "module_name" && e.value().is_string())
      options.module_name = e.value().as_string();
    else if (e.key() == "imports" && e.value().is_bool())
      options.imports = e.value().as_bool();
    else if (e.key() == "inline_bytes" && e.value().is_int())
      options.inline_bytes = static_cast<uint64_t>(e.value().as_int());
    else
      throw Error(TN_ERROR_ARGUMENT, "print has no option '" + std::string(e.key()) + "' of this type", {},
                  "its options are: module_name (string), imports (bool), inline_bytes (int)");
  }
  if (ops_) options.find_op = [this](std::string_view id) { return find_op(id); };
  return tenon::print(tree, options);
}

Value IrService::find_op(std::string_view id) {
  const OpRecord* op = ops_().find(id);
  return op ? Value(op->data) : Value();
}

Value IrService::find_constant(std::string_view digest, const std::string& file) {
  if (Constant known = constants_.find(digest)) return Value(known);
  constexpr std::string_view scheme = "sha256:";
  if (!digest.starts_with(scheme)) return Value();
  std::string_view hex = digest.substr(scheme.size());
  if (hex.size() != 64 || hex.find_first_not_of("0123456789abcdef") != std::string_view::npos) return Value();
  std::filesystem::path path = std::filesystem::path(file).parent_path() / "data" / hex;
  std::error_code error;
  uint64_t size = std::filesystem::file_size(path, error);
  if (error) return Value();
  Constant found = constant_from_file(path.string(), 0, size);
  if (found->digest != digest)
    throw Error(TN_ERROR_CORRUPT, "the bytes of the constant do not have the digest that they are named by",
                path.string(), "the file was changed; write the dump again");
  constants_.keep(found);
  return Value(found);
}

}  // namespace tenon
