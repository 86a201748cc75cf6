#include "corpus.h"

#include <tenon/cxx/numbers.h>

#include <random>

namespace tenon::conformance {

namespace {

struct Text {
  const char* name;
  const char* text;
};

constexpr Text kGraph[] = {
    {"arithmetic", R"(@R.function
def main(x: R.Tensor((4, 6), "float32"), y: R.Tensor((4, 6), "float32")):
    with R.dataflow():
        a = R.add(x, y)
        b = R.multiply(a, x)
        c = R.subtract(b, y)
        R.output(c)
    return c
)"},
    {"dense", R"(@R.function
def main(x: R.Tensor(("n", 8), "float32"), w: R.Tensor((8, 12), "float32"), bias: R.Tensor((12,), "float32")):
    with R.dataflow():
        p = R.matmul(x, w)
        s = R.add(p, bias)
        r = R.nn.relu(s)
        m = R.nn.softmax(r, axis=-1)
        R.output(m)
    return m
)"},
    {"convolution", R"(@R.function
def main(x: R.Tensor((1, 3, 6, 6), "float32"), w: R.Tensor((4, 3, 3, 3), "float32")):
    with R.dataflow():
        c = R.nn.conv2d(x, w, padding=[1, 1, 1, 1])
        r = R.nn.relu(c)
        p = R.nn.max_pool2d(r, pool_size=[2, 2], strides=[2, 2])
        f = R.flatten(p, axis=1)
        R.output(f)
    return f
)"},
    {"two results", R"(@R.function
def main(x: R.Tensor(("n", "m"), "float32")):
    n, m = T.int64(), T.int64()
    flat = R.reshape(x, R.shape([n * m]))
    twice = R.concat((flat, flat), axis=0)
    k = R.multiply(R.const(2.0, "float32"), R.const(3.0, "float32"))
    scaled = R.multiply(twice, k)
    sums = R.sum(x, axis=[1])
    unused = R.exp(sums)
    return (scaled, sums)
)"},
    {"levels", R"(@I.ir_module
class Module:
    @T.prim_func(private=True)
    def scale(x: T.handle, y: T.handle):
        n = T.int64()
        X = T.match_buffer(x, (n, 4), "float32")
        Y = T.match_buffer(y, (n, 4), "float32")
        for i, j in T.grid(n, 4):
            with T.block("scale"):
                vi, vj = T.axis.remap("SS", [i, j])
                Y[vi, vj] = X[vi, vj] * T.float32(3)

    @R.function
    def main(x: R.Tensor(("n", 4), "float32"), flag: R.Tensor((), "bool")):
        n = T.int64()
        if flag:
            a = R.call_tir(Module.scale, (x,), out_sinfo=R.Tensor((n, 4), "float32"))
            y = a
        else:
            c = R.negative(x)
            y = c
        return y
)"},
};

constexpr Text kLoop[] = {
    {"vector add", R"(@T.prim_func
def main(a: T.handle, b: T.handle, c: T.handle):
    n = T.int64()
    A = T.match_buffer(a, (n,), "float32")
    B = T.match_buffer(b, (n,), "float32")
    C = T.match_buffer(c, (n,), "float32")
    for i in range(n):
        with T.block("add"):
            vi = T.axis.spatial(n, i)
            C[vi] = A[vi] + B[vi]
)"},
    {"matmul", R"(@T.prim_func
def main(a: T.handle, b: T.handle, c: T.handle):
    n, m = T.int64(), T.int64()
    A = T.match_buffer(a, (n, 7), "float32")
    B = T.match_buffer(b, (7, m), "float32")
    C = T.match_buffer(c, (n, m), "float32")
    for i, j, l in T.grid(n, m, 7):
        with T.block("matmul"):
            vi, vj, vl = T.axis.remap("SSR", [i, j, l])
            with T.init():
                C[vi, vj] = T.float32(0)
            C[vi, vj] = C[vi, vj] + A[vi, vl] * B[vl, vj]
)"},
    {"plain loops", R"(@T.prim_func
def main(A: T.Buffer((6, 16), "float32"), B: T.Buffer((6, 16), "float32")):
    for i in T.parallel(6):
        for j in T.vectorized(8):
            B[i, j + 0] = A[i, j] * T.float32(3)
        for j in T.unroll(2):
            for k in range(4):
                B[i, 8 + j * 4 + k] = T.exp(A[i, 8 + j * 4 + k])
)"},
    {"integers", R"(@T.prim_func
def main(a: T.handle, out_handle: T.handle):
    n = T.int64()
    A = T.match_buffer(a, (n,), "int32")
    out = T.match_buffer(out_handle, (4, n), "int32")
    for i in range(n):
        out[0, i] = A[i] // 3
        out[1, i] = A[i] % 5
        out[2, i] = T.Select(A[i] > 1, A[i] * A[i], T.bitwise_and(A[i], 255))
        if i % 2 == 0:
            out[3, i] = T.truncdiv(A[i], 2)
        else:
            out[3, i] = T.Cast("int32", T.Cast("int8", A[i]))
)"},
    {"argmax", R"(@T.prim_func
def main(a: T.handle, index_handle: T.handle, value_handle: T.handle):
    n, m = T.int64(), T.int64()
    A = T.match_buffer(a, (n, m), "int32")
    index = T.match_buffer(index_handle, (n,), "int64")
    value = T.match_buffer(value_handle, (n,), "int32")
    for i, j in T.grid(n, m):
        with T.block("argmax"):
            vi, vj = T.axis.remap("SR", [i, j])
            with T.init():
                index[vi] = T.int64(-1)
                value[vi] = T.min_value("int32")
            better: T.bool = A[vi, vj] > value[vi] or index[vi] < T.int64(0)
            index[vi] = T.Select(better, vj, index[vi])
            value[vi] = T.Select(better, A[vi, vj], value[vi])
)"},
};

template <size_t n>
std::vector<Program> parsed(const Subject& subject, const Text (&rows)[n]) {
  std::vector<Program> out;
  for (const Text& row : rows) try {
      out.push_back({row.name, subject.session().parse(row.text, std::string(row.name) + ".py")});
    } catch (const Error&) {}  // its operators are not installed
  return out;
}

const DLTensor& tensor_of(const Value& v) { return reinterpret_cast<const TnTensor*>(v.raw().as.object)->tensor; }

Value tensor(const Builder& b, DLDataType dtype, const std::vector<int64_t>& shape, uint64_t seed) {
  Value t = call([&](TnValue* ret) {
    return b.runtime()->tensor({kDLCPU, 0}, dtype, static_cast<int32_t>(shape.size()), shape.data(), ret);
  });
  numbers::Random random{seed * 7919};
  const DLTensor& raw = tensor_of(t);
  for (int64_t i = 0, n = element_count(raw); i < n; ++i) {
    double u = random.unit();
    set_element(raw, i,
                is_floating(dtype) ? 0.25 + 2 * u
                : is_bool(dtype)   ? (u < 0.5)
                                   : static_cast<double>(static_cast<int>(1 + 4 * u)));
  }
  return t;
}

std::vector<int64_t> extents(const Builder& b, const Array& shape, int64_t symbol_size) {
  std::vector<int64_t> out;
  for (const Node& e : nodes(shape)) {
    std::vector<Value> from, to;
    b.walk(Value(e), [&](const Node& n) {
      if (n.is<ir::Var>()) from.push_back(Value(n)), to.push_back(Value(b.imm(symbol_size, n.dtype())));
    });
    Node known = from.empty() ? e : as_node(b.substitute(Value(e), b.array(from), b.array(to)));
    const std::function<int64_t(const Node&)> value = [&](const Node& n) -> int64_t {
      if (const auto* i = n.as<ir::IntImm>()) return i->value();
      if (const auto* x = n.as<tir::Add>()) return value(x->a()) + value(x->b());
      if (const auto* x = n.as<tir::Mul>()) return value(x->a()) * value(x->b());
      if (const auto* x = n.as<tir::Sub>()) return value(x->a()) - value(x->b());
      throw Error(TN_ERROR_UNSUPPORTED, "an extent cannot be chosen");
    };
    out.push_back(value(known));
  }
  return out;
}

}  // namespace

std::vector<Program> graph_programs(const Subject& subject) { return parsed(subject, kGraph); }
std::vector<Program> loop_programs(const Subject& subject) { return parsed(subject, kLoop); }

Program random_program(const Subject& subject, uint64_t seed, bool rich) {
  struct Row {
    const char* before;
    bool binary;
  };
  constexpr Row rows[] = {{"R.add(", true},     {"R.subtract(", true}, {"R.multiply(", true}, {"R.maximum(", true},
                          {"R.minimum(", true}, {"R.tanh(", false},    {"R.nn.relu(", false}, {"R.abs(", false}};
  std::mt19937_64 random(seed);
  auto pick = [&](uint64_t n) { return random() % n; };
  const std::string type =
      "R.Tensor((" + std::to_string(1 + pick(4)) + ", " + std::to_string(1 + pick(9)) + "), \"float32\")";
  std::vector<std::string> values;
  std::string head, body;
  for (uint64_t i = 0, n = 1 + pick(3); i < n; ++i) {
    values.push_back("p" + std::to_string(i));
    head += (i ? ", " : "") + values.back() + ": " + type;
  }
  for (uint64_t k = 0, n = 1 + pick(6); k < n; ++k) {
    const Row& row = rows[pick(rich ? std::size(rows) : 3)];
    std::string value = std::string(row.before) + values[pick(values.size())];
    if (row.binary) value += ", " + values[pick(values.size())];
    values.push_back("v" + std::to_string(k));
    body += "        " + values.back() + " = " + value + ")\n";
  }
  std::string text = "@R.function\ndef main(" + head + "):\n    with R.dataflow():\n" + body + "        R.output(" +
                     values.back() + ")\n    return " + values.back() + "\n";
  const std::string name = "random " + std::to_string(seed);
  return {name, subject.session().parse(text, name)};
}

std::vector<Program> sample_programs(const Subject& subject) {
  std::vector<Program> out;
  for (const std::string& path : subject.options().samples) {
    if (!path.ends_with(".py")) continue;
    std::string text;
    if (FILE* f = std::fopen(path.c_str(), "rb")) {
      char buffer[4096];
      for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, f)) > 0;) text.append(buffer, n);
      std::fclose(f);
    } else {
      throw Error(TN_ERROR_IO, "cannot read the sample", path);
    }
    out.push_back({path.substr(path.rfind('/') + 1), subject.session().parse(text, path)});
  }
  return out;
}

