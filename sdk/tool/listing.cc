// tenon plugin: what is installed, from the manifests alone.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "tool.h"

namespace tenon::tool {

namespace {

std::string text(const Json& j, const char* key) {
  return j.contains(key) && j[key].is_string() ? j[key].get<std::string>() : "";
}

std::string joined(const Json& list) {
  std::string out;
  for (const Json& item : list)
    out += (out.empty() ? "" : ", ") + (item.is_string() ? item.get<std::string>() : item.dump());
  return out;
}

std::string options_lines(const Json& options, const std::string& indent) {
  std::string out;
  for (const auto& [name, o] : options.items()) {
    out += indent + name + ": " + text(o, "type");
    out += o.contains("default") ? " = " + o["default"].dump() : " (required)";
    if (o.contains("choices")) out += " of " + joined(o["choices"]);
    if (!text(o, "summary").empty()) out += "  " + text(o, "summary");
    out += "\n";
  }
  return out;
}

void list_plugins(const Json& all) {
  for (const Json& p : all["plugins"]) {
    std::printf("%-20s %-8s %-10s %s\n", text(p, "id").c_str(), text(p, "version").c_str(), text(p, "tier").c_str(),
                text(p, "summary").c_str());
    if (text(p["probe"], "state") == "quarantined")
      std::printf("    in quarantine since %s: it %s\n", text(p["probe"], "since").c_str(),
                  text(p["probe"], "reason").c_str());
  }
  for (const Json& p : all["broken"]) {
    std::printf("%-20s broken   %s\n", text(p, "id").empty() ? "?" : text(p, "id").c_str(),
                text(p, "manifest").c_str());
    for (const Json& c : p["complaints"])
      std::printf("    %s: %s\n", text(c, "where").c_str(), text(c, "message").c_str());
  }
  for (const Json& p : all["others"])
    std::printf("%-20s %-8s not used: %s\n", text(p, "id").c_str(), text(p, "version").c_str(),
                text(p, "reason").c_str());
  for (const Json& d : all["disputed"]) {
    std::string declared;
    for (const Json& place : d["declared"])
      declared += (declared.empty() ? "" : " and ") + text(place, "plugin") + " (" + text(place, "where") + ")";
    std::printf("disputed: the operator %s is declared by %s; it is refused until one of them is left out\n",
                text(d, "operator").c_str(), declared.c_str());
  }
  if (all["plugins"].empty() && all["broken"].empty())
    std::printf("no plugins; searched: %s\n", joined(all["searched"]).c_str());
}

std::string standing_text(const Json& probe) {
  std::string state = text(probe, "state"), since = text(probe, "since");
  if (state == "exempt") return "not needed: it belongs to the installation";
  if (state == "new") return "not yet: it is loaded in another process before it is used";
  if (state == "ok") return "ok, " + since;
  return "in quarantine since " + since + ": it " + text(probe, "reason");
}

void show_plugin(const Json& p) {
  std::printf("%s %s\n  %s\n", text(p, "id").c_str(), text(p, "version").c_str(), text(p, "summary").c_str());
  for (const char* key : {"vendor", "license", "tier", "manifest", "library", "origin", "digest"})
    if (!text(p, key).empty()) std::printf("  %-9s %s\n", key, text(p, key).c_str());
  std::printf("  provides  %s\n", joined(p["provides"]).c_str());
  std::printf("  probe     %s\n", standing_text(p["probe"]).c_str());
  if (p.value("isolated", false)) std::printf("  isolated  runs in a process of its own\n");
  for (const Json& pass : p["passes"])
    std::printf("  pass %s:%s (%s)  %s\n%s", text(p, "id").c_str(), text(pass, "name").c_str(),
                text(pass, "level").c_str(), text(pass, "summary").c_str(),
                options_lines(pass["options"], "      ").c_str());
  for (const Json& op : p["ops"])
    std::printf("  op %s(%s)  %s\n", text(op, "id").c_str(), op.contains("args") ? joined(op["args"]).c_str() : "",
                text(op, "summary").c_str());
  if (p.contains("codegen"))
    std::printf("  code generator for %s: %s\n%s", joined(p["codegen"]["targets"]).c_str(),
                joined(p["codegen"]["formats"]).c_str(), options_lines(p["codegen"]["options"], "      ").c_str());
  if (p.contains("device")) std::printf("  devices of the kind %s\n", joined(p["device"]["kinds"]).c_str());
  if (p.contains("loader")) std::printf("  loader of %s\n", joined(p["loader"]["formats"]).c_str());
  if (p.contains("kinds")) std::printf("  kinds     %s\n", joined(p["kinds"]).c_str());
  if (p.contains("targets"))
    for (const Json& t : p["targets"])
      std::printf("  target %s  %s%s%s\n%s", text(t, "kind").c_str(), text(t, "summary").c_str(),
                  t["features"].empty() ? "" : "; features: ", joined(t["features"]).c_str(),
                  options_lines(t["attributes"], "      ").c_str());
  if (p.contains("offers"))
    for (const auto& [capability, offer] : p["offers"].items())
      std::printf("  offers %s: %s\n", capability.c_str(), offer.dump().c_str());
  if (p.contains("executor")) std::printf("  executor\n%s", options_lines(p["executor"]["options"], "      ").c_str());
}

// The entry of the plugin; a broken or unknown one is an error with its reasons.
Json find_plugin(const CompilerSession& session, const Json& all, const std::string& id) {
  for (const Json& p : all["plugins"])
    if (text(p, "id") == id) return p;
  session.load_plugin(id);  // fails with the reason
  return nullptr;
}

}  // namespace

namespace {

// The verbs below `tenon plugin` that have a file of their own.
constexpr Verb kPluginVerbs[] = {
    {"new", "a project to begin a plugin with", add_plugin_new},
    {"check", "a library or folder: the conformance kit; an id: open an installed plugin", add_plugin_check},
    {"pack", "a plugin's folder as one sealed file", add_package_verb},
    {"keygen", "a key to sign packages with", add_package_verb},
    {"sign", "sign a package", add_package_verb},
    {"verify", "what a customer will see of a package, and whether this machine accepts it", add_package_verb},
    {"install", "install a package into the store", add_package_verb},
    {"remove", "take a package out of the store", add_package_verb},
    {"trust", "show or change whose plugins are loaded", add_package_verb},
    {"doctor", "why a library would not load, without running it", add_package_verb},
};

}  // namespace

Run add_plugin(Command& app, std::shared_ptr<Common> common) {
  auto id = std::make_shared<std::string>();
  std::vector<std::pair<Command*, Run>> verbs;
  for (const Verb& verb : kPluginVerbs) {
    Command* sub = app.add_command(verb.name, verb.summary);
    verbs.emplace_back(sub, verb.add(*sub, common));
  }
  Command* list = app.add_command("list", "the installed plugins, and those that are broken with the reason");
  Command* info = app.add_command("info", "one plugin: its passes, ops and options");
  info->add_option("ID", *id, "the plugin").required();
  Command* probe = app.add_command("probe", "load a plugin in another process and keep what comes of it");
  probe->add_option("ID", *id, "the plugin").required();
  return [=] {
    for (const auto& [sub, run] : verbs)
      if (sub->parsed()) return run();
    auto session = common->open();
    if (probe->parsed()) {
      Json standing = to_json(session->probe(*id));
      if (common->json)
        print_json(standing);
      else
        print_line(*id + ": " + standing_text(standing));
      return text(standing, "state") == "quarantined" ? int{kInternal} : int{kOk};
    }
    Json all = to_json(session->plugins());
    if (list->parsed()) {
      if (common->json)
        print_json(all);
      else
        list_plugins(all);
      return int{kOk};
    }
    Json plugin = find_plugin(*session, all, *id);
    if (common->json)
      print_json(plugin);
    else
      show_plugin(plugin);
    return int{kOk};
  };
}

}  // namespace tenon::tool
