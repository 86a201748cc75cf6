#include <set>

#include "build/catalog.h"
#include "diag/suggest.h"
#include "registry/lock.h"
#include "registry/probe/cache.h"
#include "tenon/kinds.h"

namespace tenon {

namespace {

class LockReader {
 public:
  LockReader(const Builder& b, PluginProvider& provider, const std::string& core_version, const std::string& file)
      : r_(b, file), provider_(provider), core_version_(core_version) {}

  LockReading read(const Yaml& top, const Map* target) {
    LockReading out;
    if (r_.map(top, "the lock",
               {{"lock", true},
                {"tenon", true},
                {"pipeline", true},
                {"target", true},
                {"complete", true},
                {"codegen"},
                {"linker"},
                {"plugins", true},
                {"stage_count", true},
                {"stages", true}})) {
      if (r_.integer(top, "lock", 0) != 1)
        r_.complain(*top.find("lock"), "a lock of form " + top.find("lock")->text + "; this Tenon reads form 1",
                    "make the lock anew with: tenon pipeline lock");
      else if (r_.complaints().empty())
        compare(top, target);
      if (Value v = r_.value(top); v.is_map()) out.lock = v.ref<Map>();
    }
    out.differences = r_.complaints();
    return out;
  }

 private:
  void compare(const Yaml& top, const Map* target) {
    require_text(*top.find("pipeline"), "'pipeline'");
    r_.boolean(top, "complete", false);
    compare_core(*top.find("tenon"));
    const Yaml& locked = *top.find("target");
    if (!is_target(locked)) {
    } else if (Value v = r_.value(locked); target && v.is_map() && yaml_text(v) != yaml_text(Value(*target))) {
      differ(locked, "the lock is for the target " + yaml_text(v) + ", not " + yaml_text(Value(*target)),
             "leave --target out, or make a lock for this target");
    }
    compare_plugins(*top.find("plugins"));
    for (const char* role : {"codegen", "linker"})
      if (const Yaml* node = top.find(role)) compare_role(*node, role);
    compare_stages(*top.find("stages"));
    const Yaml& stages = *top.find("stages");
    auto count = static_cast<int64_t>(stages.items.size());
    if (int64_t said = r_.integer(top, "stage_count", count); stages.is_list() && said != count)
      r_.complain(*top.find("stage_count"),
                  "the lock was written with " + std::to_string(said) + " stages and holds " + std::to_string(count) +
                      ": it is cut off, or was changed",
                  "get it again, or make the lock anew");
  }

  // Whether it says what is needed of each target; what a kind says beside this is its own.
  bool is_target(const Yaml& node) {
    if (!node.is_map()) {
      r_.complain(node, "'target' is a map of keys and values, not " + yaml_kind(node));
      return false;
    }
    size_t before = r_.complaints().size();
    const Yaml* kind = node.find("kind");
    if (!kind) r_.complain(node, "'target' lacks the key 'kind'");
    for (const char* key : {"kind", "arch"})
      if (const Yaml* word = node.find(key)) require_text(*word, "'" + std::string(key) + "'");
    if (const Yaml* features = node.find("features"); features && !features->is_list())
      r_.complain(*features, "'features' is a list of texts, not " + yaml_kind(*features));
    else if (features)
      for (const Yaml& feature : features->items) require_text(feature, "a feature");
    return r_.complaints().size() == before;
  }

  void require_text(const Yaml& node, const std::string& what) {
    if (!node.is_scalar() || !r_.value(node).is_string())
      r_.complain(node, what + " is text, not " + yaml_kind(node), "put it in quotes");
  }

  void differ(const Yaml& at, std::string message, std::string hint, int32_t code = TN_ERROR_CHECK_FAILED) {
    r_.complain(at, std::move(message), std::move(hint), code);
  }

