#include <signature/signature.h>

#include <set>

namespace tenon {
namespace {

// The kinds that a dimension may be made of, and their instructions.
struct DimRow {
  uint32_t kind;
  int64_t code;
};
constexpr DimRow kDimRows[] = {
    {tir::Add::kKind, TN_DIM_ADD},           {tir::Sub::kKind, TN_DIM_SUB},           {tir::Mul::kKind, TN_DIM_MUL},
    {tir::FloorDiv::kKind, TN_DIM_FLOORDIV}, {tir::FloorMod::kKind, TN_DIM_FLOORMOD}, {tir::Min::kKind, TN_DIM_MIN},
    {tir::Max::kKind, TN_DIM_MAX},
};

std::string position_of(const Node& node) {
  const TnSpan* span = node.span();
  if (!span || span->line == 0) return {};
  return std::string(span->source) + ":" + std::to_string(span->line) + ":" + std::to_string(span->column);
}

class Maker {
 public:
  Maker(FunctionSignature& out) : out_(out) {}

  int32_t define(const ir::Var& var) {
    auto [it, fresh] = index_.emplace(var.get(), static_cast<int32_t>(out_.symbols.size()));
    if (fresh) {
      out_.symbols.push_back(var);
      out_.symbol_names.emplace_back(var.name());
    }
    return it->second;
  }

  // Whether a dimension needs the value of a symbol that only a shape among the arguments gives.
  bool needs(const Node& dim, const std::set<const TnNode*>& given) const {
    if (dim.is<ir::Var>()) return given.count(dim.get()) != 0 && index_.count(dim.get()) == 0;
    if (dim.is<ir::IntImm>()) return false;
    for (uint32_t i = 0; i < dim.slot_count(); ++i)
      if (dim.slot(i).is_node() && needs(as_node(dim.slot(i)), given)) return true;
    return false;
  }

  std::vector<int64_t> programs(const Array& dims, std::string_view param) {
    std::vector<int64_t> words;
    for (const Node& dim : nodes(dims)) {
      if (const auto* var = dim.as<ir::Var>()) define(*var);
      append(dim, param, words);
      words.push_back(TN_DIM_END);
    }
    return words;
  }

 private:
  void append(const Node& e, std::string_view param, std::vector<int64_t>& words) {
    if (const auto* imm = e.as<ir::IntImm>()) {
      words.insert(words.end(), {TN_DIM_CONST, imm->value()});
    } else if (const auto* var = e.as<ir::Var>()) {
      auto it = index_.find(var->get());
      if (it == index_.end())
        throw Error(TN_ERROR_VERIFY,
                    describe(param) + " uses the symbol '" + std::string(var->name()) + "' before anything binds it",
                    position_of(e), "let an earlier parameter have '" + std::string(var->name()) + "' as a dimension");
      words.insert(words.end(), {TN_DIM_SYMBOL, it->second});
    } else if (e.is<tir::Cast>() && is_integer(e.dtype())) {
      append(e.to<tir::Cast>().value(), param, words);
    } else {
      for (const DimRow& row : kDimRows) {
        if (row.kind != e.kind()) continue;
        append(as_node(e.slot(tir::AddSlot::a)), param, words);
        append(as_node(e.slot(tir::AddSlot::b)), param, words);
        words.push_back(row.code);
        return;
      }
      throw Error(TN_ERROR_UNSUPPORTED,
                  describe(param) + " has a dimension that is not an integer expression of symbols", position_of(e),
                  "dimensions are made of constants, symbols, + - * // %, min and max");
    }
  }
  std::string describe(std::string_view param) const {
    return "parameter '" + std::string(param) + "' of '" + out_.name + "'";
  }

