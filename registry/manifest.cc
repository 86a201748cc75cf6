#include "registry/manifest.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "diag/suggest.h"
#include "ir/op_table.h"
#include "registry/manifest_contract.h"
#include "registry/package/runtimes.h"
#include "registry/package/version.h"
#include "tenon/ext/codegen.h"
#include "tenon/ext/draft/device.h"
#include "tenon/ext/draft/instrument.h"
#include "tenon/ext/draft/kind.h"
#include "tenon/ext/draft/loader.h"
#include "tenon/ext/draft/partitioner.h"
#include "tenon/ext/executor.h"
#include "tenon/ext/frontend.h"
#include "tenon/ext/linker.h"
#include "tenon/ext/op.h"
#include "tenon/ext/pass.h"

namespace tenon {

namespace {

const std::string kIdRule =
    "an id is lower-case letters, digits, '-', '.' and '_', such as passes-loop or com.vendor.thing";

bool is_name(std::string_view s, std::string_view extra) {
  if (s.empty() || s.size() > 128) return false;
  for (char c : s)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || extra.find(c) != std::string_view::npos)) return false;
  return s[0] >= 'a' && s[0] <= 'z';
}

// "1.2.3", with an optional "-suffix".
bool is_version(std::string_view s) {
  int dots = 0, digits = 0;
  for (size_t i = 0; i < s.size(); ++i) {
    if (s[i] >= '0' && s[i] <= '9') {
      ++digits;
    } else if (s[i] == '.' && digits > 0) {
      ++dots;
      digits = 0;
    } else {
      constexpr const char* kSuffix = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-+_";
      return s[i] == '-' && dots == 2 && digits > 0 && i + 1 < s.size() && s.size() <= 64 &&
             s.find_first_not_of(kSuffix, i) == std::string_view::npos;
    }
  }
  return dots == 2 && digits > 0 && s.size() <= 64;
}

// "tenon.pass/1": revisions begin with 1.
bool is_capability(std::string_view s) {
  size_t slash = s.find('/');
  if (slash == std::string_view::npos) return false;
  std::string_view revision = s.substr(slash + 1);
  return is_name(s.substr(0, slash), "._-") && !revision.empty() && revision.size() <= 9 && revision[0] != '0' &&
         revision.find_first_not_of("0123456789") == std::string_view::npos;
}

const std::vector<std::string> kOwnCapabilities = {TN_PASS,     TN_OP,         TN_KIND,        TN_CODEGEN,
                                                   TN_LINKER,   TN_FRONTEND,   TN_PARTITIONER, "tenon.onnx_converter/1",
                                                   TN_EXECUTOR, TN_DEVICE_API, TN_LOADER,      TN_INSTRUMENT};

class ManifestReader {
 public:
  ManifestReader(const Builder& b, const std::string& file) : r_(b, file) {}

  ManifestResult read(const Yaml& top) {
    if (r_.map(top, "the manifest", {{"id", true},      {"version", true}, {"vendor"},   {"license"},    {"tier", true},
                                     {"summary", true}, {"library"},       {"runtimes"}, {"vocabulary"}, {"provides"},
                                     {"passes"},        {"ops"},           {"codegen"},  {"executor"},   {"frontend"},
                                     {"device"},        {"loader"},        {"kinds"},    {"targets"},    {"offers"}})) {
      read_identity(top);
      read_vocabulary(top);
      if (const Yaml* passes = top.find("passes")) read_passes(*passes);
      if (const Yaml* ops = top.find("ops")) read_ops(*ops);
      if (const Yaml* codegen = top.find("codegen")) read_codegen(*codegen);
      if (const Yaml* executor = top.find("executor")) read_executor(*executor);
      if (const Yaml* frontend = top.find("frontend")) read_frontend(*frontend);
      if (const Yaml* device = top.find("device")) read_device(*device);
      if (const Yaml* loader = top.find("loader")) read_loader(*loader);
      if (const Yaml* runtimes = top.find("runtimes")) read_runtimes(*runtimes);
      read_contract(r_, top, p_);
      check_capabilities(top);
    }
    return {std::move(p_), r_.complaints()};
  }

