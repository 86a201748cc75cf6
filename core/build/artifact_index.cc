#include "build/artifact_index.h"

#include <cstring>
#include <map>
#include <set>

#include "build/artifact_writer.h"
#include "pass/dump.h"
#include "runtime/elf_file.h"

namespace tenon {
namespace {

void word(std::string& out, uint64_t v) {
  for (int i = 0; i < 8; ++i) out += static_cast<char>(v >> (8 * i));
}

void encode(std::string& out, const Value& v) {
  switch (v.type_index()) {
    case TN_NONE: out += 'n'; return;
    case TN_BOOL: out += v.as_bool() ? 't' : 'f'; return;
    case TN_INT: out += 'i'; return word(out, static_cast<uint64_t>(v.as_int()));
    case TN_FLOAT: {
      uint64_t bits;
      double f = v.as_float();
      std::memcpy(&bits, &f, 8);
      out += 'd';
      return word(out, bits);
    }
    case TN_STRING:
    case TN_SMALL_STRING:
    case TN_C_STRING:
    case TN_BYTES:
      out += v.type_index() == TN_BYTES ? 'b' : 's';
      word(out, string_view_of(v.raw()).size());
      out += string_view_of(v.raw());
      return;
    case TN_ARRAY:
      out += 'a';
      word(out, v.ref<Array>().size());
      for (const Value& item : v.ref<Array>()) encode(out, item);
      return;
    case TN_MAP:
      out += 'm';
      word(out, v.ref<Map>().size());
      for (const Map::Entry& e : v.ref<Map>()) {
        out += 's';
        word(out, e.key().size());
        out += e.key();
        encode(out, e.value());
      }
      return;
    default: throw Error(TN_ERROR_ARGUMENT, "an index holds plain values only");
  }
}

// A dimension: a number, or the text of an expression.
Value dimension(const Builder& b, const Node& d) {
  if (auto* i = d.as<ir::IntImm>()) return i->value();
  return b.string(print_text(b, Value(d)));
}

Value shape(const Builder& b, const Array& dims) {
  std::vector<Value> out;
  for (const Node& d : nodes(dims)) out.push_back(dimension(b, d));
  return b.array(out);
}

// The buffers that a function may write: stored to, also through views, or handed to another function.
std::set<const TnNode*> written_buffers(const Builder& b, const tir::PrimFunc& f) {
  std::map<const TnNode*, const TnNode*> viewed;  // view -> what it looks at
  std::set<const TnNode*> written;
  b.walk(Value(f), [&](const Node& n) {
    if (auto* view = n.as<tir::DeclBuffer>(); view && view->data().is<tir::Buffer>())
      viewed[view->buffer().get()] = view->data().get();
    if (auto* store = n.as<tir::BufferStore>()) written.insert(store->buffer().get());
    if (auto* c = n.as<ir::Call>())
      for (const Node& a : nodes(c->args()))
        if (a.is<tir::Buffer>()) written.insert(a.get());
  });
  for (const auto& [view, base] : viewed)
    for (const TnNode *at = view, *to = base; written.count(at); at = to, to = viewed.count(to) ? viewed[to] : nullptr)
      if (!to || !written.insert(to).second) break;
  return written;
}

Value parameter(const Builder& b, const Node& p, const std::set<const TnNode*>& written) {
  if (auto* buffer = p.as<tir::Buffer>())
    return b.map({{"name", b.string(buffer->name())},
                  {"written", written.count(p.get()) != 0},
                  {"kind", b.string("tensor")},
                  {"dtype", b.string(dtype_text(buffer->dtype()))},
                  {"shape", shape(b, buffer->shape())}});
  auto& v = p.to<ir::Var>();
  return b.map({{"name", b.string(v.name())},
                {"kind", b.string(is_handle(v.dtype()) ? "handle" : "scalar")},
                {"dtype", b.string(dtype_text(v.dtype()))}});
}

// The function of this name, as its callers find it; null when it is not public.
const tir::PrimFunc* public_function(const ir::Module& module, std::string_view name) {
  const Value* found = module.functions().find(name);
  auto* f = found ? as_node(*found).as<tir::PrimFunc>() : nullptr;
  return f && f->attrs().find("global_symbol") ? f : nullptr;
}

// The public functions without their bodies, as a module: what a caller may read with all its symbolic dimensions.
Node signatures(const Builder& b, const ir::Module& module) {
  Builder::Entries functions;
  for (const Map::Entry& e : module.functions()) {
    auto* f = as_node(e.value()).as<tir::PrimFunc>();
    const Value* symbol = f ? f->attrs().find("global_symbol") : nullptr;
    if (!symbol) continue;
    Node nothing = b.make<tir::Evaluate>({b.imm(0, kInt32)});
    Node bare = b.with(b.with(*f, tir::PrimFunc::Slot::attrs, Value(b.map({{"global_symbol", *symbol}}))),
                       tir::PrimFunc::Slot::body, nothing);
    functions.emplace_back(std::string(e.key()), bare);
  }
  return b.make<ir::Module>({b.map({}), b.map({}), b.map(functions), b.array({})});
}

}  // namespace

std::string encode_value(const Value& value) {
  std::string out;
  encode(out, value);
  return out;
}

ElfSection constants_section(const ArtifactParts& parts) {
  ElfSection section{rt::kConstantsSection, 4096, {}, 64};
  auto add = [&](const Map& payload) {
    if (const Value* list = payload.find("constants"); list && list->is_array())
      for (const Value& c : list->ref<Array>()) {
        auto* constant = reinterpret_cast<const TnConstant*>(c.raw().as.object);
        section.parts.emplace_back(static_cast<const char*>(constant->data), constant->size);
      }
  };
  add(parts.payload);
  for (const Payload& p : parts.payloads) add(p.map);
  return section;
}

ElfSection payloads_section(const ArtifactParts& parts) {
  ElfSection section{rt::kPayloadsSection, 4096, {}, 4096};
  for (const Payload& p : parts.payloads)
    if (!p.is_object()) section.parts.emplace_back(static_cast<const char*>(p.bytes->data), p.bytes->size);
  return section;
}

Map artifact_index(const Builder& b, const ArtifactParts& parts) {
  Builder::Entries functions;
  for (const Map::Entry& e : parts.payload.find("exports")->ref<Map>()) {
    Builder::Entries one;
    one.emplace_back("symbol", e.value());
    if (auto* f = public_function(parts.module, e.key())) {
      std::vector<Value> params;
      std::set<const TnNode*> written = written_buffers(b, *f);
      for (const Node& p : nodes(f->params())) params.push_back(parameter(b, p, written));
      one.emplace_back("params", Value(b.array(params)));
      const Value* result = f->attrs().find("tenon.result");
      one.emplace_back("result", result ? *result : b.string(""));
      one.emplace_back("returns", f->ret_type().is_dtype());
    }
    functions.emplace_back(std::string(e.key()), Value(b.map(one)));
  }
  std::vector<uint64_t> offsets = part_offsets(constants_section(parts));
  size_t next = 0;
  auto constants_of = [&](const Map& payload) {
    std::vector<Value> constants;
    if (const Value* list = payload.find("constants"); list && list->is_array())
      for (const Value& c : list->ref<Array>()) {
        auto* constant = reinterpret_cast<const TnConstant*>(c.raw().as.object);
        constants.push_back(b.map({{"offset", static_cast<int64_t>(offsets[next++])},
                                   {"size", static_cast<int64_t>(constant->size)},
                                   {"digest", b.string(constant->digest)}}));
      }
    return Value(b.array(constants));
  };
  auto imports_of = [&](const Map& payload) {
    const Value* imports = payload.find("imports");
    return imports && imports->is_array() ? *imports : Value(b.array({}));
  };
  const ElfSection foreign = payloads_section(parts);
  const std::vector<uint64_t> places = part_offsets(foreign);
  Builder::Entries index{{"version", foreign.parts.empty() ? rt::kArtifactVersion : rt::kNewestArtifactVersion},
                         {"signatures", b.string(print_text(b, Value(signatures(b, parts.module))))},
                         {"functions", Value(b.map(functions))},
                         {"imports", imports_of(parts.payload)},
                         {"constants", constants_of(parts.payload)},
                         {"target", Value(b.map_value(parts.target))},
                         {"lock", b.string(parts.lock)}};
  std::vector<Value> payloads;
  size_t place = 0;
  for (const Payload& p : parts.payloads) {
    Builder::Entries about{{"codegen", b.string(p.codegen)},      {"format", b.string(p.format)},
                           {"digest", b.string(p.bytes->digest)}, {"functions", Value(p.exports)},
                           {"imports", imports_of(p.map)},        {"constants", constants_of(p.map)}};
    if (!p.is_object()) {
      about.emplace_back("offset", static_cast<int64_t>(places[place++]));
      about.emplace_back("size", static_cast<int64_t>(p.bytes->size));
      about.emplace_back("device", b.string(p.device));
      if (const Value* r = p.map.find("requirements"); r && r->is_map()) about.emplace_back("requirements", *r);
    }
    payloads.push_back(b.map(about));
  }
  if (!payloads.empty()) index.emplace_back("payloads", Value(b.array(payloads)));
  return b.map(index);
}

}  // namespace tenon
