#include "build/target.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <sstream>

#include "diag/suggest.h"

namespace tenon {

namespace {

struct FeatureRow {
  std::string_view kernel;  // as /proc/cpuinfo says
  std::string_view feature;
};

constexpr FeatureRow kX86[] = {{"pni", "sse3"},
                               {"ssse3", "ssse3"},
                               {"sse4_1", "sse4.1"},
                               {"sse4_2", "sse4.2"},
                               {"popcnt", "popcnt"},
                               {"cx16", "cx16"},
                               {"lahf_lm", "sahf"},
                               {"movbe", "movbe"},
                               {"aes", "aes"},
                               {"pclmulqdq", "pclmul"},
                               {"xsave", "xsave"},
                               {"avx", "avx"},
                               {"f16c", "f16c"},
                               {"fma", "fma"},
                               {"abm", "lzcnt"},
                               {"bmi1", "bmi"},
                               {"bmi2", "bmi2"},
                               {"avx2", "avx2"},
                               {"adx", "adx"},
                               {"rdrand", "rdrnd"},
                               {"rdseed", "rdseed"},
                               {"sha_ni", "sha"},
                               {"gfni", "gfni"},
                               {"vaes", "vaes"},
                               {"vpclmulqdq", "vpclmulqdq"},
                               {"avx512f", "avx512f"},
                               {"avx512cd", "avx512cd"},
                               {"avx512bw", "avx512bw"},
                               {"avx512dq", "avx512dq"},
                               {"avx512vl", "avx512vl"},
                               {"avx512ifma", "avx512ifma"},
                               {"avx512vbmi", "avx512vbmi"},
                               {"avx512_vbmi2", "avx512vbmi2"},
                               {"avx512_vnni", "avx512vnni"},
                               {"avx512_bitalg", "avx512bitalg"},
                               {"avx512_vpopcntdq", "avx512vpopcntdq"},
                               {"avx512_bf16", "avx512bf16"},
                               {"avx512_fp16", "avx512fp16"},
                               {"avx_vnni", "avxvnni"}};

constexpr FeatureRow kArm[] = {
    {"asimd", "neon"}, {"asimddp", "dotprod"}, {"asimdhp", "fullfp16"}, {"atomics", "lse"},    {"aes", "aes"},
    {"sha2", "sha2"},  {"crc32", "crc"},       {"asimdrdm", "rdm"},     {"fcma", "complxnum"}, {"sve", "sve"},
    {"sve2", "sve2"},  {"bf16", "bf16"},       {"i8mm", "i8mm"}};

#if defined(__x86_64__)
constexpr bool kIsX86 = true;
constexpr const char* kArch = "x86_64";
#else
constexpr bool kIsX86 = false;
constexpr const char* kArch = "aarch64";
#endif

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, separator);)
    if (!part.empty()) out.push_back(part);
  return out;
}

std::string trimmed(const std::string& text) {
  size_t first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') + 1 - first);
}

Value text_array(const Builder& b, const std::vector<std::string>& texts) {
  std::vector<Value> values;
  for (const std::string& t : texts) values.push_back(b.string(t));
  return b.array(values);
}

template <size_t n>
void add_known(const FeatureRow (&rows)[n], const std::set<std::string>& words, std::vector<std::string>& out) {
  for (const FeatureRow& row : rows)
    if (words.contains(std::string(row.kernel))) out.push_back("+" + std::string(row.feature));
}

}  // namespace

