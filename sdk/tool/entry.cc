#include "entry.h"

#include <signature/signature.h>
#include <tenon/cxx/numbers.h>

#include <charconv>
#include <cmath>
#include <cstdlib>

#include "diag/files.h"
#include "diag/suggest.h"
#include "npy.h"
#include "tool.h"

namespace tenon::tool {

namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& p : parts) out += (out.empty() ? "" : ", ") + p;
  return out;
}

// The shape of a tensor type, which a shape expression or a plain array holds.
std::vector<Node> shape_of(const Value& shape) {
  std::vector<Node> out;
  if (shape.is_array())
    for (const Node& n : nodes(shape.ref<Array>())) out.push_back(n);
  else if (shape.is_node() && as_node(shape).is<relax::ShapeExpr>())
    for (const Node& n : nodes(as_node(shape).to<relax::ShapeExpr>().values())) out.push_back(n);
  return out;
}

Entry loop_entry(const Builder& b, const Node& module, const std::string& name, const tir::PrimFunc& f) {
  Entry entry{name, false, {}};
  WrittenParams written = find_written_params(b, module.to<ir::Module>());
  const std::vector<bool>& writes = written[name];
  size_t count = nodes(f.params()).size();
  const Value* outputs = f.attrs().find("tenon.num_outputs");
  for (size_t i = 0; i < count; ++i) {
    const Node& p = nodes(f.params())[i];
    EntryParam param;
    if (const auto* buffer = p.as<tir::Buffer>()) {
      param.name = buffer->name();
      param.is_tensor = true;
      param.dtype = buffer->dtype();
      for (const Node& n : nodes(buffer->shape())) param.shape.push_back(n);
      param.written = outputs ? i + static_cast<size_t>(outputs->as_int()) >= count : i < writes.size() && writes[i];
    } else {
      param.name = p.to<ir::Var>().name();
      param.dtype = p.dtype();
      param.symbol = p;
    }
    entry.params.push_back(std::move(param));
  }
  return entry;
}

Entry graph_entry(const std::string& name, const relax::Function& f) {
  Entry entry{name, true, {}};
  for (const Node& p : nodes(f.params())) {
    const auto& var = p.to<ir::Var>();
    EntryParam param;
    param.name = var.name();
    const Value& type = var.type();
    const auto* tensor = type.is_node() ? as_node(type).as<relax::TensorType>() : nullptr;
    if (!tensor || !tensor->dtype().is_dtype())
      throw Error(TN_ERROR_UNSUPPORTED,
                  "the parameter '" + param.name + "' of '" + name + "' is no tensor with a known dtype", {},
                  "'tenon run' makes tensors and scalars");
    param.is_tensor = true;
    param.dtype = tensor->dtype().as_dtype();
    param.shape = shape_of(tensor->shape());
    if (param.shape.empty() && tensor->ndim() != 0)
      throw Error(TN_ERROR_UNSUPPORTED,
                  "the shape of the parameter '" + param.name + "' of '" + name + "' is not known");
    entry.params.push_back(std::move(param));
  }
  return entry;
}

// Evaluates extents; binds symbols that are met bare.
class Extents {
 public:
  explicit Extents(const EntryInputs& inputs) : inputs_(inputs) {}

  void bind(const Node& symbol, int64_t value) { bound_.insert_or_assign(symbol.get(), value); }
  bool knows(const Node& symbol) const { return bound_.contains(symbol.get()) || dim_of(symbol); }

  int64_t value(const Node& n) const {
    if (const auto* imm = n.as<ir::IntImm>()) return imm->value();
    if (const auto* cast = n.as<tir::Cast>()) return value(cast->value());
    if (const auto* prim = n.as<relax::PrimValue>()) return value(prim->value());
    if (const auto* var = n.as<ir::Var>()) {
      auto it = bound_.find(n.get());
      if (it != bound_.end()) return it->second;
      if (const int64_t* given = dim_of(n)) return *given;
      std::string name(var->name());
      throw UsageError("the dimension '" + name + "' is not known", "give it with --dim " + name + "=VALUE");
    }
    auto a = [&] { return value(as_node(n.slot(1))); };
    auto b = [&] { return value(as_node(n.slot(2))); };
    auto divisor = [&] {
      int64_t d = b();
      if (d == 0) throw Error(TN_ERROR_SHAPE, "an extent divides by zero");
      return d;
    };
    auto floordiv = [](int64_t x, int64_t y) { return x / y - ((x % y != 0) && ((x < 0) != (y < 0)) ? 1 : 0); };
    switch (n.kind()) {
      case TN_KIND_tir_Add: return a() + b();
      case TN_KIND_tir_Sub: return a() - b();
      case TN_KIND_tir_Mul: return a() * b();
      case TN_KIND_tir_FloorDiv: return floordiv(a(), divisor());
      case TN_KIND_tir_FloorMod: return a() - floordiv(a(), divisor()) * b();
      case TN_KIND_tir_Min: return std::min(a(), b());
      case TN_KIND_tir_Max: return std::max(a(), b());
      default: throw Error(TN_ERROR_UNSUPPORTED, "an extent holds an expression that 'tenon run' cannot compute");
    }
  }

