// Buffers: how they come to be, and how their elements are addressed.
#include "compiler.h"

namespace tenon::interp {
namespace {

// The bytes of an element in memory; a handle is a whole TnValue.
uint32_t element_bytes(const BufferPlace& place) {
  return is_handle(place.dtype) ? static_cast<uint32_t>(sizeof(TnValue))
                                : static_cast<uint32_t>(dtype_bytes(place.dtype));
}

}  // namespace

const BufferPlace& FunctionCompiler::place_of(const Node& buffer) const {
  auto it = buffers_.find(buffer.get());
  if (it == buffers_.end())
    refuse(TN_ERROR_VERIFY,
           buffer.is<tir::Buffer>()
               ? "buffer '" + std::string(buffer.to<tir::Buffer>().name()) + "' is used where nothing defines it"
               : kind_name(buffer) + " stands where a buffer is needed",
           buffer);
  return it->second;
}

BufferPlace FunctionCompiler::reserve(const Node& node) {
  const auto& buffer = node.to<tir::Buffer>();
  const bool is_register = is_handle(buffer.dtype()) && buffer.scope() == "register";
  if (buffer.dtype().lanes != 1 || !(is_register || cast_handler(buffer.dtype(), buffer.dtype())))
    refuse(TN_ERROR_UNSUPPORTED, "buffer '" + std::string(buffer.name()) + "' of dtype " + dtype_text(buffer.dtype()),
           buffer, "bool, int8 to int64, uint8 to uint64, float32 and float64 are interpreted");
  BufferPlace place{};
  place.ndim = static_cast<uint32_t>(buffer.shape().size());
  place.dtype = buffer.dtype();
  place.base = asm_.fresh(1 + 2 * place.ndim);
  place.data = asm_.fresh();
  place.bytes = asm_.fresh();
  place.read_only = false;
  return place;
}

void FunctionCompiler::shape_buffer(const tir::Buffer& buffer, BufferPlace& place) {
  NodeRange shape = nodes(buffer.shape()), strides = nodes(buffer.strides());
  auto fill = [&](uint32_t reg, const Node& value, const char* what) {
    if (const auto* imm = value.as<ir::IntImm>())
      asm_.set_initial(reg, put(imm->value()));
    else
      asm_.emit(move, reg, scalar_expr(value, what).reg);
  };
  for (uint32_t k = 0; k < place.ndim; ++k) fill(place.extent(k), shape[k], "a dimension");
  for (uint32_t k = 0; k < strides.size(); ++k) fill(place.stride(k), strides[k], "a stride");
  if (!strides.size())
    asm_.emit(lay_out, place.bytes, place.base, place.ndim, element_bytes(place));
  else if (strides.size() == place.ndim)
    asm_.emit(measure, place.bytes, place.base, place.ndim, element_bytes(place));
  else
    refuse(TN_ERROR_VERIFY, "buffer '" + std::string(buffer.name()) + "' has more or fewer strides than dimensions",
           buffer);
  asm_.can_fail(buffer.get());
}

void FunctionCompiler::alloc_buffer(const tir::Buffer& buffer) {
  BufferPlace place = reserve(buffer);
  shape_buffer(buffer, place);
  asm_.emit(is_handle(place.dtype) ? allocate_registers : allocate, place.base, place.bytes, code_.allocation_count++,
            place.data, is_floating(place.dtype) ? 1 : 0);
  asm_.can_fail(buffer.get());
  buffers_.insert_or_assign(buffer.get(), place);
}

// The memory that a declared buffer lies in.
void FunctionCompiler::decl_data(const tir::DeclBuffer& decl, BufferPlace& place) {
  const std::string name(decl.buffer().to<tir::Buffer>().name());
  if (const auto* constant = decl.data().as<ir::Constant>()) {
    if (constant->data().type_index() != TN_CONSTANT)
      refuse(TN_ERROR_UNSUPPORTED, "the data of buffer '" + name + "' is not a constant's bytes", decl);
    const auto* bytes = reinterpret_cast<const TnConstant*>(constant->data().raw().as.object);
    Scalar address;
    address.p = const_cast<void*>(bytes->data);
    place.data = asm_.constant(address);
    place.bytes = asm_.constant(static_cast<int64_t>(bytes->size));
    place.read_only = true;
    return;
  }
  if (decl.data().is<tir::Buffer>()) {
    const BufferPlace& source = place_of(decl.data());
    if (is_handle(place.dtype) || is_handle(source.dtype))
      refuse(TN_ERROR_UNSUPPORTED, "a view of registers, by buffer '" + name + "'", decl);
    place.data = source.data;
    place.bytes = source.bytes;
    place.read_only = source.read_only;
    return;
  }
  const auto* call = decl.data().as<ir::Call>();
  const auto* op = call ? call->op().as<ir::Op>() : nullptr;
  if (op && op->id() == "tir.tensor_data" && call->args().size() == 1) {
    const Operand tensor = expr(nodes(call->args())[0]);
    if (!is_handle(tensor.dtype)) refuse(TN_ERROR_VERIFY, "tir.tensor_data of " + dtype_text(tensor.dtype), decl);
    asm_.emit(tensor_memory, place.data, tensor.reg, 0, place.bytes);
    asm_.can_fail(decl.buffer().get());
    return;
  }
  refuse(TN_ERROR_UNSUPPORTED, "the data of buffer '" + name + "' is a " + kind_name(decl.data()), decl,
         "a declared buffer views another buffer, a constant or a tensor");
}

void FunctionCompiler::decl_buffer(const tir::DeclBuffer& decl) {
  const auto& buffer = decl.buffer().to<tir::Buffer>();
  BufferPlace place = reserve(buffer);
  decl_data(decl, place);
  BufferPlace own = place;
  own.bytes = asm_.fresh();
  shape_buffer(buffer, own);
  const uint32_t offset = buffer.elem_offset().is_none()
                              ? asm_.constant(0)
                              : scalar_expr(as_node(buffer.elem_offset()), "an element offset").reg;
  asm_.emit(view_memory, place.base, place.data, offset, place.bytes, own.bytes, element_bytes(place));
  asm_.can_fail(buffer.get());
  buffers_.insert_or_assign(buffer.get(), place);
}

std::vector<Operand> FunctionCompiler::index_operands(const Node& at, const Node& buffer, const Array& indices,
                                                      uint32_t* lanes) {
  const BufferPlace& place = place_of(buffer);
  if (indices.size() != place.ndim)
    refuse(TN_ERROR_VERIFY,
           "buffer '" + std::string(buffer.to<tir::Buffer>().name()) + "' has " + std::to_string(place.ndim) +
               " dimensions and is accessed with " + std::to_string(indices.size()) + " indices",
           at);
  std::vector<Operand> operands;
  *lanes = 1;
  for (const Node& index : nodes(indices)) {
    const Operand value = expr(index);
    if (!is_integer(value.dtype) || (value.dtype.lanes != 1 && *lanes != 1 && value.dtype.lanes != *lanes))
      refuse(TN_ERROR_VERIFY, "an index is a " + dtype_text(value.dtype), at);
    *lanes = std::max<uint32_t>(*lanes, value.dtype.lanes);
    operands.push_back(value);
  }
  return operands;
}

void FunctionCompiler::access(const Node& at, const Node& buffer, uint32_t value, bool value_is_vector, bool is_store,
                              uint32_t lanes, const std::vector<Operand>& index) {
  const BufferPlace& place = place_of(buffer);
  asm_.at(at.span());
  for (uint32_t k = 0; k < lanes; ++k) {
    const uint32_t reg = value_is_vector ? value + k : value;
    if (place.ndim <= kMaxDirect) {
      uint32_t registers[kMaxDirect] = {};
      for (size_t j = 0; j < index.size(); ++j) registers[j] = index[j].lane(k);
      const Handler handler = is_store ? store_handler(place.dtype, place.ndim) : load_handler(place.dtype, place.ndim);
      asm_.emit(handler, reg, place.base, registers[0], registers[1], registers[2], registers[3]);
      asm_.can_fail(buffer.get());
    } else {
      uint32_t element = asm_.constant(0);
      for (uint32_t j = 0; j < place.ndim; ++j) {
        const uint32_t next = asm_.fresh();
        asm_.emit(add_index, next, element, index[j].lane(k), place.extent(j), j);
        asm_.can_fail(buffer.get());
        element = next;
      }
      asm_.emit(is_store ? store_at_handler(place.dtype) : load_at_handler(place.dtype), reg, place.base, element);
    }
  }
}

void FunctionCompiler::access_handle(const Node& at, const Node& buffer, uint32_t d,
                                     const std::vector<Operand>& index) {
  const BufferPlace& place = place_of(buffer);
  if (place.ndim > kMaxDirect)
    refuse(TN_ERROR_UNSUPPORTED, "registers of " + std::to_string(place.ndim) + " dimensions", at);
  uint32_t registers[kMaxDirect] = {};
  for (size_t j = 0; j < index.size(); ++j) registers[j] = index[j].reg;
  asm_.at(at.span());
  asm_.emit(element_handler(place.ndim), d, place.base, registers[0], registers[1], registers[2], registers[3]);
  asm_.can_fail(buffer.get());
}

Operand FunctionCompiler::load(const tir::BufferLoad& load) {
  uint32_t lanes;
  const std::vector<Operand> index = index_operands(load, load.buffer(), load.indices(), &lanes);
  const uint32_t d = asm_.fresh(lanes);
  if (is_handle(place_of(load.buffer()).dtype)) {
    access_handle(load, load.buffer(), d, index);
    return {d, kHandle};
  }
  access(load, load.buffer(), d, true, false, lanes, index);
  return {d, with_lanes(place_of(load.buffer()).dtype, static_cast<uint16_t>(lanes))};
}

void FunctionCompiler::store(const tir::BufferStore& store) {
  const BufferPlace place = place_of(store.buffer());
  const std::string name(store.buffer().to<tir::Buffer>().name());
  if (place.read_only) refuse(TN_ERROR_VERIFY, "a store into buffer '" + name + "', which is a constant", store);
  const Operand value = expr(store.value());
  uint32_t lanes;
  const std::vector<Operand> index = index_operands(store, store.buffer(), store.indices(), &lanes);
  if (!same_dtype(element_of(value.dtype), place.dtype) || (value.dtype.lanes != 1 && value.dtype.lanes != lanes))
    refuse(TN_ERROR_VERIFY,
           "a store of " + dtype_text(value.dtype) + " into " + std::to_string(lanes) + " element(s) of buffer '" +
               name + "' of " + dtype_text(place.dtype),
           store, "cast the value to the dtype of the buffer");
  if (is_handle(place.dtype)) {
    const uint32_t target = asm_.fresh();
    access_handle(store, store.buffer(), target, index);
    asm_.emit(store_handle, target, value.reg);
    asm_.can_fail(store.buffer().get());
    return;
  }
  access(store, store.buffer(), value.reg, value.dtype.lanes > 1, true, lanes, index);
}

std::vector<uint32_t> FunctionCompiler::region(const tir::BufferRegion& region, uint32_t* offset) {
  const BufferPlace source = place_of(region.buffer());
  NodeRange ranges = nodes(region.region());
  if (ranges.size() != source.ndim)
    refuse(TN_ERROR_VERIFY,
           "a region has " + std::to_string(ranges.size()) + " dimensions, its buffer " + std::to_string(source.ndim),
           region);
  std::vector<uint32_t> extents;
  *offset = asm_.constant(0);
  for (uint32_t k = 0; k < source.ndim; ++k) {
    const auto& range = ranges[k].to<ir::Range>();
    const Operand min = scalar_expr(range.min(), "a region"), extent = scalar_expr(range.extent(), "a region");
    const uint32_t next = asm_.fresh();
    asm_.emit(add_region, next, min.reg, extent.reg, source.extent(k), *offset, k);
    asm_.can_fail(region.buffer().get());
    *offset = next;
    extents.push_back(extent.reg);
  }
  return extents;
}

BufferPlace FunctionCompiler::region_place(const tir::BufferRegion& r) {
  const BufferPlace source = place_of(r.buffer());
  uint32_t offset;
  const std::vector<uint32_t> extents = region(r, &offset);
  BufferPlace view = source;
  view.base = asm_.fresh(1 + 2 * view.ndim);
  for (uint32_t k = 0; k < view.ndim; ++k) {
    asm_.emit(move, view.extent(k), extents[k]);
    asm_.emit(move, view.stride(k), source.stride(k));
  }
  asm_.emit(offset_pointer, view.base, source.base, offset, 0, 0, static_cast<uint32_t>(dtype_bytes(view.dtype)));
  return view;
}

void FunctionCompiler::bind_or_check(const Node& declared, uint32_t reg, const Node& buffer, const std::string& what) {
  const auto* var = declared.as<ir::Var>();
  if (var && !vars_.count(var->get())) {
    vars_.emplace(var->get(), Operand{reg, var->dtype()});
    return;
  }
  asm_.emit(check_equal, 0, reg, scalar_expr(declared, what.c_str()).reg, asm_.text(what));
  asm_.can_fail(buffer.get());
}

}  // namespace tenon::interp
