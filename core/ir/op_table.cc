#include "ir/op_table.h"

#include <algorithm>

#include "diag/suggest.h"
#include "ir/ir_table.h"
#include "ir/make.h"

namespace tenon {
namespace {

struct AttrType {
  std::string_view name;
  bool (*accepts)(const Value&);
};
constexpr AttrType kAttrTypes[] = {
    {"int", [](const Value& v) { return v.is_int(); }},
    {"bool", [](const Value& v) { return v.is_bool(); }},
    {"float", [](const Value& v) { return v.is_float() || v.is_int(); }},
    {"string", [](const Value& v) { return v.is_string(); }},
    {"dtype", [](const Value& v) { return v.is_dtype() || (v.is_string() && dtype_from_text(v.as_string())); }},
    {"list", [](const Value& v) { return v.is_array() || v.is_int(); }},  // an int stands for a list of one
    {"map", [](const Value& v) { return v.is_map(); }},
    {"any", [](const Value&) { return true; }},
};
constexpr std::string_view kLevels[] = {"loop", "graph"};
constexpr std::string_view kEffects[] = {"pure", "read", "write", "opaque"};
constexpr std::string_view kFunctions[] = {"infer_type", "compute", "evaluate"};
constexpr std::string_view kRowKeys[] = {"id",     "revision", "level",     "args",    "attrs",  "effects",
                                         "result", "takes",    "functions", "summary", "plugin", "commutative"};
// `position` is the place after the arguments, from 1, where a text may state the attribute without its name.
constexpr std::string_view kAttrKeys[] = {"type", "default", "summary", "choices", "position"};

// The classes of dtypes that `takes` of a row may name.
struct DtypeClass {
  std::string_view name;
  bool (*holds)(DLDataType);
};
constexpr DtypeClass kDtypeClasses[] = {{"int", is_integer}, {"bool", is_bool}, {"float", is_floating}};

const DtypeClass* dtype_class(std::string_view name) {
  for (const DtypeClass& c : kDtypeClasses)
    if (c.name == name) return &c;
  return nullptr;
}

const AttrType* attr_type(std::string_view name) {
  for (const AttrType& t : kAttrTypes)
    if (t.name == name) return &t;
  return nullptr;
}

std::string value_text(const Value& v) {
  if (v.is_none()) return "null";
  if (v.is_bool()) return v.as_bool() ? "true" : "false";
  if (v.is_int()) return std::to_string(v.as_int());
  if (v.is_string()) return '"' + std::string(v.as_string()) + '"';
  return describe(v.raw());
}

template <size_t n>
std::vector<std::string> words(const std::string_view (&list)[n]) {
  return {list, list + n};
}

// Reads one row of a manifest.
struct RowReader {
  const Map& row;
  std::string_view origin;
  std::string what = "an operator";