std::vector<Program> states_of(const Subject& subject, const Program& program) {
  const Builder& b = subject.b();
  std::string kind(subject.session().target().find("kind")->as_string());
  std::vector<Program> out;
  struct Seen {
    std::vector<Program>* out;
    std::string prefix;
    const TnRuntime* runtime;
  } seen{&out, program.name + " after ", b.runtime()};
  Value on_pass = call([&](TnValue* ret) {
    return b.runtime()->function(
        [](void* self, const TnValue* args, int32_t, TnValue* r) {
          auto* s = static_cast<Seen*>(static_cast<TnFunction*>(self)->context);
          return guard(s->runtime, r, [&]() -> Value {
            const Map& record = Value::view(args[0]).ref<Map>();
            Node after = as_node(Value::view(args[2]));
            if (record.find("changed")->as_bool())
              s->out->push_back({s->prefix + std::string(record.find("pass")->as_string()), after});
            return {};
          });
        },
        &seen, nullptr, ret);
  });
  try {
    subject.session().run_pipeline(program.module, b.string(kind), b.map({{"on_pass", on_pass}}));
  } catch (const Error&) {}  // what came before is there
  return out;
}

Node main_of(const Node& module) {
  const Map& functions = module.to<ir::Module>().functions();
  if (const Value* f = functions.find("main")) return as_node(*f);
  throw Error(TN_ERROR_NOT_FOUND, "the module has no function main");
}

