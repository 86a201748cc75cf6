#include "registry/config.h"

#include <sys/auxv.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "diag/suggest.h"
#include "registry/pipeline_source.h"

namespace tenon {

namespace {

// The ids of plugins in the order of preference; they need not be installed.
std::vector<std::string> read_preferences(YamlReader& r, const Yaml& top) {
  std::vector<std::string> ids = r.texts(top, "plugins");
  const Yaml* list = top.find("plugins");
  if (!list || ids.size() != list->items.size()) return ids;
  for (size_t i = 0; i < ids.size(); ++i) {
    const Yaml& at = list->items[i];
    if (ids[i].empty() || ids[i].find_first_of("/: \t\n") != std::string::npos || ids[i].ends_with(".so"))
      r.complain(at, yaml_kind(at) + " is not the id of a plugin", "ids are listed by: tenon plugin list");
    else if (std::find(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(i), ids[i]) !=
             ids.begin() + static_cast<std::ptrdiff_t>(i))
      r.complain(at, "the plugin '" + ids[i] + "' comes twice", "leave one of them out", TN_ERROR_DUPLICATE);
  }
  return ids;
}

void read_pipelines(YamlReader& r, const Yaml& node, Config& config) {
  if (node.is_null()) return;
  if (!node.is_map()) {
    r.complain(node, "'pipelines' is a map from names to pipelines, not " + yaml_kind(node),
               "write pipelines: {NAME: {stages: [PLUGIN:PASS]}}");
    return;
  }
  std::vector<std::string> own;
  for (const auto& [name, body] : node.entries) {
    if (!name.is_scalar()) {
      r.complain(name, "the name of a pipeline is " + yaml_kind(name) + ", not text");
      continue;
    }
    if (name.text.empty() || name.text == "none" || name.text.find_first_of("/ \t\n") != std::string::npos ||
        is_pipeline_file(name.text) || name.text.ends_with(".so"))
      r.complain(name, yaml_kind(name) + " cannot be the name of a pipeline",
                 name.text == "none" ? "--pipeline none says that no pass runs; take another name"
                                     : "take a word; a path or an ending such as .yaml would name a file");
    if (std::find(own.begin(), own.end(), name.text) != own.end())
      r.complain(name, "the pipeline '" + name.text + "' comes twice", "leave one of them out", TN_ERROR_DUPLICATE);
    own.push_back(name.text);
    auto earlier = std::find_if(config.pipelines.begin(), config.pipelines.end(),
                                [&](const Config::Named& n) { return n.name == name.text; });
    if (earlier != config.pipelines.end())
      *earlier = {name.text, r.file(), body};
    else
      config.pipelines.push_back({name.text, r.file(), body});
  }
}

void read_slots(YamlReader& r, const Yaml& node, Config& config) {
  if (node.is_null()) return;
  if (!node.is_map()) {
    r.complain(node, "'slots' is a map from pipelines to their slots, not " + yaml_kind(node),
               "write slots: {cpu: {SLOT: [PLUGIN:PASS]}}");
    return;
  }
  std::vector<std::string> own;
  for (const auto& [name, body] : node.entries) {
    if (!name.is_scalar()) {
      r.complain(name, "the name of a pipeline is " + yaml_kind(name) + ", not text",
                 "write slots: {cpu: {SLOT: [PLUGIN:PASS]}}");
      continue;
    }
    if (std::find(own.begin(), own.end(), name.text) != own.end())
      r.complain(name, "the slots of '" + name.text + "' come twice", "write them into one map", TN_ERROR_DUPLICATE);
    own.push_back(name.text);
    if (!config.find(name.text))
      r.complain(name, "there is no pipeline '" + name.text + "' whose slots could be filled",
                 did_you_mean(name.text, config.names(),
                              "slots stand under the name of their pipeline: "
                              "slots: {cpu: {SLOT: [PLUGIN:PASS]}}"),
                 TN_ERROR_NOT_FOUND);
    config.slots.push_back({name.text, r.file(), body});
  }
}

}  // namespace

const Config::Named* Config::find(const std::string& name) const {
  for (const Named& n : pipelines)
    if (n.name == name) return &n;
  return nullptr;
}

std::vector<std::string> Config::names() const {
  std::vector<std::string> out;
  for (const Named& n : pipelines) out.push_back(n.name);
  return out;
}

std::string Config::file_text() const {
  std::string out;
  for (const std::string& f : files) out += (out.empty() ? "" : " and ") + f;
  return out.empty() ? "the configuration" : out;
}

Config read_config(const Builder& b, const std::vector<std::string>& files) {
  Config config;
  for (const std::string& file : files) {
    config.files.push_back(file);
    YamlReader r(b, file);
    Yaml top = read_yaml(file);
    if (!top.is_null() && r.map(top, "the configuration", {{"plugins"}, {"pipelines"}, {"slots"}, {"isolation"}})) {
      std::vector<std::string> plugins = read_preferences(r, top);
      for (const std::string& earlier : config.plugins)
        if (std::find(plugins.begin(), plugins.end(), earlier) == plugins.end()) plugins.push_back(earlier);
      config.plugins = std::move(plugins);
      if (const Yaml* pipelines = top.find("pipelines")) read_pipelines(r, *pipelines, config);
      if (const Yaml* isolation = top.find("isolation")) config.isolation = read_isolation(r, *isolation);
      if (const Yaml* slots = top.find("slots")) read_slots(r, *slots, config);
    }
    raise(r.complaints(), "tenon check " + file);
  }
  return config;
}

std::string user_config_file() {
  if (getauxval(AT_SECURE)) return "";
  const char* base = std::getenv("XDG_CONFIG_HOME");
  const char* home = std::getenv("HOME");
  std::filesystem::path file;
  if (base && *base == '/')
    file = std::filesystem::path(base) / "tenon" / "plugins.yaml";
  else if (home && *home == '/')
    file = std::filesystem::path(home) / ".config" / "tenon" / "plugins.yaml";
  std::error_code error;
  return !file.empty() && std::filesystem::exists(file, error) ? file.string() : "";
}

}  // namespace tenon