  void compare_core(const Yaml& node) {
    if (!r_.map(node, "'tenon'", {{"version", true}, {"abi", true}, {"vocabulary", true}})) return;
    const Yaml* at = node.find("version");
    std::string version = r_.text(node, "version");
    if (at && version != core_version_)
      differ(*at, "the lock was made by Tenon " + version + ", this is Tenon " + core_version_,
             "use that version, or make the lock anew", TN_ERROR_ABI_MISMATCH);
    struct Row {
      const char* key;
      const char* name;
      int64_t here;
    };
    for (const Row& row : {Row{"abi", "ABI", TN_ABI_VERSION}, Row{"vocabulary", "IR vocabulary", TN_IR_VOCABULARY}})
      if (int64_t there = r_.integer(node, row.key, row.here); there != row.here)
        differ(*node.find(row.key),
               "the lock was made with " + std::string(row.name) + " " + std::to_string(there) + ", this Tenon has " +
                   std::to_string(row.here),
               "use that version of Tenon, or make the lock anew", TN_ERROR_ABI_MISMATCH);
  }

  void compare_plugins(const Yaml& list) {
    if (!list.is_list()) return r_.complain(list, "'plugins' is a list, not " + yaml_kind(list));
    for (const Yaml& node : list.items) {
      if (!r_.map(node, "a plugin of the lock",
                  {{"id", true},
                   {"version", true},
                   {"vendor"},
                   {"tier", true},
                   {"provides", true},
                   {"manifest", true},
                   {"library"}}))
        continue;
      const Yaml* at = node.find("id");
      std::string id = r_.text(node, "id");
      if (!at || !node.find("version")) continue;  // complained about
      require_text(*at, "the id of a plugin");
      if (!ids_.insert(id).second) {
        r_.complain(*at, "the plugin '" + id + "' comes twice in the lock", {}, TN_ERROR_DUPLICATE);
        continue;
      }
      compare_plugin(node, *at, id);
    }
  }

  void compare_plugin(const Yaml& node, const Yaml& at, const std::string& id) {
    std::string version = r_.text(node, "version");
    const PluginInfo* here = nullptr;
    try {
      here = &find_plugin(provider_, id);
    } catch (const Error& e) {
      differ(at, "the lock has the plugin '" + id + "' " + version + ", which cannot be used here: " + e.message,
             "install that version of the plugin", TN_ERROR_NOT_FOUND);
      return;
    }
    if (here->version != version)
      return differ(*node.find("version"),
                    "the lock has the plugin '" + id + "' " + version + ", installed is " + here->version + " (" +
                        here->manifest + ")",
                    "install that version of the plugin, or make the lock anew");
    size_t before = r_.complaints().size();
    compare_file(node, id, "manifest", here->manifest);
    if (r_.complaints().size() == before) compare_with_manifest(node, *here);
    compare_file(node, id, "library", here->library);
  }

  // What the lock repeats of a manifest that is the one of the lock.
  void compare_with_manifest(const Yaml& node, const PluginInfo& here) {
    auto compare = [&](const char* key, bool same) {
      const Yaml* at = node.find(key);
      if (!same)
        differ(at ? *at : node,
               "the " + std::string(key) + " of the plugin '" + here.id +
                   "' is not what its manifest says: the lock was "
                   "changed",
               "make the lock anew");
    };
    size_t before = r_.complaints().size();
    std::string vendor = r_.text(node, "vendor"), tier = r_.text(node, "tier");
    std::vector<std::string> provides = r_.texts(node, "provides");
    if (r_.complaints().size() != before) return;
    compare("vendor", vendor == here.vendor);
    compare("tier", tier == here.tier);
    compare("provides", provides == here.provides);
  }

