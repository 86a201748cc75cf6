// Calls of functions of the module and of external functions: buffers travel as borrowed tensors.
#include "builtins.h"
#include "graph.h"
#include "handlers.h"
#include "tensors.h"

namespace tenon::interp {
namespace {

// The argument values of one call and the tensors that they point to.
class Arguments {
 public:
  Arguments(const CallSite& site, const Scalar* r) {
    size_t dims = 0, buffers = 0;
    for (const CallArgument& a : site.args) {
      if (a.kind != CallArgument::Buffer) continue;
      dims += a.buffer.ndim;
      ++buffers;
    }
    numbers_.reserve(2 * dims);
    tensors_.reserve(buffers);
    values_.reserve(site.args.size());
    for (const CallArgument& a : site.args) add(a, r);
  }
  const TnValue* data() const { return values_.data(); }
  int32_t size() const { return static_cast<int32_t>(values_.size()); }

 private:
  void add(const CallArgument& a, const Scalar* r) {
    TnValue v{TN_NONE, 0, {0}};
    switch (a.kind) {
      case CallArgument::Buffer:
        v.type_index = TN_DLTENSOR;
        v.as.p = tensor(a.buffer, r);
        break;
      case CallArgument::Number: v = number(r[a.reg], a.dtype); break;
      case CallArgument::Text:
        v.type_index = TN_C_STRING;
        v.as.s = a.text.c_str();
        break;
      case CallArgument::Handle: v = *static_cast<const TnValue*>(r[a.reg].p); break;
    }
    values_.push_back(v);
  }
  static TnValue number(Scalar s, DLDataType dtype) {
    TnValue v{TN_INT, 0, {s.i}};
    if (is_bool(dtype)) v.type_index = TN_BOOL;
    if (is_floating(dtype)) {
      v.type_index = TN_FLOAT;
      v.as.f = dtype.bits == 32 ? static_cast<double>(s.f) : s.d;
    }
    return v;
  }
  DLTensor* tensor(const BufferPlace& place, const Scalar* r) {
    const size_t at = numbers_.size();
    for (uint32_t k = 0; k < place.ndim; ++k) numbers_.push_back(r[place.extent(k)].i);
    for (uint32_t k = 0; k < place.ndim; ++k) numbers_.push_back(r[place.stride(k)].i);
    DLTensor t{};
    t.data = r[place.base].p;
    t.device = {kDLCPU, 0};
    t.ndim = static_cast<int32_t>(place.ndim);
    t.dtype = place.dtype;
    t.shape = numbers_.data() + at;
    t.strides = t.shape + place.ndim;
    tensors_.push_back(t);
    return &tensors_.back();
  }

  std::vector<int64_t> numbers_;
  std::vector<DLTensor> tensors_;
  std::vector<TnValue> values_;
};

Scalar result_of(const Activation& act, const Instr* i, const CallSite& site, const TnValue& value) {
  const bool floats = is_floating(site.result);
  bool accepted = value.type_index == TN_INT || value.type_index == TN_BOOL || (floats && value.type_index == TN_FLOAT);
  Scalar s{};
  if (accepted)
    s = with_type(site.result, [&]<class T>() -> Scalar {
      if constexpr (std::is_floating_point_v<T>) {
        return put(static_cast<T>(value.type_index == TN_FLOAT ? value.as.f : static_cast<double>(value.as.i)));
      } else if constexpr (std::is_same_v<T, bool>) {
        return put(value.as.i != 0);
      } else {
        accepted = static_cast<int64_t>(static_cast<T>(value.as.i)) == value.as.i;
        return put(static_cast<T>(value.as.i));
      }
    });
  if (!accepted)
    fail(act, i, TN_ERROR_TYPE, "'" + site.name + "' returned a value that is not a " + dtype_text(site.result),
         "let it return a number of that type, or correct the dtype of the call");
  return s;
}

// Puts the result of a call where its users look for it.
void keep_result(Activation& act, const Instr* i, Scalar* r, const CallSite& site, Value result) {
  if (site.result.bits == 0) return;
  if (is_handle(site.result)) {
    act.slots[site.slot] = std::move(result);
    r[i->d].p = const_cast<TnValue*>(act.slots[site.slot].ptr());
  } else {
    r[i->d] = result_of(act, i, site, result.raw());
  }
}

// What a function was lent ends with the call: a tensor that it gives back is copied.
Value owned(Activation& act, const Instr* i, const CallSite& site, const Value& borrowed) {
  try {
    const DLTensor& from = tensor_of(borrowed.raw());
    Value made = fresh_tensor(act.machine, from.dtype, {from.shape, from.shape + from.ndim});
    copy_tensor(from, tensor_of(made.raw()), "the result of '" + site.name + "'");
    return made;
  } catch (const Error& e) { fail(act, i, e.code, e.message, e.hint); }
}

}  // namespace

const Instr* call_function(const Instr* i, Scalar* r, Activation& act) {
  const CallSite& site = act.code.calls[i->a];
  count_step(act, i);
  const Arguments args(site, r);
  if (site.graph) {
    enter_graph_with_outputs(act.machine, *site.graph, args.data(), args.size());
    return i + 1;
  }
  keep_result(act, i, r, site, enter(act.machine, *site.callee, args.data(), args.size()));
  return i + 1;
}

const Instr* call_import(const Instr* i, Scalar* r, Activation& act) {
  const CallSite& site = act.code.calls[i->a];
  count_step(act, i);
  const Arguments args(site, r);
  TnFunction* function = const_cast<TnFunction*>(site.import.get());
  Value result = call([&](TnValue* ret) { return function->call(function, args.data(), args.size(), ret); });
  if (is_handle(site.result) && result.type_index() == TN_DLTENSOR) result = owned(act, i, site, result);
  keep_result(act, i, r, site, std::move(result));
  return i + 1;
}

const Instr* call_builtin(const Instr* i, Scalar* r, Activation& act) {
  const CallSite& site = act.code.calls[i->a];
  const Arguments args(site, r);
  Value result;
  try {
    result = site.builtin->run(act, {args.data(), static_cast<size_t>(args.size())});
  } catch (const Error& e) { fail(act, i, e.code, e.message, e.hint); }
  keep_result(act, i, r, site, std::move(result));
  return i + 1;
}

}  // namespace tenon::interp