  [[noreturn]] void refuse(const std::string& why, const std::string& hint = {}) const {
    throw Error(TN_ERROR_ARGUMENT, "cannot add " + what + ": " + why, std::string(origin), hint);
  }
  std::string text(std::string_view key, std::string_view otherwise) const {
    const Value* v = row.find(key);
    if (!v || v->is_none()) return std::string(otherwise);
    if (!v->is_string()) refuse("`" + std::string(key) + "` must be a string, but is " + describe(v->raw()));
    return std::string(v->as_string());
  }
  template <size_t n>
  size_t choice(std::string_view key, std::string_view otherwise, const std::string_view (&list)[n]) const {
    std::string word = text(key, otherwise);
    auto it = std::find(list, list + n, word);
    if (it == list + n) {
      std::string all;
      for (std::string_view w : list) all += (all.empty() ? "" : ", ") + std::string(w);
      refuse("`" + std::string(key) + ": " + word + "` is none of " + all, did_you_mean(word, words(list)));
    }
    return static_cast<size_t>(it - list);
  }
  std::vector<std::string> texts(std::string_view key) const {
    std::vector<std::string> out;
    const Value* v = row.find(key);
    if (!v || v->is_none()) return out;
    if (!v->is_array()) refuse("`" + std::string(key) + "` must be a list of names, but is " + describe(v->raw()));
    for (const Value& e : v->ref<Array>()) {
      if (!e.is_string()) refuse("`" + std::string(key) + "` must be a list of names, but holds " + describe(e.raw()));
      out.emplace_back(e.as_string());
    }
    return out;
  }
  template <size_t n>
  void check_keys(const Map& m, const std::string_view (&known)[n], const std::string& of) const {
    for (const Map::Entry& e : m)
      if (std::find(known, known + n, e.key()) == known + n)
        refuse(of + " has the unknown key `" + std::string(e.key()) + "`", did_you_mean(e.key(), words(known)));
  }
};

OpAttr read_attr(const RowReader& r, std::string_view name, const Value& declaration) {
  std::string of = "attribute `" + std::string(name) + "`";
  if (!declaration.is_map()) r.refuse(of + " must be a map {type, default}, but is " + describe(declaration.raw()));
  auto& m = declaration.ref<Map>();
  r.check_keys(m, kAttrKeys, of);
  OpAttr attr{std::string(name), "any", std::nullopt, {}};
  if (const Value* type = m.find("type")) attr.type = type->as_string();
  const AttrType* type = attr_type(attr.type);
  if (!type) {
    std::vector<std::string> known;
    for (const AttrType& t : kAttrTypes) known.emplace_back(t.name);
    r.refuse(of + " has the unknown type `" + attr.type + "`", did_you_mean(attr.type, known));
  }
  if (const Value* value = m.find("default")) {
    if (!value->is_none() && !type->accepts(*value))
      r.refuse(of + " is " + attr.type + ", but its default is " + describe(value->raw()));
    attr.value = *value;
  }
  if (const Value* choices = m.find("choices")) {
    if (!choices->is_array() || choices->ref<Array>().empty())
      r.refuse("`choices` of " + of + " must be a list of values, but is " + describe(choices->raw()));
    for (const Value& choice : choices->ref<Array>()) {
      if (!choice.is_none() && !type->accepts(choice))
        r.refuse(of + " is " + attr.type + ", but a choice is " + describe(choice.raw()));
      attr.choices.push_back(choice);
    }
  }
  if (const Value* position = m.find("position"); position && (!position->is_int() || position->as_int() < 1))
    r.refuse("`position` of " + of + " must be a number from 1");
  return attr;
}

OpRecord read_row(const Map& row, std::string_view plugin, std::string_view origin) {
  RowReader r{row, origin};
  OpRecord op;
  op.id = r.text("id", "");
  size_t dot = op.id.find('.');
  if (dot == std::string::npos || dot == 0 || dot + 1 == op.id.size())
    r.refuse("`id: " + op.id + "` must read namespace.name");
  r.what = "the operator `" + op.id + "`";
  r.check_keys(row, kRowKeys, "its row");
  if (const Value* revision = row.find("revision")) {
    if (!revision->is_int() || revision->as_int() < 1) r.refuse("`revision` must be a number from 1");
    op.revision = revision->as_int();
  }
  op.level = static_cast<OpLevel>(r.choice("level", "graph", kLevels));
  op.effects = static_cast<OpEffects>(r.choice("effects", "pure", kEffects));
  op.args = r.texts("args");
  if (!op.args.empty() && op.args.back().ends_with("...")) {
    op.variadic = true;
    op.args.pop_back();
  }
  for (const std::string& arg : op.args)
    if (arg.ends_with("...")) r.refuse("only the last argument may be variadic, but `" + arg + "` is not the last");
  if (const Value* attrs = row.find("attrs"); attrs && !attrs->is_none()) {
    if (!attrs->is_map()) r.refuse("`attrs` must be a map, but is " + describe(attrs->raw()));
    for (const Map::Entry& e : attrs->ref<Map>()) op.attrs.push_back(read_attr(r, e.key(), e.value()));
  }
  op.result = r.text("result", "given");
  if (op.result != "given" && op.result != "first" && !dtype_from_text(op.result))
    r.refuse("`result: " + op.result + "` is neither `first`, `given` nor a dtype");
  if (op.result == "first" && op.args.empty() && !op.variadic) r.refuse("`result: first` needs an argument");
  op.takes = r.texts("takes");
  for (const std::string& name : op.takes)
    if (!dtype_class(name)) r.refuse("`takes` names `" + name + "`, which is none of int, bool, float");
  if (!op.takes.empty() && op.level != OpLevel::kLoop) r.refuse("`takes` is for operators of the loop level");
  op.functions = r.texts("functions");
  for (const std::string& f : op.functions)
    if (std::find(std::begin(kFunctions), std::end(kFunctions), f) == std::end(kFunctions))
      r.refuse("`functions` names the unknown `" + f + "`", did_you_mean(f, words(kFunctions)));
  if (const Value* commutative = row.find("commutative")) {
    if (!commutative->is_bool()) r.refuse("`commutative` must be true or false");
    if (commutative->as_bool() && (op.args.size() != 2 || op.variadic))
      r.refuse("`commutative` is for operators of two arguments");
  }
  op.plugin = plugin;
  op.origin = origin;
  Builder b = core_builder();
  op.data = b.with(row, "plugin", b.string(plugin));
  return op;
}

}  // namespace

bool OpRecord::has_function(std::string_view name) const {
  return std::find(functions.begin(), functions.end(), name) != functions.end();
}

const OpAttr* OpRecord::find_attr(std::string_view name) const {
  for (const OpAttr& a : attrs)
    if (a.name == name) return &a;
  return nullptr;
}

void OpTable::add(const Map& row, std::string_view plugin, std::string_view origin) {
  OpRecord op = read_row(row, plugin, origin);
  auto known = records_.find(op.id);
  if (known != records_.end())
    throw Error(TN_ERROR_DUPLICATE,
                "the operator `" + op.id + "` is declared by the plugin `" + op.plugin + "` (" + op.origin +
                    ") and already by `" + known->second.plugin + "` (" + known->second.origin + ")",
                op.origin, "leave one of the two plugins out, or rename the operator");
  std::string id = op.id;
  records_.emplace(std::move(id), std::move(op));
}

void OpTable::add_or_dispute(const Map& row, std::string_view plugin, std::string_view origin) {
  try {
    add(row, plugin, origin);
  } catch (const Error& e) {
    if (e.code != TN_ERROR_DUPLICATE) throw;
    disputed_.emplace(row.find("id")->as_string(), e);
  }
}

const OpRecord* OpTable::find(std::string_view id) const {
  if (auto disputed = disputed_.find(id); disputed != disputed_.end()) throw Error(disputed->second);
  auto it = records_.find(id);
  return it == records_.end() ? nullptr : &it->second;
}

const OpRecord& OpTable::get(std::string_view id, const std::string& where) const {
  if (const OpRecord* op = find(id)) return *op;
  throw Error(TN_ERROR_NOT_FOUND, "there is no operator `" + std::string(id) + "`", where,
              did_you_mean(id, ids(), "no plugin of this session declares it"));
}

std::vector<std::string> OpTable::ids() const {
  std::vector<std::string> out;
  for (const auto& [id, op] : records_) out.push_back(id);
  return out;
}

std::optional<DLDataType> OpTable::dtype_of_call(const Node& call) const {
  auto* c = call.as<ir::Call>();
  if (!c || !c->op().is<ir::Op>()) return std::nullopt;
  const OpRecord* op = find(c->op().to<ir::Op>().id());
  if (!op || op->result == "given") return std::nullopt;
  DLDataType first{0, 0, 0};
  if (c->args().size() > 0) first = as_node(c->args()[0]).dtype();
  if (op->result == "first") return first.bits ? std::optional(first) : std::nullopt;
  DLDataType t = *dtype_from_text(op->result);
  return first.bits && t.lanes == 1 ? with_lanes(t, first.lanes) : t;
}

std::string OpTable::misfit(const Node& call) const {
  auto& c = call.to<ir::Call>();
  const OpRecord& op = get(c.op().to<ir::Op>().id());
  size_t given = c.args().size(), needed = op.args.size();
  if (given < needed || (given > needed && !op.variadic))
    return "`" + op.id + "` takes " + (op.variadic ? "at least " : "") + std::to_string(needed) +
           (needed == 1 ? " argument" : " arguments") + ", but " + std::to_string(given) + " are given";
  for (const Map::Entry& e : c.attrs()) {
    const OpAttr* attr = op.find_attr(e.key());
    if (!attr) {
      std::vector<std::string> known;
      for (const OpAttr& a : op.attrs) known.push_back(a.name);
      std::string nearest = did_you_mean(e.key(), known);
      return "`" + op.id + "` has no attribute `" + std::string(e.key()) + "`" +
             (nearest.empty() ? "" : ", " + nearest);
    }
    bool left_out = e.value().is_none() && attr->value && attr->value->is_none();
    if (!left_out && !attr_type(attr->type)->accepts(e.value()))
      return "attribute `" + attr->name + "` of `" + op.id + "` must be " + attr->type + ", but is " +
             describe(e.value().raw());
    if (attr->choices.empty()) continue;
    std::string known, given_text = value_text(e.value());
    bool is_choice = false;
    for (const Value& choice : attr->choices) {
      is_choice = is_choice || value_text(choice) == given_text;
      known += (known.empty() ? "" : " or ") + value_text(choice);
    }
    if (!is_choice)
      return "attribute `" + attr->name + "` of `" + op.id + "` must be " + known + ", but is " + given_text;
  }
  for (const OpAttr& a : op.attrs)
    if (!a.value && !c.attrs().find(a.name)) return "`" + op.id + "` needs the attribute `" + a.name + "`";
  return {};
}

std::string OpTable::dtype_misfit(const Node& call) const {
  auto& c = call.to<ir::Call>();
  const OpRecord& op = get(c.op().to<ir::Op>().id());
  if (op.takes.empty()) return {};
  DLDataType first = c.args().empty() ? c.dtype() : as_node(c.args()[0]).dtype();
  std::string known;
  for (const std::string& name : op.takes) {
    if (dtype_class(name)->holds(first)) {
      for (const Value& arg : c.args())
        if (DLDataType t = as_node(arg).dtype(); !same_dtype(t, first))
          return "the arguments of `" + op.id + "` are " + dtype_text(first) + " and " +
                 (t.bits ? dtype_text(t) : "without a dtype");
      return {};
    }
    known += (known.empty() ? "" : " or ") + name;
  }
  return "`" + op.id + "` takes " + known + ", not " + (first.bits ? dtype_text(first) : "what has no dtype");
}

Map OpTable::complete_attrs(const Node& call) const {
  auto& c = call.to<ir::Call>();
  const OpRecord& op = get(c.op().to<ir::Op>().id());
  Builder b = core_builder();
  Builder::Entries entries;
  for (const OpAttr& a : op.attrs)
    if (a.value) entries.emplace_back(a.name, *a.value);
  for (auto& given : Builder::entries(c.attrs())) entries.push_back(std::move(given));
  return b.map(entries);
}

}  // namespace tenon