  void compare_file(const Yaml& node, const std::string& id, const char* key, const std::string& file) {
    const Yaml* at = node.find(key);
    std::string locked = at ? r_.text(node, key) : "", digest;
    try {
      if (!file.empty()) digest = known_digest_of_file(file);
    } catch (const Error& e) {
      differ(at ? *at : node,
             "the " + std::string(key) + " of the plugin '" + id + "' cannot be compared: " + e.message + " (" +
                 e.where + ")",
             "install the plugin again", e.code);
      return;
    }
    if (digest == locked) return;
    auto text = [](const std::string& d) { return d.empty() ? std::string("none") : d; };
    differ(at ? *at : node,
           "the " + std::string(key) + " of the plugin '" + id + "' is not the one of the lock: " + text(locked) +
               " there, " + text(digest) + " here (" + file + ")",
           "install the plugin of the lock again, or make the lock anew");
  }

  void compare_role(const Yaml& node, const std::string& role) {
    bool codegen = role == "codegen";
    bool is_map = codegen ? r_.map(node, "'codegen'", {{"plugin", true}, {"options", true}})
                          : r_.map(node, "'linker'", {{"plugin", true}});
    if (!is_map) return;
    std::string id = r_.text(node, "plugin");
    const Yaml* at = node.find("plugin");
    const char* capability = codegen ? "tenon.codegen/1" : "tenon.linker/1";
    if (!at || !listed(*at, id)) return;
    const PluginInfo* plugin = provider_.find(id);
    if (!plugin) return;  // told with the plugins
    if (!plugin->has(capability)) return differ(*at, "the plugin '" + id + "' does not provide " + capability, {});
    if (codegen && plugin->codegen) check_options(node, *at, plugin->codegen->options, "the code generator " + id);
  }

  bool listed(const Yaml& at, const std::string& id) {
    if (ids_.contains(id)) return true;
    r_.complain(at, "the lock uses the plugin '" + id + "', and 'plugins' does not list it",
                did_you_mean(id, {ids_.begin(), ids_.end()}, "make the lock anew"), TN_ERROR_NOT_FOUND);
    return false;
  }

  void compare_stages(const Yaml& list) {
    if (!list.is_list()) return r_.complain(list, "'stages' is a list, not " + yaml_kind(list));
    for (const Yaml& node : list.items) {
      if (!r_.map(node, "a stage of the lock", {{"pass", true}, {"options", true}})) continue;
      const Yaml* at = node.find("pass");
      std::string name = r_.text(node, "pass");
      if (!at || !listed(*at, name.substr(0, name.find(':')))) continue;
      if (!provider_.find(name.substr(0, name.find(':')))) continue;
      try {
        PassRef pass = find_pass(provider_, name);
        check_options(node, *at, pass->options, "pass " + name);
      } catch (const Error& e) { differ(*at, e.message, e.hint, e.code); }
    }
  }

  // The options of a lock are complete: each that is declared is there, and has its type.
  void check_options(const Yaml& node, const Yaml& at, const OptionSchemas& schemas, const std::string& what) {
    const Yaml* options = node.find("options");
    if (!options) return;
    if (!options->is_map())
      return r_.complain(*options, "'options' is a map of names and values, not " + yaml_kind(*options));
    size_t before = r_.complaints().size();
    Value given = r_.value(*options);
    if (r_.complaints().size() != before) return;
    OptionSite site{what, [&](std::string_view option) {
                      const Yaml* value = options->find(option);
                      return r_.where(value ? *value : at);
                    }};
    complete_options(r_.builder(), schemas, given.ref<Map>(), site, [&](Error e) { r_.add(std::move(e)); });
    for (const OptionSchema& s : schemas)
      if (!options->find(s.name) && !s.required)
        r_.complain(*options, "the lock lacks the option '" + s.name + "' of " + what, "make the lock anew");
  }

  YamlReader r_;
  PluginProvider& provider_;
  const std::string& core_version_;
  std::set<std::string> ids_;
};

}  // namespace

LockReading read_lock(const Builder& b, PluginProvider& provider, const std::string& core_version,
                      const std::string& text, const std::string& file, const Map* target) {
  try {
    return LockReader(b, provider, core_version, file).read(parse_yaml(text, file), target);
  } catch (const Error& e) { return {Map(), {e}}; }
}

}  // namespace tenon
