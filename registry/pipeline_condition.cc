#include "registry/pipeline_condition.h"

#include <algorithm>

#include "diag/suggest.h"

namespace tenon {

namespace {

bool contains(const std::vector<std::string>& list, std::string_view item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

std::string joined(const std::vector<std::string>& parts, const char* separator) {
  std::string out;
  for (const std::string& p : parts) out += (out.empty() ? "" : separator) + p;
  return out;
}

std::string text_of(const Map& target, std::string_view key) {
  const Value* v = target.find(key);
  return v && v->is_string() ? std::string(v->as_string()) : "";
}

bool has_feature(const Map& target, const std::string& feature) {
  const Value* list = target.find("features");
  if (!list || !list->is_array()) return false;
  for (const Value& v : list->ref<Array>())
    if (v.as_string() == feature || v.as_string() == "+" + feature) return true;
  return false;
}

class ConditionReader {
 public:
  ConditionReader(YamlReader& r, PluginProvider& provider, const Map& target)
      : r_(r), provider_(provider), target_(target) {}

  Condition read(const Yaml& node, const std::string& what) {
    Condition c;
    size_t before = r_.complaints().size();
    if (!r_.map(node, what, {{"kind"}, {"arch"}, {"features"}, {"any"}, {"not"}})) return c;
    if (node.entries.empty())
      r_.complain(node, what + " says nothing", "write kind, arch or features, or leave it out");
    c.kinds = words(node, "kind");
    c.archs = words(node, "arch");
    c.features = words(node, "features");
    if (r_.complaints().size() == before) check_names(node, c);
    if (const Yaml* any = node.find("any")) {
      if (!any->is_list() || any->items.empty())
        r_.complain(*any,
                    "'any' takes a list of conditions, not " + (any->is_list() ? "an empty one" : yaml_kind(*any)),
                    "write any: [{kind: cpu}, {kind: cuda}]");
      else
        for (const Yaml& item : any->items) c.any.push_back(read(item, "a condition of 'any'"));
    }
    if (const Yaml* none = node.find("not")) c.none.push_back(read(*none, "'not'"));
    return c;
  }

 private:
  // One word, or a list of them.
  std::vector<std::string> words(const Yaml& map, std::string_view key) {
    std::vector<std::string> out;
    const Yaml* node = map.find(key);
    if (!node) return out;
    if (node->is_scalar()) return {plain(*node, key)};
    if (!node->is_list() || node->items.empty()) {
      r_.complain(*node,
                  "'" + std::string(key) + "' takes a word or a list of words, not " +
                      (node->is_list() ? "an empty one" : yaml_kind(*node)),
                  "write a word, or leave it out");
      return out;
    }
    for (const Yaml& item : node->items) {
      if (item.is_scalar())
        out.push_back(plain(item, key));
      else
        r_.complain(item, "an element of '" + std::string(key) + "' is " + yaml_kind(item) + ", not a word");
    }
    return out;
  }

  std::string plain(const Yaml& node, std::string_view key) {
    std::string word = node.text;
    if (!r_.value(node).is_string())
      r_.complain(node, "'" + std::string(key) + "' takes a word or a list of words, not " + yaml_kind(node),
                  "put it in quotes when it is meant as a word");
    if (key == "features" && word.starts_with('+')) word = word.substr(1);
    if (key == "features" && word.starts_with('-'))
      r_.complain(node, "'" + word + "' is not the name of a feature",
                  "for targets without it write not: {features: [" + word.substr(1) + "]}");
    else if (word.empty())
      r_.complain(node, "an empty word in '" + std::string(key) + "'", "leave it out");
    else if (word.find_first_of(" ,") != std::string::npos)
      r_.complain(node, yaml_kind(node) + " is no word that '" + std::string(key) + "' could name",
                  "write several as a list, such as [avx2, fma]");
    return word;
  }

  void check_names(const Yaml& node, const Condition& c) {
    static const std::vector<std::string> kArchs{"x86_64", "aarch64"};
    each(node, "kind", c.kinds, [&](const std::string& kind) { return kind_problem(kind); });
    bool cpu = c.kinds.empty() || c.kinds == std::vector<std::string>{"cpu"};
    if (!cpu) return;
    each(node, "arch", c.archs, [&](const std::string& arch) -> std::optional<std::string> {
      if (contains(kArchs, arch)) return std::nullopt;
      return did_you_mean(arch, kArchs, "the architectures of CPUs are: " + joined(kArchs, ", "));
    });
    // Without a kind, a feature may be one of another kind's.
    if (c.kinds.empty() && text_of(target_, "kind") != "cpu") return;
    each(node, "features", c.features, [&](const std::string& feature) -> std::optional<std::string> {
      if (contains(cpu_feature_names(), feature)) return std::nullopt;
      return did_you_mean(feature, cpu_feature_names(), "features have the names that LLVM gives them, such as avx2");
    });
  }

  // Complains about the words that `problem` gives a hint for.
  template <class F>
  void each(const Yaml& map, std::string_view key, const std::vector<std::string>& words, F&& problem) {
    const Yaml* node = map.find(key);
    for (size_t i = 0; i < words.size(); ++i)
      if (std::optional<std::string> hint = problem(words[i]))
        r_.complain(node->is_list() ? node->items[i] : *node,
                    "there is no " +
                        std::string(key == "features" ? "CPU feature"
                                    : key == "arch"   ? "CPU architecture"
                                                      : "target kind") +
                        " '" + words[i] + "'",
                    *hint, TN_ERROR_NOT_FOUND);
  }

  // A kind is known that Tenon names, that is compiled for, or that a code generator here makes code for. One that is
  // not known may be that of a plugin which is not installed; only what is nearly a known one is refused.
  std::optional<std::string> kind_problem(const std::string& kind) {
    std::vector<std::string> known{"cpu", "cuda", "hip", "vulkan", text_of(target_, "kind")};
    if (contains(known, kind)) return std::nullopt;
    for (const PluginInfo& p : provider_.plugins())
      if (p.codegen) known.insert(known.end(), p.codegen->targets.begin(), p.codegen->targets.end());
    std::string nearest = contains(known, kind) ? "" : nearest_name(kind, known);
    if (nearest.empty()) return std::nullopt;
    return "did you mean '" + nearest + "'?";
  }

  YamlReader& r_;
  PluginProvider& provider_;
  const Map& target_;
};

}  // namespace

std::string Condition::text() const {
  std::string out;
  auto add = [&](const char* key, const std::string& what) {
    if (!what.empty()) out += (out.empty() ? "" : ", ") + std::string(key) + ": " + what;
  };
  auto list = [](const std::vector<std::string>& words) {
    return words.size() == 1 ? words[0] : words.empty() ? "" : "[" + joined(words, ", ") + "]";
  };
  add("kind", list(kinds));
  add("arch", list(archs));
  add("features", features.empty() ? "" : "[" + joined(features, ", ") + "]");
  std::vector<std::string> alternatives;
  for (const Condition& c : any) alternatives.push_back(c.text());
  add("any", any.empty() ? "" : "[" + joined(alternatives, ", ") + "]");
  for (const Condition& c : none) add("not", c.text());
  return "{" + out + "}";
}

Condition read_condition(YamlReader& r, const Yaml& node, PluginProvider& provider, const Map& target) {
  return ConditionReader(r, provider, target).read(node, "'when'");
}

std::string condition_failure(const Condition& c, const Map& target) {
  auto one_of = [&](const char* key, const std::vector<std::string>& wanted) -> std::string {
    std::string actual = text_of(target, key);
    if (wanted.empty() || contains(wanted, actual)) return "";
    return "the target's " + std::string(key) + " is " + (actual.empty() ? "not given" : actual) + ", not " +
           joined(wanted, " or ");
  };
  if (std::string why = one_of("kind", c.kinds); !why.empty()) return why;
  if (std::string why = one_of("arch", c.archs); !why.empty()) return why;
  for (const std::string& feature : c.features)
    if (!has_feature(target, feature)) return "the target lacks the feature " + feature;
  std::string failures;
  for (const Condition& alternative : c.any) {
    std::string why = condition_failure(alternative, target);
    if (why.empty()) {
      failures.clear();
      break;
    }
    failures += (failures.empty() ? "" : ", and ") + why;
  }
  if (!failures.empty()) return failures;
  for (const Condition& excluded : c.none)
    if (condition_failure(excluded, target).empty())
      return "the target is one of " + excluded.text() + ", which 'not' excludes";
  return "";
}

}  // namespace tenon
