#include "build/payload.h"

#include <elf.h>

#include <cstring>
#include <map>

#include "diag/utf8.h"
#include "runtime/elf_file.h"

namespace tenon {
namespace {

constexpr int kMostNesting = 64;            // of requirements
constexpr size_t kMostPlainValues = 65536;  // in requirements; what stands in several places counts at each

// A text that C code can read.
bool is_name(const Value& v) {
  return v.is_string() && !v.as_string().empty() && v.as_string().find('\0') == std::string_view::npos;
}

bool are_names(const Value* list) {
  if (!list || list->is_none()) return true;
  if (!list->is_array()) return false;
  for (const Value& v : list->ref<Array>())
    if (!is_name(v)) return false;
  return true;
}

bool are_constants(const Value* list) {
  if (!list || list->is_none()) return true;
  if (!list->is_array()) return false;
  for (const Value& v : list->ref<Array>())
    if (v.type_index() != TN_CONSTANT) return false;
  return true;
}

bool are_bytes(const Value* bytes) {
  return !bytes || bytes->is_none() || bytes->is_string() || bytes->type_index() == TN_CONSTANT ||
         bytes->type_index() == TN_BYTES || bytes->type_index() == TN_SMALL_BYTES;
}

// Whether a value is of what an artifact's index can hold, and not too much of it.
bool is_plain(const Value& v, int nesting, size_t& left) {
  if (left-- == 0) return false;
  switch (v.type_index()) {
    case TN_NONE:
    case TN_BOOL:
    case TN_INT:
    case TN_FLOAT:
    case TN_STRING:
    case TN_SMALL_STRING:
    case TN_BYTES: return true;
    case TN_ARRAY:
      for (const Value& item : v.ref<Array>())
        if (nesting == 0 || !is_plain(item, nesting - 1, left)) return false;
      return true;
    case TN_MAP:
      for (const Map::Entry& e : v.ref<Map>())
        if (nesting == 0 || !is_plain(e.value(), nesting - 1, left)) return false;
      return true;
    default: return false;
  }
}

// What is wrong with the parts that payloads have in all forms; "" when nothing is.
std::string complaint(const Map& p) {
  const Value* format = p.find("format");
  if (!format || !is_name(*format)) return "it has no format";
  const Value* exports = p.find("exports");
  if (!exports || !exports->is_map()) return "it has no map of exports";
  for (const Map::Entry& e : exports->ref<Map>())
    if (!is_name(e.value())) return "its export '" + std::string(e.key()) + "' names no symbol";
  if (!are_bytes(p.find("bytes"))) return "its bytes are neither bytes nor a constant";
  if (!are_names(p.find("imports"))) return "its imports are no list of names";
  if (!are_names(p.find("symbols"))) return "its symbols are no list of names";
  if (!are_constants(p.find("constants"))) return "its constants are no list of constants";
  const Value *device = p.find("device"), *requirements = p.find("requirements");
  DLDevice ignored;
  TnValue error{TN_NONE, 0, {0}};
  if (device && !device->is_none() &&
      (!is_name(*device) || tn_runtime()->device_number(std::string(device->as_string()).c_str(), &ignored, &error))) {
    tn_value_release(&error);
    return "its device is no name of one, such as com.vendor.npu:0";
  }
  if (!requirements || requirements->is_none()) return "";
  size_t left = kMostPlainValues;
  if (!requirements->is_map()) return "its requirements are no map";
  if (!is_plain(*requirements, kMostNesting, left)) return "its requirements are no plain values, or too many of them";
  return "";
}

// The symbols that an object defines for others, weak ones apart.
constexpr const char* kCodegenBug = "this is a bug of the code generator";
std::vector<std::string> defined_symbols(std::string_view object, const std::string& owner) {
  rt::ElfFile elf;
  rt::Bytes symbols, names;
  uint64_t offset;
  if (!elf.open(object.data(), object.size()))
    throw Error(TN_ERROR_PLUGIN, owner + " is no object file, though its format says so", {}, kCodegenBug);
  std::vector<std::string> out;
  if (!elf.section(".symtab", &symbols, &offset) || !elf.section(".strtab", &names, &offset)) return out;
  for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= symbols.size; at += sizeof(Elf64_Sym)) {
    Elf64_Sym s;
    std::memcpy(&s, symbols.data + at, sizeof s);
    if (ELF64_ST_BIND(s.st_info) != STB_GLOBAL || s.st_shndx == SHN_UNDEF || s.st_name >= names.size) continue;
    const char* name = names.data + s.st_name;
    out.emplace_back(name, strnlen(name, names.size - s.st_name));
  }
  return out;
}

}  // namespace

std::string_view payload_bytes(const Map& payload) {
  const Value* bytes = payload.find("bytes");
  if (!bytes) return {};
  if (bytes->type_index() != TN_CONSTANT) return string_view_of(bytes->raw());
  auto* c = reinterpret_cast<const TnConstant*>(bytes->raw().as.object);
  return {static_cast<const char*>(c->data), c->size};
}

