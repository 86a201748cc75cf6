#include "build/catalog.h"

#include "diag/suggest.h"
#include "diag/utf8.h"

namespace tenon {

const PluginInfo& find_plugin(PluginProvider& provider, std::string_view id) {
  if (const PluginInfo* found = provider.find(id)) return *found;
  if (const BrokenPlugin* broken = provider.find_broken(id); broken && !broken->complaints.empty()) {
    const Error& first = broken->complaints[0];
    throw Error(
        first.code, "the plugin '" + std::string(id) + "' cannot be used: " + first.message, first.where,
        first.hint.empty() ? "correct it, or install the plugin again; all complaints: tenon plugin list" : first.hint);
  }
  throw Error(TN_ERROR_NOT_FOUND, "there is no plugin '" + shortened(id) + "'", {},
              did_you_mean(id, provider.ids(), "list what is installed with: tenon plugin list"));
}

PassRef find_pass(PluginProvider& provider, std::string_view full_name) {
  size_t colon = full_name.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == full_name.size()) {
    std::vector<std::string> passes;
    for (const PluginInfo& p : provider.plugins())
      for (const PassRef& pass : p.passes) {
        if (pass->name == full_name)
          throw Error(TN_ERROR_NOT_FOUND, "'" + std::string(full_name) + "' is not the full name of a pass", {},
                      "write its plugin first: " + pass->full_name());
        passes.push_back(pass->full_name());
      }
    const std::string id(full_name.substr(0, colon));
    const std::string said = "'" + shortened(full_name) + "' is not the full name of a pass";
    for (const PluginInfo& p : provider.plugins())
      if (p.id == id && !p.passes.empty())
        throw Error(TN_ERROR_NOT_FOUND, said, {},
                    "write which pass of the plugin, such as " + p.passes[0]->full_name());
    throw Error(TN_ERROR_NOT_FOUND, said, {},
                did_you_mean(full_name, passes, "write PLUGIN:PASS, such as com.vendor.thing:simplify"));
  }
  std::string_view id = full_name.substr(0, colon), name = full_name.substr(colon + 1);
  const PluginInfo& plugin = find_plugin(provider, id);
  std::vector<std::string> names;
  for (const PassRef& pass : plugin.passes) {
    if (pass->name == name) return pass;
    names.push_back(pass->name);
  }
  std::string list;
  for (const std::string& n : names) list += (list.empty() ? "" : ", ") + n;
  for (const std::string& n : names)
    if (name.starts_with(n + "{") || name.starts_with(n + " {"))
      throw Error(TN_ERROR_NOT_FOUND, "the plugin '" + plugin.id + "' has no pass '" + shortened(name) + "'", {},
                  "in a file options stand beside the pass: {pass: " + plugin.id + ":" + n + ", options: {...}}");
  throw Error(TN_ERROR_NOT_FOUND, "the plugin '" + plugin.id + "' has no pass '" + shortened(name) + "'", {},
              did_you_mean(name, names, list.empty() ? "it has no passes" : "its passes are: " + list));
}

const PluginInfo& choose_plugin(PluginProvider& provider, std::string_view id, std::string_view capability,
                                const std::string& role, const std::function<bool(const PluginInfo&)>& accepts) {
  std::vector<std::string> candidates;
  for (const PluginInfo& p : provider.plugins())
    if (p.has(capability)) candidates.push_back(p.id);
  std::string list;
  for (const std::string& c : candidates) list += (list.empty() ? "" : ", ") + c;
  std::string known = list.empty() ? "no plugin that is installed is one" : "there are: " + list;
  if (!id.empty()) {
    const PluginInfo& p = find_plugin(provider, id);
    if (!p.has(capability))
      throw Error(TN_ERROR_NOT_FOUND,
                  "the plugin '" + p.id + "' is not " + role + ": it does not provide " + std::string(capability), {},
                  did_you_mean(id, candidates, known));
    return p;
  }
  for (const PluginInfo& p : provider.plugins())
    if (p.has(capability) && (!accepts || accepts(p))) return p;
  throw Error(TN_ERROR_NOT_FOUND, "no installed plugin is " + role + (candidates.empty() ? "" : " for this target"), {},
              candidates.empty()
                  ? "install one; a plugin is found in the folders of TENON_PLUGIN_PATH and in lib/tenon/plugins"
                  : known);
}

Stage make_stage(const Builder& b, PluginProvider& provider, std::string_view full_name, const Map& options,
                 const std::string& where) {
  PassRef pass = find_pass(provider, full_name);
  OptionSite site{"pass " + pass->full_name(), [&](std::string_view) { return where; }};
  return {pass, complete_options(b, pass->options, options, site), where};
}

}  // namespace tenon
