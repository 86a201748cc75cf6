#include "machine.h"

#include <algorithm>
#include <array>

namespace tenon::interp {
namespace {

const Site* find_site(const Activation& act, const Instr* i) {
  const auto pc = static_cast<uint32_t>(i - act.code.instrs.data());
  auto it = std::lower_bound(act.code.sites.begin(), act.code.sites.end(), pc,
                             [](const Site& s, uint32_t at) { return s.pc < at; });
  return it != act.code.sites.end() && it->pc == pc ? &*it : nullptr;
}

// Registers, argument tables and allocations of one activation; everything is given back when it ends.
class Frame {
 public:
  Frame(Machine& machine, const Code& code)
      : machine_(machine),
        registers_(std::make_unique_for_overwrite<Scalar[]>(code.registers.size())),
        allocations_(code.allocation_count),
        slots_(code.slot_count) {
    std::copy(code.registers.begin(), code.registers.end(), registers_.get());
    ++machine_.depth;
  }
  Frame(const Frame&) = delete;
  Frame& operator=(const Frame&) = delete;
  ~Frame() {
    --machine_.depth;
    for (const Allocation& a : allocations_) {
      for (int64_t k = 0; k < a.values; ++k) tn_value_release(static_cast<const TnValue*>(a.memory) + k);
      if (a.memory) machine_.program.runtime->workspace_free(a.memory);
      machine_.bytes_left += a.bytes;
    }
  }
  Scalar* registers() { return registers_.get(); }
  Allocation* allocations() { return allocations_.data(); }
  Value* slots() { return slots_.data(); }

 private:
  Machine& machine_;
  std::unique_ptr<Scalar[]> registers_;
  std::vector<Allocation> allocations_;
  std::vector<Value> slots_;
};

void bind_tensor(const DLTensor& tensor, void* data, const BufferPlace& place, bool strided, Scalar* r) {
  r[place.base].p = r[place.data].p = data;
  int64_t stride = 1, last = 0;
  bool empty = false;
  for (uint32_t k = place.ndim; k-- > 0;) {
    const int64_t step = strided && tensor.strides ? tensor.strides[k] : stride;
    r[place.extent(k)].i = tensor.shape[k];
    r[place.stride(k)].i = step;
    stride *= tensor.shape[k];
    empty |= tensor.shape[k] == 0;
    // A negative stride reaches below the data: no view may be laid over such memory.
    if (tensor.shape[k] > 1) last = step < 0 || last < 0 ? -1 : last + (tensor.shape[k] - 1) * step;
  }
  r[place.bytes].i = empty || last < 0 ? 0 : (last + 1) * dtype_bytes(place.dtype);
}

Scalar scalar_argument(const TnValue& value, DLDataType dtype) {
  return with_type(dtype, [&]<class T>() -> Scalar {
    if constexpr (std::is_floating_point_v<T>)
      return put(static_cast<T>(Value::view(value).as_float()));
    else
      return put(static_cast<T>(value.as.i));
  });
}

}  // namespace

const DLTensor& tensor_of(const TnValue& value) {
  return value.type_index == TN_DLTENSOR ? *static_cast<const DLTensor*>(value.as.p)
                                         : reinterpret_cast<const TnTensor*>(value.as.object)->tensor;
}

Value enter(Machine& machine, const Code& code, const TnValue* args, int32_t n) {
  const Program& program = machine.program;
  if (machine.depth >= program.options.max_depth)
    throw Error(TN_ERROR_LIMIT,
                "calls are nested deeper than " + std::to_string(program.options.max_depth) + " functions",
                "function '" + code.name + "'", "raise the option max_depth of eval-interp, or end the recursion");

  constexpr size_t kInline = 16;
  std::array<void*, kInline> few_data;
  std::array<int64_t, kInline> few_symbols;
  std::vector<void*> many_data;
  std::vector<int64_t> many_symbols;
  void** data = few_data.data();
  int64_t* symbols = few_symbols.data();
  if (code.params.size() > kInline) data = (many_data.resize(code.params.size()), many_data.data());
  if (code.signature.symbols.size() > kInline)
    symbols = (many_symbols.resize(code.signature.symbols.size()), many_symbols.data());
  call([&](TnValue* ret) {
    ret->type_index = TN_NONE;
    return program.runtime->check_arguments(&code.view->raw(), args, n, data, symbols, ret);
  });

  Frame frame(machine, code);
  Scalar* r = frame.registers();
  for (size_t k = 0; k < code.params.size(); ++k) {
    const ParamPlace& p = code.params[k];
    if (p.kind == TN_PARAM_TENSOR)
      bind_tensor(tensor_of(args[k]), data[k], p.buffer, (code.signature.params[k].flags & TN_PARAM_STRIDED) != 0, r);
    else if (p.kind == TN_PARAM_SCALAR)
      r[p.reg] = scalar_argument(args[k], p.dtype);
    else
      r[p.reg].p = const_cast<TnValue*>(&args[k]);
  }
  Value result;
  Activation act{machine, code, frame.allocations(), frame.slots(), &result};
  for (const Instr* i = code.instrs.data(); i;) i = i->run(i, r, act);
  return result;
}

void fail(const Activation& act, const Instr* i, int32_t code, const std::string& message, const std::string& hint) {
  const Site* site = find_site(act, i);
  std::string where = position_text(site ? site->span : nullptr);
  throw Error(code, message, where + (where.empty() ? "function '" : ", function '") + act.code.name + "'", hint);
}

std::string subject_name(const Activation& act, const Instr* i) {
  const Site* site = find_site(act, i);
  if (!site || !site->subject) return "a value";
  const Node& node = Builder::borrow(site->subject);
  if (const auto* buffer = node.as<tir::Buffer>()) return "'" + std::string(buffer->name()) + "'";
  if (const auto* var = node.as<ir::Var>()) return "'" + std::string(var->name()) + "'";
  return "a value";
}

void fail_index(const Activation& act, const Instr* i, uint32_t dim, int64_t index, int64_t extent) {
  fail(act, i, TN_ERROR_CHECK_FAILED,
       "index " + std::to_string(index) + " is out of bounds for dimension " + std::to_string(dim) + " of buffer " +
           subject_name(act, i) + ", whose extent is " + std::to_string(extent),
       "guard the access with a condition or a predicate, or correct the index");
}

void fail_steps(const Activation& act, const Instr* i) {
  fail(act, i, TN_ERROR_LIMIT,
       "the limit of " + std::to_string(act.machine.program.options.max_steps) + " steps was reached",
       "raise the option max_steps of eval-interp (0 for no limit), or end the loop earlier");
}

}  // namespace tenon::interp