 private:
  // Text that is shown to people before they trust the plugin: it cannot pretend to be something else.
  std::string shown(const Yaml& top, const char* key) {
    std::string text = r_.text(top, key);
    for (char c : text)
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        r_.complain(*top.find(key), "'" + std::string(key) + "' holds control characters", "write it as one line");
        break;
      }
    return text;
  }

  void read_identity(const Yaml& top) {
    p_.manifest = r_.file();
    p_.id = r_.text(top, "id");
    if (const Yaml* at = top.find("id"); at && !is_name(p_.id, "._-"))
      r_.complain(*at, "'" + p_.id + "' is not a plugin id", kIdRule);
    p_.version = r_.text(top, "version");
    if (const Yaml* at = top.find("version"); at && !is_version(p_.version))
      r_.complain(*at, "'" + p_.version + "' is not a version", "write three numbers, such as 0.1.0");
    p_.vendor = shown(top, "vendor");
    p_.license = shown(top, "license");
    p_.tier = r_.word(top, "tier", {"stable-c", "preview-c"}, "");
    p_.summary = r_.text(top, "summary");
    std::string library = shown(top, "library");
    if (const Yaml* at = top.find("library")) {
      if (library.empty() || library == "." || library == ".." || library.size() > 255 ||
          library.find('/') != std::string::npos)
        r_.complain(*at, "'library' is the name of a file next to the manifest, not '" + library + "'");
      else
        p_.library = (std::filesystem::path(r_.file()).parent_path() / library).string();
    }
  }

  void read_vocabulary(const Yaml& top) {
    const Yaml* at = top.find("vocabulary");
    if (!at || !r_.map(*at, "'vocabulary'", {{"consumes"}, {"emits"}})) return;
    p_.consumes = r_.integer(*at, "consumes", 0);
    p_.emits = r_.integer(*at, "emits", 0);
  }

  // Calls f for each element of a list.
  template <class F>
  void each(const Yaml& list, const std::string& what, F&& f) {
    if (!list.is_list() && !list.is_null()) r_.complain(list, what + " is a list, not " + yaml_kind(list));
    for (const Yaml& item : list.items) f(item);
  }

  // A list of properties of a module, or of full names of passes.
  std::vector<std::string> names(const Yaml& pass, std::string_view key, bool of_passes) {
    std::vector<std::string> out = r_.texts(pass, key);
    const Yaml* list = pass.find(key);
    for (size_t i = 0; i < out.size() && list->items.size() == out.size(); ++i) {
      size_t colon = out[i].find(':');
      std::string_view plugin = std::string_view(out[i]).substr(0, colon);
      std::string_view rest = colon == std::string::npos ? "" : std::string_view(out[i]).substr(colon + 1);
      bool right = of_passes ? is_name(plugin, "._-") && is_name(rest, "_-") : is_name(out[i], "._-");
      if (!right)
        r_.complain(list->items[i],
                    "'" + out[i] + "' is not " + (of_passes ? "the full name of a pass" : "the name of a property"),
                    of_passes ? "write PLUGIN:PASS, such as passes-loop:simplify"
                              : "a name is lower-case letters, digits, '-', '.' and '_', such as blocks");
    }
    return out;
  }

  void read_passes(const Yaml& list) {
    each(list, "'passes'", [&](const Yaml& item) {
      if (!r_.map(item, "a pass",
                  {{"name", true},
                   {"level", true},
                   {"summary", true},
                   {"concurrent"},
                   {"unknown"},
                   {"kinds"},
                   {"options"},
                   {"requires"},
                   {"provides"},
                   {"invalidates"},
                   {"after"},
                   {"before"}}))
        return;
      auto pass = std::make_shared<PassInfo>();
      pass->plugin = p_.id;
      pass->name = r_.text(item, "name");
      const Yaml* at = item.find("name");
      if (at && !is_name(pass->name, "_-"))
        r_.complain(*at, "'" + pass->name + "' is not a pass name",
                    "a name is lower-case letters, digits, '_' and '-', such as simplify or lower_blocks");
      if (at && !passes_.insert(pass->name).second)
        r_.complain(*at, "the pass '" + pass->name + "' is declared twice", "give one of them another name",
                    TN_ERROR_DUPLICATE);
      std::string level = r_.word(item, "level", {"module", "loop", "graph"}, "module");
      pass->level = level == "loop" ? Level::kLoop : level == "graph" ? Level::kGraph : Level::kModule;
      pass->summary = r_.text(item, "summary");
      pass->concurrent = r_.boolean(item, "concurrent", false);
      pass->consumes = std::max<int64_t>(p_.consumes, 1);
      pass->preserves_unknown = r_.word(item, "unknown", {"convert", "preserve"}, "convert") == "preserve";
      pass->lowers_kinds = r_.word(item, "kinds", {"keep", "lower"}, "keep") == "lower";
      if (const Yaml* options = item.find("options"))
        pass->options = r_.option_schemas(*options, "pass '" + pass->name + "'");
      pass->required = names(item, "requires", false);
      pass->provided = names(item, "provides", false);
      pass->invalidated = names(item, "invalidates", false);
      pass->after = names(item, "after", true);
      pass->before = names(item, "before", true);
      p_.passes.push_back(pass);
    });
  }

  // The op table says what a row may hold; here it is asked about each row alone.
  void read_ops(const Yaml& list) {
    each(list, "'ops'", [&](const Yaml& item) {
      Value row = r_.value(item);
      if (!row.is_map()) return r_.complain(item, "an op is a map of keys and values, not " + yaml_kind(item));
      try {
        op_table_.add(row.ref<Map>(), p_.id, r_.where(item));
      } catch (const Error& e) { return r_.add(e); }
      std::string id(row.ref<Map>().find("id")->as_string());
      op_functions_ = op_functions_ || !op_table_.get(id).functions.empty();
      p_.ops.push_back({id, row.ref<Map>(), r_.where(item)});
    });
  }

  void read_codegen(const Yaml& node) {
    if (!r_.map(node, "'codegen'", {{"targets", true}, {"formats", true}, {"level"}, {"options"}})) return;
    CodegenInfo codegen;
    codegen.targets = r_.texts(node, "targets");
    codegen.formats = r_.texts(node, "formats");
    codegen.level = r_.word(node, "level", {"loop", "graph"}, "loop") == "graph" ? Level::kGraph : Level::kLoop;
    if (const Yaml* options = node.find("options")) codegen.options = r_.option_schemas(*options, "the code generator");
    p_.codegen = std::move(codegen);
  }

  void read_executor(const Yaml& node) {
    ExecutorInfo executor;
    if (!node.is_null()) {
      if (!r_.map(node, "'executor'", {{"bounded"}, {"options"}})) return;
      if (const Yaml* options = node.find("options")) executor.options = r_.option_schemas(*options, "the executor");
      executor.bounded = r_.boolean(node, "bounded", false);
      auto has_int = [&](std::string_view name) {
        for (const OptionSchema& o : executor.options)
          if (o.name == name) return o.type == OptionType::kInt;
        return false;
      };
      for (const char* name : {"max_steps", "max_bytes"})
        if (executor.bounded && !has_int(name))
          r_.complain(node, "'bounded' needs the option '" + std::string(name) + "' of type int",
                      "an executor is bounded when callers can limit its steps and its memory");
    }
    p_.executor = std::move(executor);
  }

  void read_frontend(const Yaml& node) {
    if (!r_.map(node, "'frontend'", {{"extensions", true}})) return;
    p_.frontend = FrontendInfo{r_.texts(node, "extensions")};
    for (const std::string& extension : p_.frontend->extensions)
      if (extension.empty() || extension.find_first_of("./ ") != std::string::npos)
        r_.complain(*node.find("extensions"), "'" + extension + "' is no ending of the names of files",
                    "write what stands behind the last dot, such as onnx");
  }

  void read_device(const Yaml& node) {
    if (!r_.map(node, "'device'", {{"kinds", true}})) return;
    p_.device = DeviceInfo{r_.texts(node, "kinds")};
  }

  void read_loader(const Yaml& node) {
    if (!r_.map(node, "'loader'", {{"formats", true}})) return;
    p_.loader = LoaderInfo{r_.texts(node, "formats")};
  }

  // {cuda: ">=12,<14", com.vendor.npu: {version: ">=2", library: libnpu.so}}
  void read_runtimes(const Yaml& node) {
    if (!node.is_map()) return r_.complain(node, "'runtimes' is a map from names to ranges, not " + yaml_kind(node));
    for (const auto& [name, value] : node.entries) {
      RuntimeNeed need{name.text, "", ""};
      const std::string what = "the runtime '" + name.text + "'";
      const Yaml* range = &value;
      if (value.is_map()) {
        if (!r_.map(value, what, {{"version", true}, {"library", true}})) continue;
        need.library = r_.text(value, "library");
        if (!need.library.ends_with(".so") || need.library.find('/') != std::string::npos)
          r_.complain(value, "the library of " + what + " is a name such as libnpu.so, not '" + need.library + "'");
        if (!(range = value.find("version"))) continue;
      } else if (std::vector<std::string> known = known_runtimes();
                 std::find(known.begin(), known.end(), name.text) == known.end()) {
        r_.complain(name, what + " is not known by name",
                    did_you_mean(name.text, known, "write {version: RANGE, library: NAME.so}"));
      }
      need.range = range->text;
      std::string problem = range->is_scalar() ? VersionRange::problem(need.range) : "it is " + yaml_kind(*range);
      if (!problem.empty())
        r_.complain(*range, what + " takes a range of versions: " + problem, "write it as \">=12,<14\"");
      for (const RuntimeNeed& earlier : p_.runtimes)
        if (earlier.name == need.name) r_.complain(name, what + " comes twice", {}, TN_ERROR_DUPLICATE);
      p_.runtimes.push_back(std::move(need));
    }
  }

  // A capability of Tenon's that this Tenon does not have: one of a later Tenon, or mistyped. A later revision may
  // stand beside the one that is known here.
  void check_own_capability(const std::string& id, const Yaml& at) {
    auto stem = [](std::string_view s) { return s.substr(0, s.find('/') + 1); };
    for (const std::string& own : kOwnCapabilities) {
      if (stem(own) != stem(id)) continue;
      if (!p_.has(own))
        r_.complain(at, "the plugin provides " + id + ", this Tenon has " + own,
                    "upgrade Tenon, or install a build of the plugin that provides " + own, TN_ERROR_ABI_MISMATCH);
      return;
    }
    r_.complain(at, "'" + id + "' is no capability of this Tenon",
                did_you_mean(id, kOwnCapabilities, "capabilities of your own are named after you: com.vendor.thing/1"),
                TN_ERROR_ABI_MISMATCH);
  }

  // What `provides` lists and what the sections describe must agree, and a library must be there to provide it.
  void check_capabilities(const Yaml& top) {
    p_.provides = r_.texts(top, "provides");
    const Yaml* provides = top.find("provides");
    std::set<std::string_view> seen;
    for (size_t i = 0; i < p_.provides.size() && provides->is_list() && provides->items.size() == p_.provides.size();
         ++i) {
      const std::string& id = p_.provides[i];
      if (!is_capability(id))
        r_.complain(provides->items[i], "'" + id + "' is not a capability",
                    "write an id and a revision from 1, such as tenon.pass/1");
      else if (!seen.insert(id).second)
        r_.complain(provides->items[i], "'" + id + "' comes twice in 'provides'", "leave one of them out",
                    TN_ERROR_DUPLICATE);
      else if (id.starts_with("tenon."))
        check_own_capability(id, provides->items[i]);
    }
    struct Row {
      const char* section;
      const char* capability;
      bool described;
    };
    const Row rows[] = {{"passes", "tenon.pass/1", !p_.passes.empty()},
                        {"codegen", "tenon.codegen/1", p_.codegen.has_value()},
                        {"executor", "tenon.executor/1", p_.executor.has_value()},
                        {"frontend", "tenon.frontend/1", p_.frontend.has_value()},
                        {"device", "tenon.device/1", p_.device.has_value()},
                        {"loader", "tenon.loader/1", p_.loader.has_value()},
                        {"kinds", "tenon.kind/1", !p_.kinds.empty()},
                        {"ops", "tenon.op/1", op_functions_}};
    for (const Row& row : rows) {
      if (row.described && !p_.has(row.capability))
        r_.complain(*top.find_key(row.section),
                    "'" + std::string(row.section) + "' is described but 'provides' lacks " + row.capability);
      if (!row.described && p_.has(row.capability))
        r_.complain(*provides,
                    "'provides' lists " + std::string(row.capability) + " but '" + row.section + "' describes none");
    }
    if (!p_.provides.empty() && !top.find("library"))
      r_.complain(top, "the manifest provides capabilities but names no 'library'");
  }

  YamlReader r_;
  PluginInfo p_;
  OpTable op_table_;
  std::set<std::string> passes_;  // their names
  bool op_functions_ = false;
};

}  // namespace

ManifestResult parse_manifest(const Builder& b, const std::string& text, const std::string& file) {
  try {
    return ManifestReader(b, file).read(parse_yaml(text, file));
  } catch (const Error& e) {
    ManifestResult broken;
    broken.plugin.manifest = file;
    broken.complaints.push_back(e);
    return broken;
  }
}

ManifestResult read_manifest(const Builder& b, const std::string& file) {
  try {
    return ManifestReader(b, file).read(read_yaml(file));
  } catch (const Error& e) {
    ManifestResult broken;
    broken.plugin.manifest = file;
    broken.complaints.push_back(e);
    return broken;
  }
}

}  // namespace tenon