 private:
  const int64_t* dim_of(const Node& symbol) const {
    const auto* var = symbol.as<ir::Var>();
    auto it = var ? inputs_.dims.find(std::string(var->name())) : inputs_.dims.end();
    return it == inputs_.dims.end() ? nullptr : &it->second;
  }

  const EntryInputs& inputs_;
  std::map<const TnNode*, int64_t> bound_;
};

double number_of(const std::string& text, const std::string& what) {
  char* end = nullptr;
  double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end || !std::isfinite(value))
    throw UsageError(what + " is '" + text + "', which is not a number");
  return value;
}

uint64_t seed_of(const std::string& text, const std::string& spec) {
  uint64_t seed = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size())
    throw UsageError("the seed of " + spec + " is '" + text + "', which is not a whole number from 0",
                     "write random:SEED, such as random:7");
  return seed;
}

// "random:SEED" or "random:SEED:LOW:HIGH"
void fill(const DLTensor& t, const std::string& spec, size_t index) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= spec.size();) {
    size_t colon = std::min(spec.find(':', at), spec.size());
    parts.push_back(spec.substr(at, colon - at));
    at = colon + 1;
  }
  if (parts.size() != 2 && parts.size() != 4)
    throw UsageError("'" + spec + "' is not an input", "write FILE.npy, random:SEED or random:SEED:LOW:HIGH");
  bool whole = !is_floating(t.dtype);
  double low = parts.size() == 4 ? number_of(parts[2], "the low end of " + spec) : whole ? 0 : -1;
  double high = parts.size() == 4 ? number_of(parts[3], "the high end of " + spec) : whole ? 10 : 1;
  if (low > high) throw UsageError("the low end of " + spec + " is above its high end", "write random:SEED:LOW:HIGH");
  const uint64_t seed = seed_of(parts[1], spec);
  fill_random(t, seed * 0x100000001b3u + index, low, high);
}

}  // namespace

Entry find_entry(const Builder& b, const Node& module, const std::string& name) {
  std::vector<std::string> names;
  std::string chosen;
  const Map& functions = module.to<ir::Module>().functions();
  for (const Map::Entry& e : functions) {
    const Node& f = as_node(e.value());
    const Map* attrs = f.is<tir::PrimFunc>()     ? &f.to<tir::PrimFunc>().attrs()
                       : f.is<relax::Function>() ? &f.to<relax::Function>().attrs()
                                                 : nullptr;
    if (!attrs || !attrs->find("global_symbol")) continue;
    names.emplace_back(e.key());
    if (name == e.key() || (name.empty() && e.key() == "main")) chosen = e.key();
  }
  if (name.empty() && chosen.empty() && names.size() == 1) chosen = names[0];
  if (chosen.empty()) {
    std::string list = names.empty() ? "the module has no public functions; one has the attribute global_symbol"
                                     : "its public functions are: " + joined(names);
    if (name.empty())
      throw UsageError("the module has " + std::to_string(names.size()) + " public functions; name one with --entry",
                       list);
    throw UsageError("the module has no public function '" + name + "'", did_you_mean(name, names, list));
  }
  const Node& f = as_node(*functions.find(chosen));
  return f.is<tir::PrimFunc>() ? loop_entry(b, module, chosen, f.to<tir::PrimFunc>())
                               : graph_entry(chosen, f.to<relax::Function>());
}

Entry find_artifact_entry(const CompilerSession& session, const Map& index, const std::string& name) {
  const Value* text = index.find("signatures");
  const Value* functions = index.find("functions");
  if (!text || !functions) throw Error(TN_ERROR_CORRUPT, "the index of the artifact describes no functions");
  Entry entry = find_entry(session.builder(), session.parse(text->as_string(), "<index of the artifact>"), name);
  const Value* one = functions->ref<Map>().find(entry.name);
  const Value* params = one ? one->ref<Map>().find("params") : nullptr;
  if (!params || params->ref<Array>().size() != entry.params.size())
    throw Error(TN_ERROR_CORRUPT, "the index of the artifact does not describe the function '" + entry.name + "'");
  entry.returns = one->ref<Map>().find("returns")->as_bool();
  for (size_t i = 0; i < entry.params.size(); ++i) {
    const Value* written = params->ref<Array>()[i].ref<Map>().find("written");
    entry.params[i].written = written && written->as_bool() && !entry.returns;
  }
  return entry;
}

