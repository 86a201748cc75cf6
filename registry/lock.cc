#include "registry/lock.h"

#include <cmath>
#include <cstdio>
#include <map>
#include <set>

#include "build/catalog.h"
#include "registry/probe/cache.h"
#include "tenon/kinds.h"

namespace tenon {

namespace {

std::string quoted(std::string_view s) {
  std::string out = "\"";
  for (char c : s) {
    auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      char text[8];
      std::snprintf(text, sizeof text, "\\x%02X", byte);
      out += text;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

// The shortest text that reads back as the same number, and not as an integer.
std::string number_text(double v) {
  char text[40];
  for (int digits = 1; digits <= 17; ++digits) {
    std::snprintf(text, sizeof text, "%.*g", digits, v);
    if (std::strtod(text, nullptr) == v) break;
  }
  std::string out = text;
  return std::isfinite(v) && out.find_first_of(".e") == std::string::npos ? out + ".0" : out;
}

std::string key_text(std::string_view key) {
  for (char c : key)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
          c == '.'))
      return quoted(key);
  bool letter = !key.empty() && ((key[0] >= 'a' && key[0] <= 'z') || (key[0] >= 'A' && key[0] <= 'Z'));
  return letter && key != "null" && key != "true" && key != "false" ? std::string(key) : quoted(key);
}

std::string plugin_text(const PluginInfo& p) {
  std::string provides;
  for (const std::string& c : p.provides) provides += (provides.empty() ? "" : ", ") + c;
  std::string out = "  - id: " + p.id + "\n    version: " + quoted(p.version) + "\n";
  if (!p.vendor.empty()) out += "    vendor: " + quoted(p.vendor) + "\n";
  out += "    tier: " + p.tier + "\n    provides: [" + provides + "]\n";
  out += "    manifest: " + known_digest_of_file(p.manifest) + "\n";
  if (!p.library.empty()) out += "    library: " + known_digest_of_file(p.library) + "\n";
  return out;
}

}  // namespace

std::string yaml_text(const Value& v) {
  if (v.is_none()) return "null";
  if (v.is_bool()) return v.as_bool() ? "true" : "false";
  if (v.is_int()) return std::to_string(v.as_int());
  if (v.is_float()) return number_text(v.as_float());
  if (v.is_string()) return quoted(v.as_string());
  std::string out;
  if (v.is_array()) {
    for (const Value& item : v.ref<Array>()) out += (out.empty() ? "" : ", ") + yaml_text(item);
    return "[" + out + "]";
  }
  if (v.is_map()) {
    for (const Map::Entry& e : v.ref<Map>())
      out += (out.empty() ? "" : ", ") + key_text(e.key()) + ": " + yaml_text(e.value());
    return "{" + out + "}";
  }
  throw Error(TN_ERROR_TYPE, "a lock cannot hold a value of type index " + std::to_string(v.type_index()));
}

std::string lock_text(PluginProvider& provider, const LockParts& parts) {
  std::set<std::string> ids(parts.others.begin(), parts.others.end());
  for (const Stage& s : parts.pipeline.stages) ids.insert(s.pass->plugin);
  for (const std::string* id : {&parts.codegen, &parts.linker})
    if (!id->empty()) ids.insert(*id);
  std::string out =
      "# How a module is compiled. `tenon compile MODEL --lock FILE` does it again.\n"
      "lock: 1\n"
      "tenon: {version: " +
      quoted(parts.core_version) + ", abi: " + std::to_string(TN_ABI_VERSION) +
      ", vocabulary: " + std::to_string(TN_IR_VOCABULARY) + "}\n";
  out += "pipeline: " + quoted(parts.pipeline.name) + "\n";
  out += "target: " + yaml_text(Value(parts.target)) + "\n";
  out += "complete: " + std::string(parts.complete ? "true" : "false") + "\n";
  if (!parts.codegen.empty())
    out += "codegen: {plugin: " + parts.codegen +
           ", options: " + (parts.codegen_options.empty() ? "{}" : yaml_text(Value(parts.codegen_options))) + "}\n";
  if (!parts.linker.empty()) out += "linker: {plugin: " + parts.linker + "}\n";
  out += ids.empty() ? "plugins: []\n" : "plugins:\n";
  for (const std::string& id : ids) out += plugin_text(find_plugin(provider, id));
  // Before the stages, so that a lock which is cut off among them does not pass for a shorter one.
  out += "stage_count: " + std::to_string(parts.pipeline.stages.size()) + "\n";
  out += parts.pipeline.stages.empty() ? "stages: []\n" : "stages:\n";
  for (const Stage& s : parts.pipeline.stages)
    out += "  - {pass: " + quoted(s.pass->full_name()) +
           ", options: " + (s.options.empty() ? "{}" : yaml_text(Value(s.options))) + "}\n";
  return out;
}

}  // namespace tenon
