#include "registry/yaml_reader.h"

#include <set>

#include "diag/suggest.h"
#include "diag/utf8.h"

namespace tenon {

namespace {
constexpr size_t kMostComplaints = 100;
}

void YamlReader::complain(const Yaml& at, std::string message, std::string hint, int32_t code) {
  if (complaints_.size() >= kMostComplaints) return;
  complaints_.emplace_back(code, shortened(message, 1000), where(at), shortened(hint, 1000));
}

bool YamlReader::map(const Yaml& node, const std::string& what, std::initializer_list<Key> keys) {
  std::vector<std::string> names;
  std::string list;
  for (const Key& key : keys) {
    names.emplace_back(key.name);
    list += (list.empty() ? "" : ", ") + names.back();
  }
  if (!node.is_map()) {
    // "key:value" is one word of YAML.
    const bool joined = node.is_scalar() && !node.quoted && node.text.find(' ') == std::string::npos &&
                        node.text.find(':') != std::string::npos && node.text.find(':') + 1 < node.text.size();
    complain(node, what + " is a map of keys and values, not " + yaml_kind(node),
             (joined ? "put a space behind ':'; " : "") + std::string("its keys are: ") + list);
    return false;
  }
  std::set<std::string_view> seen;
  for (const YamlEntry& entry : node.entries) {
    if (complaints_.size() >= kMostComplaints) break;
    const Yaml& key = entry.key;
    bool known = false, repeated = !seen.insert(key.text).second;
    for (const std::string& name : names) known = known || (key.is_scalar() && name == key.text);
    if (!known) {
      complain(key, what + " has no key " + (key.is_scalar() ? yaml_kind(key) : "that is " + yaml_kind(key)),
               key.text == "<<" ? "maps are not merged here; write their keys out"
                                : did_you_mean(key.text, names, "its keys are: " + list));
    } else if (repeated) {
      complain(key, "the key '" + key.text + "' comes twice in " + what, "leave one of them out", TN_ERROR_DUPLICATE);
    }
  }
  for (const Key& key : keys)
    if (key.required && !node.find(key.name)) complain(node, what + " lacks the key '" + std::string(key.name) + "'");
  return true;
}

std::string YamlReader::text(const Yaml& map, std::string_view key, std::string fallback) {
  const Yaml* node = map.find(key);
  if (!node) return fallback;
  if (node->is_scalar()) return node->text;
  complain(*node, "'" + std::string(key) + "' takes text, not " + yaml_kind(*node));
  return fallback;
}

int64_t YamlReader::integer(const Yaml& map, std::string_view key, int64_t fallback) {
  const Yaml* node = map.find(key);
  if (!node) return fallback;
  Value v = value(*node);
  if (v.is_int() && v.as_int() >= 0) return v.as_int();
  complain(*node, "'" + std::string(key) + "' takes an integer from 0, not " + yaml_kind(*node));
  return fallback;
}

bool YamlReader::boolean(const Yaml& map, std::string_view key, bool fallback) {
  const Yaml* node = map.find(key);
  if (!node) return fallback;
  Value v = value(*node);
  if (v.is_bool()) return v.as_bool();
  complain(*node, "'" + std::string(key) + "' takes true or false, not " + yaml_kind(*node));
  return fallback;
}

std::vector<std::string> YamlReader::texts(const Yaml& map, std::string_view key) {
  std::vector<std::string> out;
  const Yaml* node = map.find(key);
  if (!node || node->is_null()) return out;
  if (!node->is_list()) {
    complain(*node, "'" + std::string(key) + "' takes a list of texts, not " + yaml_kind(*node),
             "write " + std::string(key) + ": [...]");
    return out;
  }
  for (const Yaml& item : node->items) {
    if (item.is_scalar())
      out.push_back(item.text);
    else
      complain(item, "an element of '" + std::string(key) + "' is " + yaml_kind(item) + ", not text");
  }
  return out;
}

std::string YamlReader::word(const Yaml& map, std::string_view key, const std::vector<std::string>& words,
                             std::string fallback) {
  const Yaml* node = map.find(key);
  if (!node) return fallback;
  std::string list;
  for (const std::string& w : words) {
    if (node->is_scalar() && node->text == w) return w;
    list += (list.empty() ? "" : ", ") + w;
  }
  complain(*node, "'" + std::string(key) + "' takes one of " + list + ", not " + yaml_kind(*node),
           did_you_mean(node->text, words));
  return fallback;
}

Value YamlReader::value(const Yaml& node) {
  try {
    return yaml_value(b_, node, file_);
  } catch (const Error& e) {
    complaints_.push_back(e);
    return Value();
  }
}

std::optional<OptionSchema> YamlReader::option_schema(const Yaml& name, const Yaml& node, const std::string& what) {
  std::string title = "option '" + name.text + "' of " + what;
  if (!map(node, title, {{"type", true}, {"default"}, {"choices"}, {"summary"}})) return std::nullopt;
  OptionSchema schema;
  schema.name = name.text;
  std::string type = word(node, "type", option_type_names(), "");
  if (type.empty()) return std::nullopt;
  schema.type = *option_type_from(type);
  schema.summary = text(node, "summary");
  if (const Yaml* choices = node.find("choices")) {
    if (!choices->is_list() || choices->items.empty())
      complain(*choices, "'choices' takes a list of values, not " + yaml_kind(*choices));
    std::vector<Value> values;
    for (const Yaml& item : choices->items) {
      values.push_back(value(item));
      std::string problem = option_problem(schema, values.back());
      if (!problem.empty()) complain(item, "a choice of " + title + " is wrong: the option " + problem);
    }
    schema.choices = std::move(values);
  }
  const Yaml* fallback = node.find("default");
  schema.required = fallback == nullptr;
  if (fallback) {
    Value v = value(*fallback);
    std::string problem = v.is_none() ? "" : option_problem(schema, v);
    if (!problem.empty()) complain(*fallback, "the default of " + title + " is wrong: the option " + problem);
    schema.default_value = schema.type == OptionType::kFloat && v.is_int() ? Value(v.as_float()) : v;
  }
  return schema;
}

OptionSchemas YamlReader::option_schemas(const Yaml& node, const std::string& what) {
  OptionSchemas out;
  if (node.is_null()) return out;
  if (!node.is_map()) {
    complain(node,
             "the options of " + what + " are a map from a name to {type, default, summary}, not " + yaml_kind(node));
    return out;
  }
  std::set<std::string_view> seen;
  for (const auto& [name, schema] : node.entries) {
    if (!seen.insert(name.text).second) {
      complain(name, "the option '" + name.text + "' comes twice in " + what, {}, TN_ERROR_DUPLICATE);
      continue;
    }
    if (std::optional<OptionSchema> s = option_schema(name, schema, what)) out.push_back(std::move(*s));
  }
  return out;
}

void raise(const std::vector<Error>& complaints, const std::string& hint_for_more) {
  if (complaints.empty()) return;
  Error e = complaints[0];
  if (complaints.size() > 1) {
    std::string more = std::to_string(complaints.size() - 1) + " more of this kind: " + hint_for_more;
    e.hint = e.hint.empty() ? more : e.hint + "; " + more;
  }
  throw e;
}

}  // namespace tenon