std::vector<Value> make_inputs(const Builder& b, const Node& function, int64_t symbol_size) {
  std::vector<Value> out;
  uint64_t seed = 1;
  const bool is_loop = function.is<tir::PrimFunc>();
  const Array& params = is_loop ? function.to<tir::PrimFunc>().params() : function.to<relax::Function>().params();
  for (const Node& p : nodes(params)) {
    ++seed;
    if (const auto* buffer = p.as<tir::Buffer>()) {
      out.push_back(tensor(b, buffer->dtype(), extents(b, buffer->shape(), symbol_size), seed));
      continue;
    }
    const Value& type = p.slot(0);
    if (type.is_dtype()) {
      out.push_back(is_floating(type.as_dtype()) ? Value(0.5) : Value(symbol_size));
      continue;
    }
    const auto* t = type.is_node() ? as_node(type).as<relax::TensorType>() : nullptr;
    if (!t || !t->shape().is_array() || !t->dtype().is_dtype())
      throw Error(TN_ERROR_UNSUPPORTED, "inputs cannot be made for a parameter");
    out.push_back(tensor(b, t->dtype().as_dtype(), extents(b, t->shape().ref<Array>(), symbol_size), seed));
  }
  return out;
}

Value copy_of(const Builder& b, const Value& v) {
  if (v.type_index() != TN_TENSOR) return v;
  const DLTensor& t = tensor_of(v);
  Value copy = call([&](TnValue* ret) { return b.runtime()->tensor({kDLCPU, 0}, t.dtype, t.ndim, t.shape, ret); });
  std::memcpy(tensor_of(copy).data, static_cast<const char*>(t.data) + t.byte_offset,
              static_cast<size_t>(element_count(t) * dtype_bytes(t.dtype)));
  return copy;
}

