// Handles: what they hold is a TnValue that a parameter, a register or a slot of the activation keeps alive.
#include <tenon/cxx/device.h>

#include "builtins.h"
#include "handlers.h"
#include "tensors.h"

namespace tenon::interp {
namespace {

constexpr DLDataType kNoResult{0, 0, 0};

std::string text_of(const TnValue& value) { return std::string(string_view_of(value)); }

std::string type_name(const TnValue& value) {
  switch (value.type_index) {
    case TN_NONE: return "nothing";
    case TN_INT: return "an int";
    case TN_BOOL: return "a bool";
    case TN_FLOAT: return "a float";
    case TN_DLTENSOR:
    case TN_TENSOR: return "a tensor";
    case TN_ARRAY: return "a tuple";
    default: return is_string(value) ? "a string" : "an object of type " + std::to_string(value.type_index);
  }
}

// A value that outlives the call that it was passed to: a tensor that is only borrowed cannot.
Value keep(const TnValue& value) {
  if (value.type_index == TN_DLTENSOR)
    throw Error(TN_ERROR_TYPE, "a tensor that was passed as a DLTensor cannot be kept after the call", {},
                "pass a tensor object");
  return Value::share(value);
}

const Array& expect_tuple(const TnValue& value) {
  if (value.type_index != TN_ARRAY) throw Error(TN_ERROR_TYPE, "a tuple is needed, but there is " + type_name(value));
  return Value::view(value).ref<Array>();
}

DLDataType expect_dtype(const TnValue& value) {
  const auto dtype = dtype_from_text(string_view_of(value));
  if (!dtype) throw Error(TN_ERROR_TYPE, "'" + text_of(value) + "' is not a dtype");
  return *dtype;
}

Value alloc_tensor(Activation& act, std::span<const TnValue> args) {
  const DLDataType dtype = expect_dtype(args[0]);
  std::vector<int64_t> shape;
  for (const TnValue& dim : args.subspan(1)) shape.push_back(dim.as.i);
  return fresh_tensor(act.machine, dtype, shape);
}

Value match_tensor(Activation&, std::span<const TnValue> args) {
  const std::string what = text_of(args[1]);
  const DLTensor& tensor = expect_tensor(args[0], what);
  const DLDataType dtype = expect_dtype(args[2]);
  if (!same_dtype(tensor.dtype, dtype))
    throw Error(TN_ERROR_TYPE, what + " is " + dtype_text(tensor.dtype) + ", not " + dtype_text(dtype));
  const auto dims = args.subspan(3);
  if (static_cast<size_t>(tensor.ndim) != dims.size())
    throw Error(TN_ERROR_SHAPE,
                what + " has " + std::to_string(tensor.ndim) + " dimensions, not " + std::to_string(dims.size()));
  for (size_t k = 0; k < dims.size(); ++k)
    if (tensor.shape[k] != dims[k].as.i)
      throw Error(TN_ERROR_SHAPE, "dimension " + std::to_string(k) + " of " + what + " is " +
                                      std::to_string(tensor.shape[k]) + ", not " + std::to_string(dims[k].as.i));
  return {};
}

Value tensor_dim(Activation&, std::span<const TnValue> args) {
  const DLTensor& tensor = expect_tensor(args[0], "the value");
  if (args[1].as.i < 0 || args[1].as.i >= tensor.ndim)
    throw Error(TN_ERROR_SHAPE, "a tensor of " + std::to_string(tensor.ndim) + " dimensions has no dimension " +
                                    std::to_string(args[1].as.i));
  return Value(tensor.shape[args[1].as.i]);
}

Value tensor_ndim(Activation&, std::span<const TnValue> args) {
  return Value(int64_t{expect_tensor(args[0], "the value").ndim});
}

Value make_tuple(Activation& act, std::span<const TnValue> args) {
  for (const TnValue& v : args) keep(v);
  return call([&](TnValue* ret) { return act.machine.program.runtime->array(args.data(), args.size(), ret); });
}

Value tuple_get(Activation&, std::span<const TnValue> args) {
  const Array& tuple = expect_tuple(args[0]);
  if (args[1].as.i < 0 || static_cast<size_t>(args[1].as.i) >= tuple.size())
    throw Error(TN_ERROR_SHAPE,
                "a tuple of " + std::to_string(tuple.size()) + " values has no value " + std::to_string(args[1].as.i));
  return tuple[static_cast<size_t>(args[1].as.i)];
}

Value box(Activation&, std::span<const TnValue> args) { return keep(args[0]); }

// The number in a handle: a boxed scalar, or a tensor of one element.
Value unbox(std::span<const TnValue> args) {
  const TnValue& v = args[0];
  if (v.type_index >= TN_INT && v.type_index <= TN_FLOAT) return Value::share(v);
  if (v.type_index != TN_TENSOR && v.type_index != TN_DLTENSOR)
    throw Error(TN_ERROR_TYPE, "a number is needed, but there is " + type_name(v));
  const DLTensor& tensor = tensor_of(v);
  for (int32_t k = 0; k < tensor.ndim; ++k)
    if (tensor.shape[k] != 1)
      throw Error(TN_ERROR_SHAPE, "a number is needed, but there is a tensor of several elements");
  return with_type(tensor.dtype, [&]<class T>() -> Value {
    std::conditional_t<std::is_same_v<T, bool>, uint8_t, T> element;
    std::memcpy(&element, static_cast<const char*>(tensor.data) + tensor.byte_offset, sizeof element);
    if constexpr (std::is_floating_point_v<T>)
      return Value(static_cast<double>(element));
    else if constexpr (std::is_same_v<T, bool>)
      return Value(element != 0);
    else
      return Value(static_cast<int64_t>(element));
  });
}

Value unbox_int(Activation&, std::span<const TnValue> args) {
  const Value v = unbox(args);
  if (v.is_float()) throw Error(TN_ERROR_TYPE, "an integer is needed, but there is a float");
  return Value(v.as_int());
}
Value unbox_float(Activation&, std::span<const TnValue> args) { return Value(unbox(args).as_float()); }
Value unbox_bool(Activation&, std::span<const TnValue> args) {
  const Value v = unbox(args);
  if (v.is_float()) throw Error(TN_ERROR_TYPE, "a bool is needed, but there is a float");
  return Value(v.as_bool());
}

constexpr Builtin kRows[] = {
    {"tir.alloc_tensor", 1, true, kHandle, &alloc_tensor},
    {"tir.match_tensor", 3, true, kNoResult, &match_tensor},
    {"tir.tensor_dim", 2, false, kInt64, &tensor_dim},
    {"tir.tensor_ndim", 1, false, kInt64, &tensor_ndim},
    {"tir.make_tuple", 0, true, kHandle, &make_tuple},
    {"tir.tuple_get", 2, false, kHandle, &tuple_get},
    {"tir.box", 1, false, kHandle, &box},
    {"tir.unbox_int", 1, false, kInt64, &unbox_int},
    {"tir.unbox_float", 1, false, kFloat64, &unbox_float},
    {"tir.unbox_bool", 1, false, kBool, &unbox_bool},
};

}  // namespace

const Builtin* find_builtin(std::string_view id) {
  for (const Builtin& row : kRows)
    if (id == row.id) return &row;
  return nullptr;
}

const DLTensor& expect_tensor(const TnValue& value, const std::string& what) {
  if (value.type_index != TN_TENSOR && value.type_index != TN_DLTENSOR)
    throw Error(TN_ERROR_TYPE, what + " must be a tensor, but it is " + type_name(value));
  return tensor_of(value);
}

const Instr* set_result(const Instr* i, Scalar* r, Activation& act) {
  try {
    *act.result = keep(*static_cast<const TnValue*>(r[i->a].p));
  } catch (const Error& e) { fail(act, i, e.code, e.message, e.hint); }
  return i + 1;
}

const Instr* tensor_memory(const Instr* i, Scalar* r, Activation& act) {
  const TnValue& value = *static_cast<const TnValue*>(r[i->a].p);
  if (value.type_index != TN_TENSOR && value.type_index != TN_DLTENSOR)
    fail(act, i, TN_ERROR_TYPE, "buffer " + subject_name(act, i) + " views a tensor, but there is " + type_name(value));
  const DLTensor& tensor = tensor_of(value);
  int64_t elements = 1;
  for (int32_t k = tensor.ndim; k-- > 0;) {
    if (tensor.strides && tensor.shape[k] != 1 && tensor.strides[k] != elements)
      fail(act, i, TN_ERROR_SHAPE, "buffer " + subject_name(act, i) + " views a tensor that is not contiguous");
    elements *= tensor.shape[k];
  }
  if (device_type(tensor.device) != kDLCPU)
    fail(act, i, TN_ERROR_DEVICE, "buffer " + subject_name(act, i) + " views a tensor that is not in the CPU's memory");
  r[i->d].p = static_cast<char*>(tensor.data) + tensor.byte_offset;
  r[i->c].i = elements * dtype_bytes(tensor.dtype);
  return i + 1;
}

const Instr* store_handle(const Instr* i, Scalar* r, Activation& act) {
  auto* target = static_cast<Value*>(r[i->d].p);
  try {
    *target = keep(*static_cast<const TnValue*>(r[i->a].p));
  } catch (const Error& e) { fail(act, i, e.code, e.message, e.hint); }
  return i + 1;
}

}  // namespace tenon::interp