EntryInputs parse_inputs(const std::vector<std::string>& inputs, const std::vector<std::string>& dims) {
  EntryInputs out;
  for (const std::string& text : inputs) {
    size_t equals = text.find('=');
    bool all = equals == std::string::npos;
    if (all ? !text.starts_with("random:") : equals == 0 || equals + 1 == text.size())
      throw UsageError("'" + text + "' is not an input",
                       "write NAME=FILE.npy, NAME=random:SEED, NAME=NUMBER, or random:SEED for all");
    if (out.values.contains(all ? "" : text.substr(0, equals)))
      throw UsageError(all ? "random:SEED for all inputs is given twice"
                           : "the input '" + text.substr(0, equals) + "' is given twice",
                       "leave one of them out");
    out.values.insert_or_assign(all ? "" : text.substr(0, equals), all ? text : text.substr(equals + 1));
  }
  for (const std::string& text : dims) {
    size_t equals = text.find('=');
    if (equals == std::string::npos)
      throw UsageError("--dim '" + text + "' has no value", "write --dim " + text + "=128");
    double value = number_of(text.substr(equals + 1), "the dimension " + text.substr(0, equals));
    if (value < 0 || value != static_cast<double>(static_cast<int64_t>(value)))
      throw UsageError("--dim '" + text + "' is not a whole number from 0");
    if (out.dims.contains(text.substr(0, equals)))
      throw UsageError("the dimension '" + text.substr(0, equals) + "' is given twice", "leave one of them out");
    out.dims.insert_or_assign(text.substr(0, equals), static_cast<int64_t>(value));
  }
  return out;
}

EntryArguments make_arguments(const Builder& b, const Entry& entry, const EntryInputs& inputs) {
  std::vector<std::string> names, symbols;
  for (const EntryParam& p : entry.params) {
    names.push_back(p.name);
    for (const Node& extent : p.shape)
      b.walk(Value(extent), [&](const Node& n) {
        if (const auto* var = n.as<ir::Var>()) symbols.emplace_back(var->name());
      });
    if (p.symbol) symbols.push_back(p.name);
  }
  for (const auto& [name, value] : inputs.values)
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end())
      throw UsageError("'" + entry.name + "' has no parameter '" + name + "'",
                       did_you_mean(name, names, "its parameters are: " + joined(names)));
  for (const auto& [name, value] : inputs.dims)
    if (std::find(symbols.begin(), symbols.end(), name) == symbols.end())
      throw UsageError("'" + entry.name + "' has no dimension '" + name + "'", did_you_mean(name, symbols));

  EntryArguments out;
  out.values.resize(entry.params.size());
  Extents extents(inputs);
  auto given = [&](const EntryParam& p) -> const std::string* {
    auto it = inputs.values.find(p.name);
    if (it == inputs.values.end() && !p.written) it = inputs.values.find("");
    return it == inputs.values.end() ? nullptr : &it->second;
  };
  auto is_random = [](const std::string& spec) { return spec.starts_with("random:"); };
  // What files say binds symbols first, so that the rest can be made in any order.
  for (size_t i = 0; i < entry.params.size(); ++i) {
    const EntryParam& p = entry.params[i];
    const std::string* spec = given(p);
    if (!p.is_tensor || !spec || is_random(*spec)) continue;
    if (char* end = nullptr; !is_regular_file(*spec) && (std::strtod(spec->c_str(), &end), *end == '\0'))
      throw UsageError("the input '" + p.name + "' is a tensor, not the number " + *spec,
                       "give it with --input " + p.name + "=FILE.npy or --input " + p.name + "=random:SEED");
    out.values[i] = read_npy(b, *spec);
    const DLTensor& t = tensor_of(out.values[i]);
    for (int axis = 0; axis < t.ndim && static_cast<size_t>(axis) < p.shape.size(); ++axis)
      if (const Node& extent = p.shape[static_cast<size_t>(axis)]; extent.is<ir::Var>() && !extents.knows(extent))
        extents.bind(extent, t.shape[axis]);
  }
  for (size_t i = 0; i < entry.params.size(); ++i) {
    const EntryParam& p = entry.params[i];
    const std::string* spec = given(p);
    if (p.written) out.outputs.push_back(i);
    if (!p.is_tensor) {
      if (spec && !is_random(*spec)) {
        double number = number_of(*spec, "the input '" + p.name + "'");
        out.values[i] = is_floating(p.dtype) ? Value(number)
                        : is_bool(p.dtype)   ? Value(number != 0)
                                             : Value(static_cast<int64_t>(number));
        if (p.symbol) extents.bind(p.symbol, static_cast<int64_t>(number));
      } else if (p.symbol && !is_floating(p.dtype)) {
        out.values[i] = Value(extents.value(p.symbol));
      } else {
        throw UsageError("the input '" + p.name + "' is not given", "give it with --input " + p.name + "=NUMBER");
      }
      continue;
    }
    if (!out.values[i].is_none()) continue;
    if (!spec && !p.written)
      throw UsageError("the input '" + p.name + "' is not given",
                       "give it with --input " + p.name + "=FILE.npy or --input " + p.name + "=random:SEED");
    std::vector<int64_t> shape;
    for (const Node& extent : p.shape) shape.push_back(extents.value(extent));
    out.values[i] = make_tensor(b, p.dtype, shape);
    if (spec) fill(tensor_of(out.values[i]), *spec, i);
  }
  return out;
}

}  // namespace tenon::tool