std::vector<Value> outcome_of(const Builder& b, const Value& function, const std::vector<Value>& inputs) {
  std::vector<Value> args, out;
  for (const Value& v : inputs) args.push_back(copy_of(b, v));
  Value result = call_function(function, args);
  if (result.is_array())
    for (const Value& v : result.ref<Array>()) out.push_back(v);
  else if (!result.is_none())
    out.push_back(result);
  for (const Value& v : args) out.push_back(v);
  return out;
}

std::string difference(const std::vector<Value>& due, const std::vector<Value>& got) {
  if (due.size() != got.size())
    return std::to_string(got.size()) + " values where " + std::to_string(due.size()) + " are due";
  for (size_t i = 0; i < due.size(); ++i) {
    const std::string which = "value " + std::to_string(i);
    if (due[i].type_index() != got[i].type_index()) return which + " is of another kind";
    if (due[i].type_index() != TN_TENSOR) continue;
    const DLTensor &x = tensor_of(due[i]), &y = tensor_of(got[i]);
    if (shape_text(x) != shape_text(y)) return which + " is " + shape_text(y) + " where " + shape_text(x) + " is due";
    const double epsilon = !is_floating(x.dtype) ? 0 : x.dtype.bits == 64 ? 1e-11 : x.dtype.bits == 32 ? 2e-5 : 2e-2;
    double greatest = 1e-30;
    for (int64_t e = 0, n = element_count(x); e < n; ++e)
      if (double v = std::fabs(element(x, e)); std::isfinite(v)) greatest = std::max(greatest, v);
    for (int64_t e = 0, n = element_count(x); e < n; ++e) {
      double a = element(x, e), c = element(y, e);
      if (a == c || (std::isnan(a) && std::isnan(c)) || std::fabs(a - c) <= epsilon * greatest) continue;
      return which + " of " + shape_text(x) + " is " + std::to_string(c) + " at element " + std::to_string(e) +
             " where " + std::to_string(a) + " is due";
    }
  }
  return "";
}

}  // namespace tenon::conformance