  FunctionSignature& out_;
  std::map<const TnNode*, int32_t> index_;
};

SignatureParam buffer_param(Maker& maker, const tir::Buffer& buffer, bool written) {
  SignatureParam p;
  p.name = buffer.name();
  p.kind = TN_PARAM_TENSOR;
  p.flags = 0;
  if (written) p.flags |= TN_PARAM_WRITTEN;
  if (!buffer.strides().empty()) p.flags |= TN_PARAM_STRIDED;
  p.dtype = buffer.dtype();
  p.symbol = -1;
  p.ndim = static_cast<int32_t>(buffer.shape().size());
  p.dims = maker.programs(buffer.shape(), p.name);
  p.strides = maker.programs(buffer.strides(), p.name);
  return p;
}

SignatureParam var_param(Maker& maker, const ir::Var& var) {
  SignatureParam p;
  p.name = var.name();
  p.dtype = var.dtype();
  p.kind = is_handle(p.dtype) ? TN_PARAM_HANDLE : TN_PARAM_SCALAR;
  p.flags = 0;
  p.symbol = is_integer(p.dtype) ? maker.define(var) : -1;
  p.ndim = 0;
  return p;
}

SignatureParam graph_param(Maker& maker, const ir::Var& var, std::set<const TnNode*>& given) {
  SignatureParam p;
  p.name = var.name();
  p.kind = TN_PARAM_HANDLE;
  p.flags = 0;
  p.dtype = kHandle;
  p.symbol = -1;
  p.ndim = 0;
  const Node& type = var.type().is_node() ? as_node(var.type()) : Node();
  if (const auto* tensor = type.as<relax::TensorType>()) {
    const Array shape = tensor_type_shape(*tensor);
    if (!shape || !tensor->dtype().is_dtype()) return p;
    for (const Node& dim : nodes(shape))  // known when the function matches its parameters with their types
      if (!dim.is<ir::Var>() && maker.needs(dim, given)) return p;
    p.kind = TN_PARAM_TENSOR;
    p.dtype = tensor->dtype().as_dtype();
    p.ndim = static_cast<int32_t>(shape.size());
    p.dims = maker.programs(shape, p.name);
  } else if (const auto* prim = type.as<relax::PrimType>()) {
    p.kind = is_handle(prim->dtype()) ? TN_PARAM_HANDLE : TN_PARAM_SCALAR;
    p.dtype = prim->dtype();
  } else if (const auto* values = type.as<relax::ShapeType>(); values && values->values().is_array()) {
    for (const Node& dim : nodes(values->values().ref<Array>()))
      if (dim.is<ir::Var>()) given.insert(dim.get());
  }
  return p;
}

}  // namespace

int32_t FunctionSignature::symbol_of(const Node& var) const {
  for (size_t i = 0; i < symbols.size(); ++i)
    if (symbols[i].same_as(var)) return static_cast<int32_t>(i);
  return -1;
}

FunctionSignature function_signature(std::string_view name, const tir::PrimFunc& function,
                                     const std::vector<bool>& written) {
  FunctionSignature out;
  out.name = name;
  Maker maker(out);
  NodeRange params = nodes(function.params());
  for (const Node& p : params)  // scalars are in scope for the shapes of all parameters
    if (p.is<ir::Var>() && is_integer(p.dtype())) maker.define(p.to<ir::Var>());
  for (size_t i = 0; i < params.size(); ++i) {
    if (const auto* buffer = params[i].as<tir::Buffer>())
      out.params.push_back(buffer_param(maker, *buffer, i < written.size() && written[i]));
    else
      out.params.push_back(var_param(maker, params[i].to<ir::Var>()));
  }
  return out;
}

FunctionSignature graph_signature(std::string_view name, const relax::Function& function) {
  FunctionSignature out;
  out.name = name;
  Maker maker(out);
  std::set<const TnNode*> given;  // symbols of shapes among the parameters
  for (const Node& param : nodes(function.params()))
    out.params.push_back(graph_param(maker, param.to<ir::Var>(), given));
  return out;
}

Array tensor_type_shape(const relax::TensorType& type) {
  const Value& shape = type.shape();
  if (shape.is_array()) return shape.ref<Array>();
  if (shape.is_node() && as_node(shape).is<relax::ShapeExpr>()) return as_node(shape).to<relax::ShapeExpr>().values();
  return {};
}

SignatureView::SignatureView(const FunctionSignature& s) {
  for (const SignatureParam& p : s.params)
    params_.push_back({p.name.c_str(), p.kind, p.flags, p.dtype, p.ndim, p.symbol, p.dims.data()});
  for (const std::string& n : s.symbol_names) symbols_.push_back(n.c_str());
  raw_ = {sizeof(TnSignature),
          sizeof(TnParam),
          s.name.c_str(),
          params_.data(),
          static_cast<int32_t>(params_.size()),
          static_cast<int32_t>(symbols_.size()),
          symbols_.data()};
}

}  // namespace tenon
