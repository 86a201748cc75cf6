#include <signature/signature.h>
#include <tenon/codegen_plugin.h>

#include <functional>
#include <memory>

using namespace tenon;

struct Plugin : PluginInstance {
  using PluginInstance::PluginInstance;
};

// What a call of a function works on. Expressions and statements become closures over it when a module is loaded.
struct Frame {
  std::vector<int64_t> integers;  // symbols of shapes, then loop variables
  std::vector<float*> buffers;    // the parameters
};
template <class T>
using Closure = std::function<T(Frame&)>;

class Compiler {
 public:
  Compiler(const Builder& b, const std::string& name) : b_(b), name_(name) {}

  size_t define(std::map<const TnNode*, size_t>& table, const Node& n) {
    return table.emplace(n.get(), table.size()).first->second;
  }
  std::map<const TnNode*, size_t> integers, buffers;

  Closure<void> statement(const Node& s) {
    if (const auto* seq = s.as<tir::Seq>()) {
      std::vector<Closure<void>> all;
      for (const Node& one : nodes(seq->stmts())) all.push_back(statement(one));
      return [all](Frame& f) {
        for (const auto& one : all) one(f);
      };
    }
    if (const auto* loop = s.as<tir::For>()) {
      const size_t at = define(integers, loop->loop_var());
      return [at, min = value<int64_t>(loop->min()), extent = value<int64_t>(loop->extent()),
              body = statement(loop->body())](Frame& f) {
        const int64_t first = min(f), n = extent(f);
        for (int64_t i = 0; i < n; ++i) f.integers[at] = first + i, body(f);
      };
    }
    if (const auto* store = s.as<tir::BufferStore>())
      return [to = element(store->buffer(), store->indices()), from = value<float>(store->value())](Frame& f) {
        *to(f) = from(f);
      };
    refuse(s);
  }

 private:
  [[noreturn]] void refuse(const Node& n) const {
    throw Error(TN_ERROR_UNSUPPORTED, "function '" + name_ + "': this executor does not know " +
                                          b_.ir()->schema(b_.ir()->self, n.kind())->id);
  }

  // An expression of float32, or of integers.
  template <class T>
  Closure<T> value(const Node& e) {
    if (std::is_same_v<T, float> ? !same_dtype(e.dtype(), kFloat32) : !is_integer(e.dtype())) refuse(e);
    auto both = [&](const Node& x, const Node& y, auto operation) -> Closure<T> {
      return [a = value<T>(x), b = value<T>(y), operation](Frame& f) { return operation(a(f), b(f)); };
    };
    if (const auto* x = e.as<tir::Add>()) return both(x->a(), x->b(), std::plus<T>());
    if (const auto* x = e.as<tir::Sub>()) return both(x->a(), x->b(), std::minus<T>());
    if (const auto* x = e.as<tir::Mul>()) return both(x->a(), x->b(), std::multiplies<T>());
    if constexpr (std::is_same_v<T, float>) {
      if (const auto* x = e.as<ir::FloatImm>()) return [v = static_cast<float>(x->value())](Frame&) { return v; };
      if (const auto* x = e.as<tir::BufferLoad>())
        return [from = element(x->buffer(), x->indices())](Frame& f) { return *from(f); };
    } else {
      if (const auto* x = e.as<ir::IntImm>()) return [v = x->value()](Frame&) { return v; };
      if (integers.contains(e.get())) return [at = integers[e.get()]](Frame& f) { return f.integers[at]; };
    }
    refuse(e);
  }

  Closure<float*> element(const Node& buffer, const Array& indices) {
    const auto& b = buffer.to<tir::Buffer>();
    if (!buffers.contains(buffer.get()) || indices.size() != b.shape().size()) refuse(buffer);
    std::vector<Closure<int64_t>> at, extents;
    for (const Node& i : nodes(indices)) at.push_back(value<int64_t>(i));
    for (const Node& n : nodes(b.shape())) extents.push_back(value<int64_t>(n));
    return [at, extents, which = buffers[buffer.get()]](Frame& f) {
      int64_t offset = 0;
      for (size_t d = 0; d < at.size(); ++d) offset = offset * extents[d](f) + at[d](f);
      return f.buffers[which] + offset;
    };
  }

  const Builder& b_;
  std::string name_;
};

// A function, callable from any thread for as long as somebody holds it.
struct Callable {
  Callable(const TnRuntime* rt, FunctionSignature s, size_t n, Closure<void> f)
      : runtime(rt), signature(std::move(s)), view(signature), integers(n), body(std::move(f)) {}

  const TnRuntime* runtime;
  FunctionSignature signature;
  SignatureView view;  // of `signature`
  size_t integers;
  Closure<void> body;

  static int call(void* self, const TnValue* args, int32_t n, TnValue* ret) {
    auto& c = *static_cast<Callable*>(static_cast<TnFunction*>(self)->context);
    return guard(c.runtime, ret, [&]() -> Value {
      std::vector<void*> data(c.signature.params.size());
      Frame f{std::vector<int64_t>(c.integers), {}};
      tenon::call([&](TnValue* r) {
        return c.runtime->check_arguments(&c.view.raw(), args, n, data.data(), f.integers.data(), r);
      });
      for (void* p : data) f.buffers.push_back(static_cast<float*>(p));
      c.body(f);
      return {};
    });
  }
};

static Value load(Plugin& self, const CallArgs&, const Node& node, const Map&) {
  const Builder& b = self.builder();
  const auto& module = node.to<ir::Module>();
  const WrittenParams written = find_written_params(b, module);
  Builder::Entries functions;
  for (const Map::Entry& e : module.functions()) {
    const std::string name(e.key());
    const auto* f = as_node(e.value()).as<tir::PrimFunc>();
    if (!f) throw Error(TN_ERROR_UNSUPPORTED, "'" + name + "' is no loop function");
    if (!f->attrs().find("global_symbol")) continue;  // private
    Compiler compiler(b, name);
    FunctionSignature signature = function_signature(name, *f, written.find(name)->second);
    for (const Node& symbol : signature.symbols) compiler.define(compiler.integers, symbol);
    for (const Node& p : nodes(f->params())) compiler.define(compiler.buffers, p);
    Closure<void> body = compiler.statement(f->body());
    auto callable =
        std::make_unique<Callable>(b.runtime(), std::move(signature), compiler.integers.size(), std::move(body));
    functions.emplace_back(name, call([&](TnValue* r) {
                             return b.runtime()->function(
                                 &Callable::call, callable.get(), [](void* p) { delete static_cast<Callable*>(p); }, r);
                           }));
    callable.release();
  }
  return b.map(functions);
}

static constexpr auto executor_table = executor<Plugin, &load>();
TENON_PLUGIN(Plugin, executor_table)