void refuse_payload(const std::string& codegen, const std::string& why) {
  throw Error(TN_ERROR_PLUGIN, "the payload of the code generator '" + codegen + "' cannot be used: " + why, {},
              "this is a bug of the plugin '" + codegen + "'");
}

void check_payload(const Map& payload, const std::string& codegen, const ir::Module& module) {
  if (std::string why = complaint(payload); !why.empty()) refuse_payload(codegen, why);
  for (const Map::Entry& e : payload.find("exports")->ref<Map>())
    if (!module.functions().find(e.key()))
      refuse_payload(codegen,
                     "it exports '" + shortened(e.key()) + "', which is none of the functions that it was given");
}

Map complete_payload(const Builder& b, ConstantStore& store, const Map& payload, const std::string& codegen,
                     const ir::Module& module) {
  check_payload(payload, codegen, module);
  std::string_view bytes = payload_bytes(payload);
  if (bytes.empty()) refuse_payload(codegen, "it has no bytes");
  const Map& exports = payload.find("exports")->ref<Map>();
  for (const Map::Entry& e : module.functions()) {
    auto* f = as_node(e.value()).as<relax::Function>();
    if (f && f->attrs().find("global_symbol") && !exports.find(e.key()))
      refuse_payload(codegen, "it does not export the function '" + std::string(e.key()) + "'");
  }
  Constant kept = store.add(bytes.data(), bytes.size());
  Map out = b.with(payload, "codegen", b.string(codegen));
  out = b.with(out, "size", static_cast<int64_t>(bytes.size()));
  return b.with(out, "bytes", Value(kept));
}

std::vector<Payload> attached_payloads(const ir::Module& module) {
  std::vector<Payload> out;
  std::map<std::string, std::string, std::less<>> owners;
  for (const Value& v : module.payloads()) {
    std::string what = "payload " + std::to_string(out.size()) + " of the module";
    auto refuse = [&](const std::string& why) {
      throw Error(TN_ERROR_VERIFY, what + " cannot be used: " + why, {},
                  "payloads are made by passes; their text is not meant to be changed");
    };
    if (!v.is_map()) refuse("it is no map");
    const Map& map = v.ref<Map>();
    if (std::string why = complaint(map); !why.empty()) refuse(why);
    const Value *codegen = map.find("codegen"), *bytes = map.find("bytes"), *size = map.find("size");
    if (!codegen || !codegen->is_string()) refuse("it does not say which code generator made it");
    if (!bytes || bytes->type_index() != TN_CONSTANT) refuse("it has no bytes");
    Payload p{map,
              std::string(codegen->as_string()),
              std::string(map.find("format")->as_string()),
              Constant::share(reinterpret_cast<const TnConstant*>(bytes->raw().as.object)),
              map.find("exports")->ref<Map>(),
              ""};
    if (const Value* device = map.find("device"); device && device->is_string()) p.device = device->as_string();
    if (size && (!size->is_int() || static_cast<uint64_t>(size->as_int()) != p.bytes->size))
      refuse("its bytes are not of the size that it says");
    for (const Map::Entry& e : p.exports) {
      auto [it, is_new] = owners.emplace(e.key(), p.codegen);
      if (!is_new)
        throw Error(TN_ERROR_DUPLICATE, "the function '" + std::string(e.key()) +
                                            "' is implemented by two payloads of the module, of '" + it->second +
                                            "' and of '" + p.codegen + "'");
    }
    out.push_back(std::move(p));
  }
  return out;
}

void check_objects(const Map& code, const std::string& codegen, const std::vector<Payload>& payloads) {
  std::map<std::string, std::string> defined;  // symbol -> who defines it
  auto add = [&](const Map& map, const std::string& owner) {
    for (const std::string& name : defined_symbols(payload_bytes(map), owner)) {
      auto [it, is_new] = defined.emplace(name, owner);
      if (!is_new)
        throw Error(TN_ERROR_DUPLICATE,
                    "the symbol '" + name + "' is defined by " + it->second + " and by " + owner +
                        ", which cannot be linked together",
                    {},
                    "hand all functions of one code generator over at once; symbols of different ones need names of "
                    "their own");
    }
    const Value* exports = map.find("exports");
    if (!exports || !exports->is_map()) return;
    for (const Map::Entry& e : exports->ref<Map>()) {
      auto it = defined.find(std::string(e.value().as_string()));
      if (it == defined.end() || it->second != owner)
        throw Error(TN_ERROR_PLUGIN,
                    owner + " exports the function '" + std::string(e.key()) + "' by the symbol '" +
                        std::string(e.value().as_string()) + "', which its object does not define",
                    {}, kCodegenBug);
    }
  };
  if (code) add(code, "the module's own code (of '" + codegen + "')");
  for (size_t i = 0; i < payloads.size(); ++i)
    if (payloads[i].is_object())
      add(payloads[i].map, "payload " + std::to_string(i) + " (of '" + payloads[i].codegen + "')");
}

}  // namespace tenon
