#include "registry/worker/slots.h"

#include <filesystem>

#include "diag/sha256.h"
#include "ir/constant_store.h"
#include "ir/kind_table.h"
#include "registry/worker/exchange.h"
#include "tenon/ext/codegen.h"
#include "tenon/ext/draft/kind.h"
#include "tenon/ext/draft/partitioner.h"
#include "tenon/ext/frontend.h"
#include "tenon/ext/linker.h"
#include "tenon/ext/op.h"
#include "tenon/ext/pass.h"

namespace tenon::worker {

namespace {

enum SlotNumber : int64_t {
  kRunModule,
  kRunFunction,
  kInferType,
  kCompute,
  kEvaluate,
  kGenerate,
  kLink,
  kImport,
  kDecide,
  kLower,
  kSlots
};

// ---- Arguments, as the worker reads them

const TnNode* node_at(const Invocation& i, size_t n) {
  return n < i.args.size() && i.args[n].is_node() ? as_node(i.args[n]).get() : nullptr;
}
std::string text_at(const Invocation& i, size_t n) {
  return n < i.args.size() ? std::string(i.args[n].as_string()) : std::string();
}
const TnValue* value_at(const Invocation& i, size_t n) {
  static const TnValue none{TN_NONE, 0, {0}};
  return n < i.args.size() ? i.args[n].ptr() : &none;
}
template <class Table>
const Table* table_of(const Invocation& i) {
  return static_cast<const Table*>(i.table);
}
void require(bool present, const char* slot) {
  if (!present) throw Error(TN_ERROR_PLUGIN, std::string("its plugin has no slot ") + slot);
}

Value run_module(const Invocation& i) {
  auto* t = table_of<TnPass>(i);
  require(TN_HAS(t, run_module), "run_module, which passes of level module need");
  std::string pass = text_at(i, 0);
  return call([&](TnValue* ret) {
    return t->run_module(i.instance, i.context, pass.c_str(), node_at(i, 1), value_at(i, 2), ret);
  });
}
Value run_function(const Invocation& i) {
  auto* t = table_of<TnPass>(i);
  require(TN_HAS(t, run_function), "run_function, which passes of level loop and graph need");
  std::string pass = text_at(i, 0), name = text_at(i, 1);
  return call([&](TnValue* ret) {
    return t->run_function(i.instance, i.context, pass.c_str(), name.c_str(), node_at(i, 2), value_at(i, 3), ret);
  });
}
Value infer_type(const Invocation& i) {
  auto* t = table_of<TnOp>(i);
  require(TN_HAS(t, infer_type), "infer_type");
  return call([&](TnValue* ret) { return t->infer_type(i.instance, i.context, node_at(i, 0), ret); });
}
Value compute(const Invocation& i) {
  auto* t = table_of<TnOp>(i);
  require(TN_HAS(t, compute), "compute");
  return call([&](TnValue* ret) { return t->compute(i.instance, i.context, node_at(i, 0), ret); });
}
Value evaluate(const Invocation& i) {
  auto* t = table_of<TnOp>(i);
  require(TN_HAS(t, evaluate), "evaluate");
  std::vector<Value> values;
  for (size_t n = 1; n < i.args.size(); ++n) values.push_back(unpack_tensor(i.b, i.args[n]));
  return call([&](TnValue* ret) {
    return t->evaluate(i.instance, i.context, node_at(i, 0), reinterpret_cast<const TnValue*>(values.data()),
                       static_cast<int32_t>(values.size()), ret);
  });
}
Value generate(const Invocation& i) {
  auto* t = table_of<TnCodegen>(i);
  require(TN_HAS(t, generate), "generate");
  return call([&](TnValue* ret) { return t->generate(i.instance, i.context, node_at(i, 0), value_at(i, 1), ret); });
}
Value link(const Invocation& i) {
  auto* t = table_of<TnLinker>(i);
  require(TN_HAS(t, link), "link");
  std::string output = text_at(i, 1);
  return call([&](TnValue* ret) { return t->link(i.instance, i.context, value_at(i, 0), output.c_str(), ret); });
}

Value decide(const Invocation& i) {
  auto* t = table_of<TnPartitioner>(i);
  require(TN_HAS(t, decide), "decide");
  std::string pattern = text_at(i, 0);
  return call([&](TnValue* ret) { return t->decide(i.instance, i.context, pattern.c_str(), node_at(i, 1), ret); });
}
Value lower(const Invocation& i) {
  auto* t = table_of<TnKind>(i);
  require(TN_HAS(t, lower), "lower");
  return call([&](TnValue* ret) { return t->lower(i.instance, i.context, node_at(i, 0), ret); });
}

// A model as the worker sees it: its bytes are mapped here, constants are the host's.
struct RemoteSource {
  const Invocation& i;
  Value ask(std::initializer_list<Value> question) const { return i.ask(i.b.array(question)); }
  static int view(void* self, uint64_t offset, uint64_t size, TnValue* ret) {
    auto* s = static_cast<RemoteSource*>(self);
    return guard(s->i.b.runtime(), ret, [&] {
      return s->ask({s->i.b.string("view"), Value(static_cast<int64_t>(offset)), Value(static_cast<int64_t>(size))});
    });
  }
  static int external(void* self, const char* name, uint64_t offset, uint64_t size, TnValue* ret) {
    auto* s = static_cast<RemoteSource*>(self);
    return guard(s->i.b.runtime(), ret, [&] {
      return s->ask({s->i.b.string("external"), s->i.b.string(name), Value(static_cast<int64_t>(offset)),
                     Value(static_cast<int64_t>(size))});
    });
  }
  static int constant(void* self, const char* input, TnValue* ret) {
    auto* s = static_cast<RemoteSource*>(self);
    return guard(s->i.b.runtime(), ret,
                 [&] { return unpack_tensor(s->i.b, s->ask({s->i.b.string("constant"), s->i.b.string(input)})); });
  }
};
Value import(const Invocation& i) {
  auto* t = table_of<TnFrontend>(i);
  require(TN_HAS(t, import), "import");
  if (i.args.size() < 3 || i.args[1].type_index() != TN_CONSTANT)
    throw Error(TN_ERROR_INTERNAL, "a model arrived without its bytes");
  auto* bytes = reinterpret_cast<const TnConstant*>(i.args[1].raw().as.object);
  std::string name = text_at(i, 0);
  RemoteSource remote{i};
  TnModelSource source{sizeof(TnModelSource),
                       &remote,
                       name.c_str(),
                       static_cast<const char*>(bytes->data),
                       bytes->size,
                       &RemoteSource::view,
                       &RemoteSource::external,
                       &RemoteSource::constant};
  return call([&](TnValue* ret) { return t->import(i.instance, i.context, &source, value_at(i, 2), ret); });
}

constexpr SlotRow kRows[kSlots] = {{TN_PASS, "run_module", &run_module}, {TN_PASS, "run_function", &run_function},
                                   {TN_OP, "infer_type", &infer_type},   {TN_OP, "compute", &compute},
                                   {TN_OP, "evaluate", &evaluate},       {TN_CODEGEN, "generate", &generate},
                                   {TN_LINKER, "link", &link},           {TN_FRONTEND, "import", &import},
                                   {TN_PARTITIONER, "decide", &decide},  {TN_KIND, "lower", &lower}};

// ---- The tables that stand in

template <class F>
int forward(void* instance, TnValue* ret, F&& make_request) {
  auto* f = static_cast<Forwarder*>(instance);
  return guard(f->builder().runtime(), ret, [&]() -> Value { return f->forward(make_request(*f, f->builder())); });
}
Value node(const TnNode* n) { return Value(Builder::borrow(n)); }
Value options_value(const TnValue* v) { return v ? Value::share(*v) : Value(); }
std::string op_of(const TnNode* n) {
  const auto* c = Builder::borrow(n).as<ir::Call>();
  const auto* op = c ? c->op().as<ir::Op>() : nullptr;
  return op ? "operator " + std::string(op->id()) : "an operator";
}
std::string absolute(std::string_view path) {
  std::error_code error;
  std::filesystem::path whole = std::filesystem::absolute(path, error);
  return error ? std::string(path) : whole.string();
}

constexpr TnPass kPass = {
    sizeof(TnPass),
    [](void* self, const TnContext* c, const char* pass, const TnNode* module, const TnValue* options,
       TnValue* ret) -> int {
      return forward(self, ret, [&](Forwarder&, const Builder& b) {
        return Request{
            kRunModule, {b.string(pass), node(module), options_value(options)}, std::string("pass ") + pass, c, {}};
      });
    },
    [](void* self, const TnContext* c, const char* pass, const char* name, const TnNode* function,
       const TnValue* options, TnValue* ret) -> int {
      return forward(self, ret, [&](Forwarder&, const Builder& b) {
        return Request{kRunFunction,
                       {b.string(pass), b.string(name), node(function), options_value(options)},
                       std::string("pass ") + pass,
                       c,
                       {}};
      });
    }};

constexpr TnOp kOp = {
    sizeof(TnOp),
    [](void* self, const TnContext* c, const TnNode* n, TnValue* ret) -> int {
      return forward(self, ret,
                     [&](Forwarder&, const Builder&) { return Request{kInferType, {node(n)}, op_of(n), c, {}}; });
    },
    [](void* self, const TnContext* c, const TnNode* n, TnValue* ret) -> int {
      return forward(self, ret,
                     [&](Forwarder&, const Builder&) { return Request{kCompute, {node(n)}, op_of(n), c, {}}; });
    },
    [](void* self, const TnContext* c, const TnNode* n, const TnValue* args, int32_t count, TnValue* ret) -> int {
      auto* f = static_cast<Forwarder*>(self);
      return guard(f->builder().runtime(), ret, [&]() -> Value {
        std::vector<Value> values{node(n)};
        for (int32_t i = 0; i < count; ++i) values.push_back(f->pack(Value::view(args[i])));
        return unpack_tensor(f->builder(), f->forward({kEvaluate, std::move(values), op_of(n), c, {}}));
      });
    }};

constexpr TnCodegen kCodegen = {
    sizeof(TnCodegen),
    [](void* self, const TnContext* c, const TnNode* module, const TnValue* options, TnValue* ret) -> int {
      return forward(self, ret, [&](Forwarder&, const Builder&) {
        return Request{kGenerate, {node(module), options_value(options)}, "code generation", c, {}};
      });
    }};

constexpr TnLinker kLinker = {
    sizeof(TnLinker),
    [](void* self, const TnContext* c, const TnValue* objects, const char* output, TnValue* ret) -> int {
      return forward(self, ret, [&](Forwarder&, const Builder& b) {
        std::vector<Value> files;
        for (const Value& object : Value::view(*objects).ref<Array>())
          files.push_back(b.string(absolute(object.as_string())));
        return Request{kLink, {b.array(files), b.string(absolute(output))}, "linking", c, {}};
      });
    }};

// The model as a constant that nobody refers to by its content: hashing a large file would take longer than reading it.
Value model_bytes(const TnModelSource& source) {
  std::string path = absolute(source.name);
  std::string key = digest_text(sha256("model:" + path + ":" + std::to_string(source.data_size) + ":" +
                                       std::to_string(reinterpret_cast<uintptr_t>(source.data))));
  try {
    return Value(constant_from_file(path, 0, source.data_size, key));
  } catch (const Error&) { return Value(constant_from_bytes(source.data, source.data_size)); }
}

Value answer_source(Forwarder& f, const TnModelSource& source, const Array& q) {
  auto size = [&](size_t i) { return i < q.size() && q[i].is_int() ? static_cast<uint64_t>(q[i].as_int()) : 0; };
  auto name = [&](size_t i) { return i < q.size() ? std::string(q[i].as_string()) : std::string(); };
  std::string_view what = q.empty() ? std::string_view() : q[0].as_string();
  return call([&](TnValue* ret) -> int {
    if (what == "view") return source.view(source.self, size(1), size(2), ret);
    if (what == "external") return source.external(source.self, name(1).c_str(), size(2), size(3), ret);
    if (what == "constant") {
      Value given = call([&](TnValue* r) { return source.constant(source.self, name(1).c_str(), r); });
      *ret = f.pack(given).release();
      return 0;
    }
    throw Error(TN_ERROR_PLUGIN, "the worker asked for '" + std::string(what) + "'");
  });
}

constexpr TnFrontend kFrontend = {
    sizeof(TnFrontend),
    [](void* self, const TnContext* c, const TnModelSource* source, const TnValue* options, TnValue* ret) -> int {
      return forward(self, ret, [&](Forwarder& f, const Builder& b) {
        return Request{kImport,
                       {b.string(source->name), model_bytes(*source), options_value(options)},
                       "reading the model",
                       c,
                       [&f, source](const Array& question) { return answer_source(f, *source, question); }};
      });
    }};

constexpr TnPartitioner kPartitioner = {
    sizeof(TnPartitioner),
    [](void* self, const TnContext* c, const char* pattern, const TnNode* candidate, TnValue* ret) -> int {
      return forward(self, ret, [&](Forwarder&, const Builder& b) {
        return Request{kDecide, {b.string(pattern), node(candidate)}, std::string("deciding about ") + pattern, c, {}};
      });
    }};

std::string kind_of(const TnNode* n) {
  const KindInfo* info = n ? kind_info(n->kind) : nullptr;
  return info ? std::string("lowering ") + info->schema.id : "lowering a node";
}
constexpr TnKind kKind = {sizeof(TnKind), [](void* self, const TnContext* c, const TnNode* n, TnValue* ret) -> int {
                            return forward(self, ret, [&](Forwarder&, const Builder&) {
                              return Request{kLower, {node(n)}, kind_of(n), c, {}};
                            });
                          }};

struct TableRow {
  std::string_view capability;
  const void* table;
};
constexpr TableRow kTables[] = {{TN_PASS, &kPass},         {TN_OP, &kOp},
                                {TN_CODEGEN, &kCodegen},   {TN_LINKER, &kLinker},
                                {TN_FRONTEND, &kFrontend}, {TN_PARTITIONER, &kPartitioner},
                                {TN_KIND, &kKind}};

}  // namespace

const SlotRow* slot_row(int64_t number) { return number >= 0 && number < kSlots ? &kRows[number] : nullptr; }

const void* forwarding_table(std::string_view capability) {
  for (const TableRow& row : kTables)
    if (row.capability == capability) return row.table;
  return nullptr;
}

}  // namespace tenon::worker
