#include "pass/options.h"

#include <array>
#include <cstdio>

#include "diag/suggest.h"

namespace tenon {

namespace {

struct TypeRow {
  OptionType type;
  std::string_view name;
  std::string_view article;  // for messages: "an int"
};
constexpr std::array<TypeRow, 7> kTypes{{{OptionType::kBool, "bool", "true or false"},
                                         {OptionType::kInt, "int", "an integer"},
                                         {OptionType::kFloat, "float", "a number"},
                                         {OptionType::kString, "string", "a string"},
                                         {OptionType::kList, "list", "a list"},
                                         {OptionType::kMap, "map", "a map"},
                                         {OptionType::kAny, "any", "any value"}}};

const TypeRow& row_of(OptionType type) {
  for (const TypeRow& row : kTypes)
    if (row.type == type) return row;
  return kTypes.back();
}

bool has_type(OptionType type, const Value& v) {
  switch (type) {
    case OptionType::kBool: return v.is_bool();
    case OptionType::kInt: return v.is_int();
    case OptionType::kFloat: return v.is_float() || v.is_int();
    case OptionType::kString: return v.is_string();
    case OptionType::kList: return v.is_array();
    case OptionType::kMap: return v.is_map();
    case OptionType::kAny: return true;
  }
  return false;
}

std::string quoted(std::string_view s) {
  std::string out = "\"";
  for (char c : s) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out + "\"";
}

}  // namespace

std::string_view option_type_name(OptionType type) { return row_of(type).name; }

std::optional<OptionType> option_type_from(std::string_view name) {
  for (const TypeRow& row : kTypes)
    if (row.name == name) return row.type;
  return std::nullopt;
}

std::vector<std::string> option_type_names() {
  std::vector<std::string> names;
  for (const TypeRow& row : kTypes) names.emplace_back(row.name);
  return names;
}

std::string value_kind(const Value& v) {
  if (v.is_none()) return "nothing";
  if (v.is_bool()) return "a boolean";
  if (v.is_int()) return "an integer";
  if (v.is_float()) return "a number";
  if (v.is_string()) return "a string";
  if (v.is_array()) return "a list";
  if (v.is_map()) return "a map";
  if (v.is_node()) return "an IR node";
  return "a value of type index " + std::to_string(v.type_index());
}

std::string value_text(const Value& v) {
  if (v.is_none()) return "null";
  if (v.is_bool()) return v.as_bool() ? "true" : "false";
  if (v.is_int()) return std::to_string(v.as_int());
  if (v.is_float()) {
    char text[32];
    std::snprintf(text, sizeof text, "%.17g", v.as_float());
    return text;
  }
  if (v.is_string()) return quoted(v.as_string());
  if (v.is_array()) {
    std::string out;
    for (const Value& item : v.ref<Array>()) out += (out.empty() ? "" : ", ") + value_text(item);
    return "[" + out + "]";
  }
  if (v.is_map()) {
    std::string out;
    for (const Map::Entry& e : v.ref<Map>())
      out += (out.empty() ? "" : ", ") + std::string(e.key()) + ": " + value_text(e.value());
    return "{" + out + "}";
  }
  return "<" + value_kind(v) + ">";
}

namespace {
// A number stays one to the eye: 1.0, not 1.
std::string given_text(const Value& v) {
  std::string text = value_text(v);
  return v.is_float() && text.find_first_not_of("-0123456789") == std::string::npos ? text + ".0" : text;
}
}  // namespace

std::string option_problem(const OptionSchema& schema, const Value& value) {
  if (value.is_none() && !schema.required && schema.default_value.is_none()) return "";
  if (!has_type(schema.type, value))
    return "takes " + std::string(row_of(schema.type).article) + ", not " + value_kind(value) +
           (value.is_none() ? "" : " (" + given_text(value) + ")");
  if (schema.choices.empty()) return "";
  std::string known;
  for (const Value& choice : schema.choices) {
    if (value_text(choice) == value_text(value)) return "";
    known += (known.empty() ? "" : ", ") + value_text(choice);
  }
  std::vector<std::string> names;
  for (const Value& choice : schema.choices)
    if (choice.is_string()) names.emplace_back(choice.as_string());
  const std::string nearest =
      value.is_string() && value.as_string().size() > 2 ? did_you_mean(value.as_string(), names) : "";
  return "takes one of " + known + ", not " + value_text(value) + (nearest.empty() ? "" : "; " + nearest);
}

Map complete_options(const Builder& b, const OptionSchemas& schemas, const Map& given, const OptionSite& site,
                     const std::function<void(Error)>& complain) {
  auto where = [&](std::string_view option) { return site.where ? site.where(option) : std::string(); };
  std::vector<std::string> names;
  for (const OptionSchema& s : schemas) names.push_back(s.name);
  for (const Map::Entry& e : given) {
    bool known = false;
    for (const std::string& name : names) known = known || name == e.key();
    if (known) continue;
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
    complain(Error(TN_ERROR_ARGUMENT, site.what + " has no option '" + std::string(e.key()) + "'", where(e.key()),
                   did_you_mean(e.key(), names, list.empty() ? "it takes no options" : "its options are: " + list)));
  }
  Builder::Entries complete;
  for (const OptionSchema& s : schemas) {
    const Value* v = given.find(s.name);
    if (!v) {
      if (s.required)
        complain(
            Error(TN_ERROR_ARGUMENT, site.what + " needs the option '" + s.name + "', which is not given", where(""),
                  "it takes " + std::string(row_of(s.type).article) + (s.summary.empty() ? "" : ": " + s.summary)));
      complete.emplace_back(s.name, s.default_value);
      continue;
    }
    std::string problem = option_problem(s, *v);
    if (!problem.empty()) {
      complain(Error(TN_ERROR_ARGUMENT, "option '" + s.name + "' of " + site.what + " " + problem, where(s.name)));
      continue;
    }
    complete.emplace_back(s.name, s.type == OptionType::kFloat && v->is_int() ? Value(v->as_float()) : *v);
  }
  return b.map(complete);
}

Map complete_options(const Builder& b, const OptionSchemas& schemas, const Map& given, const OptionSite& site) {
  return complete_options(b, schemas, given, site, [](Error e) { throw e; });
}

}  // namespace tenon