std::vector<std::string> features_from_cpuinfo(const std::string& text, bool x86) {
  std::vector<std::string> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::string key = line.substr(0, line.find_first_of(" \t:"));
    if (key != (x86 ? "flags" : "Features")) continue;
    std::vector<std::string> words = split(line.substr(colon + 1), ' ');
    std::set<std::string> set(words.begin(), words.end());
    if (x86)
      add_known(kX86, set, out);
    else
      add_known(kArm, set, out);
    break;
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<std::string> native_features() {
  std::ifstream in("/proc/cpuinfo");
  std::ostringstream text;
  text << in.rdbuf();
  return features_from_cpuinfo(text.str(), kIsX86);
}

Map parse_target(const Builder& b, const std::string& text) {
  size_t colon = text.find(':');
  std::string kind = text.substr(0, colon);
  std::string rest = colon == std::string::npos ? "" : text.substr(colon + 1);
  std::vector<std::string> features;
  if (kind == "native") kind = "cpu";
  if (kind == "cpu" && rest.empty())
    features = {"native"};
  else if (rest != "generic")
    features = split(rest, ',');
  for (std::string& f : features) f = trimmed(f);
  std::sort(features.begin(), features.end());
  if (kind.empty())
    throw Error(TN_ERROR_ARGUMENT, "the target '" + text + "' names no kind", {}, "write cpu, or KIND:FEATURES");
  if (kind == "cpu")
    for (const std::string& f : features) {
      if (f == "native") continue;
      if (f == "generic")
        throw Error(TN_ERROR_ARGUMENT, "the target '" + text + "' is generic and more", {},
                    "features are added to the baseline: write cpu:+avx2");
      if (f.empty() || f.find_first_of("+-") == std::string::npos || (f[0] != '+' && f[0] != '-'))
        throw Error(TN_ERROR_ARGUMENT, "the feature '" + f + "' of target '" + text + "' has no sign", {},
                    f.empty() ? "take the comma out" : "write +" + f + " to use it or -" + f + " not to");
      if (f.size() == 1)
        throw Error(TN_ERROR_ARGUMENT, "a feature of target '" + text + "' has a sign and no name", {},
                    "write one such as +avx2");
      if (f.find('+', 1) != std::string::npos)
        throw Error(TN_ERROR_ARGUMENT, "the target '" + text + "' has no comma between its features", {},
                    "write cpu:+avx2,+fma");
    }
  return resolve_target(b, b.map({{"kind", b.string(kind)}, {"features", text_array(b, features)}}));
}

namespace {

// A value in the type of an attribute; none when the text is no such value.
Value attribute_value(const Builder& b, const OptionSchema& schema, const std::string& text) {
  char* end = nullptr;
  switch (schema.type) {
    case OptionType::kBool: return text == "true" ? Value(true) : text == "false" ? Value(false) : Value();
    case OptionType::kInt: {
      long long n = std::strtoll(text.c_str(), &end, 10);
      return text.empty() || *end ? Value() : Value(static_cast<int64_t>(n));
    }
    case OptionType::kFloat: {
      double x = std::strtod(text.c_str(), &end);
      return text.empty() || *end ? Value() : Value(x);
    }
    default: return b.string(text);
  }
}

}  // namespace

Map parse_target(const Builder& b, const std::string& text, const TargetSchema& schema) {
  size_t colon = text.find(':');
  Builder::Entries given;
  std::vector<std::string> features, names;
  for (const OptionSchema& a : schema.attributes) names.push_back(a.name);
  for (const std::string& part : split(colon == std::string::npos ? "" : text.substr(colon + 1), ',')) {
    if (part[0] == '+' || part[0] == '-') {
      if (std::find(schema.features.begin(), schema.features.end(), part.substr(1)) == schema.features.end())
        throw Error(TN_ERROR_ARGUMENT, "the target " + schema.kind + " has no feature '" + part.substr(1) + "'", {},
                    did_you_mean(part.substr(1), schema.features, "its features are listed by: tenon plugin info"));
      features.push_back(part);
      continue;
    }
    size_t equals = part.find('=');
    std::string name = part.substr(0, equals);
    auto attribute = std::find(names.begin(), names.end(), name);
    if (attribute == names.end() || equals == std::string::npos)
      throw Error(TN_ERROR_ARGUMENT, "the target " + schema.kind + " has no attribute '" + name + "'", {},
                  did_you_mean(name, names, "write +FEATURE or ATTRIBUTE=VALUE after the colon"));
    const OptionSchema& declared = schema.attributes[static_cast<size_t>(attribute - names.begin())];
    Value v = attribute_value(b, declared, part.substr(equals + 1));
    given.emplace_back(name, v.is_none() ? b.string(part.substr(equals + 1)) : v);
  }
  std::sort(features.begin(), features.end());
  Map out = complete_options(b, schema.attributes, b.map(given), {"the target " + schema.kind, {}});
  out = b.with(out ? out : b.map({}), "kind", b.string(schema.kind));
  return b.with(out, "features", text_array(b, features));
}

Map resolve_target(const Builder& b, const Map& target) {
  const Value* kind = target.find("kind");
  if (!kind || !kind->is_string() || kind->as_string().empty())
    throw Error(TN_ERROR_ARGUMENT, "a target is a map with a text 'kind'", {},
                "such as {kind: cpu, features: [native]}");
  Map out = target;
  const Value* features = target.find("features");
  if (features && !features->is_array())
    throw Error(TN_ERROR_ARGUMENT, "the 'features' of a target are a list of texts", {}, "such as [+avx2, +fma]");
  std::vector<std::string> names;
  if (features)
    for (const Value& f : features->ref<Array>()) {
      if (f.as_string() == "native")
        for (std::string& n : native_features()) names.push_back(std::move(n));
      else
        names.emplace_back(f.as_string());
    }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  out = b.with(out, "features", text_array(b, names));
  if (kind->as_string() == "cpu" && !target.find("arch")) out = b.with(out, "arch", b.string(kArch));
  return out;
}

}  // namespace tenon
