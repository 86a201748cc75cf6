#include "registry/manifest_contract.h"

#include <algorithm>

#include "diag/suggest.h"
#include "tenon/ext/draft/device.h"
#include "tenon/ext/draft/instrument.h"
#include "tenon/ext/draft/kind.h"
#include "tenon/ext/draft/loader.h"
#include "tenon/ext/draft/partitioner.h"

namespace tenon {

namespace {

struct Word {
  const char* word;
  uint32_t value;
};

constexpr Word kSlotTypes[] = {{"node", TN_SLOT_NODE},    {"array", TN_SLOT_ARRAY}, {"map", TN_SLOT_MAP},
                               {"string", TN_SLOT_STR},   {"int", TN_SLOT_INT},     {"bool", TN_SLOT_BOOL},
                               {"float", TN_SLOT_FLOAT},  {"dtype", TN_SLOT_DTYPE}, {"any", TN_SLOT_ANY},
                               {"values", TN_SLOT_VALUES}};
constexpr Word kSlotRoles[] = {{"use", TN_ROLE_USE}, {"def", TN_ROLE_DEF}, {"name", TN_ROLE_NAME}};
constexpr Word kLevels[] = {{"loop", 0}, {"graph", TN_KIND_GRAPH}};
constexpr Word kRoles[] = {{"expression", TN_KIND_EXPR}, {"statement", TN_KIND_STMT}};
constexpr Word kEffects[] = {
    {"pure", 0}, {"read", TN_KIND_READS}, {"write", TN_KIND_WRITES}, {"opaque", TN_KIND_READS | TN_KIND_WRITES}};

template <size_t n>
uint32_t word(YamlReader& r, const Yaml& map, const char* key, const Word (&words)[n], const char* fallback) {
  std::vector<std::string> names;
  for (const Word& w : words) names.emplace_back(w.word);
  std::string given = r.word(map, key, names, fallback);
  for (const Word& w : words)
    if (given == w.word) return w.value;
  return words[0].value;
}

// Calls f for each element of a list.
template <class F>
void each(YamlReader& r, const Yaml* list, const std::string& what, F&& f) {
  if (!list) return;
  if (!list->is_list() && !list->is_null()) r.complain(*list, what + " is a list, not " + yaml_kind(*list));
  for (const Yaml& item : list->items) f(item);
}

void read_kind(YamlReader& r, const Yaml& item, PluginInfo& plugin) {
  if (!r.map(item, "a kind",
             {{"id", true}, {"level", true}, {"role", true}, {"effects", true}, {"slots", true}, {"summary"}}))
    return;
  KindDeclaration kind{r.text(item, "id"), 0, {}, r.where(item)};
  for (const KindDeclaration& earlier : plugin.kinds)
    if (earlier.id == kind.id)
      r.complain(*item.find("id"), "the kind '" + kind.id + "' is declared twice", "", TN_ERROR_DUPLICATE);
  kind.flags = word(r, item, "level", kLevels, "loop") | word(r, item, "role", kRoles, "expression") |
               word(r, item, "effects", kEffects, "opaque");
  if ((kind.flags & TN_KIND_GRAPH) && (kind.flags & TN_KIND_STMT))
    r.complain(*item.find("role"), "the kind '" + kind.id + "' is a statement of the graph level",
               "there are expressions alone: write role: expression");
  if (kind.flags & TN_KIND_EXPR) kind.slots.push_back({"type", TN_SLOT_ANY, TN_ROLE_USE});
  each(r, item.find("slots"), "'slots' of the kind '" + kind.id + "'", [&](const Yaml& slot) {
    if (!r.map(slot, "a slot", {{"name", true}, {"type", true}, {"role"}})) return;
    kind.slots.push_back({r.text(slot, "name"), static_cast<int32_t>(word(r, slot, "type", kSlotTypes, "any")),
                          static_cast<int32_t>(word(r, slot, "role", kSlotRoles, "use"))});
  });
  try {
    check_kind(kind.id, kind.flags, kind.slots);
  } catch (const Error& e) { return r.complain(item, e.message, e.hint, e.code); }
  plugin.kinds.push_back(std::move(kind));
}

void read_target(YamlReader& r, const Yaml& item, PluginInfo& plugin) {
  if (!r.map(item, "a target", {{"kind", true}, {"summary", true}, {"features"}, {"attributes"}})) return;
  TargetSchema target{r.text(item, "kind"), r.text(item, "summary"), r.texts(item, "features"), {}};
  if (target.kind == "cpu" || target.kind == "native" || target.kind.find_first_of(":, ") != std::string::npos)
    r.complain(*item.find("kind"), "a manifest cannot declare the target '" + target.kind + "'",
               "name it after its vendor, such as com.vendor.npu");
  if (const Yaml* attributes = item.find("attributes"))
    target.attributes = r.option_schemas(*attributes, "the target '" + target.kind + "'");
  for (const OptionSchema& a : target.attributes)
    if (a.type == OptionType::kList || a.type == OptionType::kMap || a.type == OptionType::kAny)
      r.complain(item, "the attribute '" + a.name + "' of the target '" + target.kind + "' is no single value",
                 "attributes of targets are bool, int, float or string");
  plugin.targets.push_back(std::move(target));
}

// The capabilities of the headers in ext/draft, here and in the SDK: they are promised within one minor version of
// Tenon.
constexpr std::string_view kDrafts[] = {TN_PARTITIONER, TN_LOADER,     TN_INSTRUMENT,
                                        TN_KIND,        TN_DEVICE_API, "tenon.onnx_converter/1"};

void check_tier(YamlReader& r, const Yaml& top, const PluginInfo& plugin) {
  const Yaml* provides = top.find("provides");
  const Yaml* tier = top.find("tier");
  if (!provides || !tier || plugin.tier != "stable-c") return;
  for (const Yaml& item : provides->items)
    if (std::find(std::begin(kDrafts), std::end(kDrafts), item.text) != std::end(kDrafts))
      return r.complain(*tier, "the capability " + item.text + " is a draft, which tier stable-c cannot promise",
                        "write tier: preview-c, which holds within one minor version of Tenon");
}

}  // namespace

void read_contract(YamlReader& r, const Yaml& top, PluginInfo& plugin) {
  check_tier(r, top, plugin);
  each(r, top.find("kinds"), "'kinds'", [&](const Yaml& item) { read_kind(r, item, plugin); });
  each(r, top.find("targets"), "'targets'", [&](const Yaml& item) { read_target(r, item, plugin); });
  const Yaml* offers = top.find("offers");
  if (!offers) return;
  if (!offers->is_map()) return r.complain(*offers, "'offers' is a map from capabilities, not " + yaml_kind(*offers));
  std::vector<std::string> provided = r.texts(top, "provides");
  for (const YamlEntry& e : offers->entries) {
    bool known = false;
    for (const std::string& p : provided) known = known || p == e.key.text;
    if (!known)
      r.complain(e.key, "'offers' describes " + e.key.text + ", which 'provides' lacks",
                 did_you_mean(e.key.text, provided, "list it under 'provides'"));
  }
  if (Value v = r.value(*offers); v.is_map()) plugin.offers = v.ref<Map>();
}

}  // namespace tenon
