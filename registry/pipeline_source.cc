#include "registry/pipeline_source.h"

#include "diag/suggest.h"
#include "diag/utf8.h"

namespace tenon {

namespace {

struct FormRow {
  const char* key;
  StageSource::Form form;
  const char* takes;
};
constexpr FormRow kForms[] = {{"pass", StageSource::Form::kPass, "the name of a pass"},
                              {"include", StageSource::Form::kInclude, "a file or the name of a pipeline"},
                              {"slot", StageSource::Form::kSlot, "the name of a slot"}};

// What was meant by a map that begins with a key which stages do not have.
std::string stage_hint(const Yaml& key, const Yaml& value) {
  const std::string name = shortened(key.text);
  if (key.text == "<<") return "maps are not merged here; write their keys out";
  if (key.text.find(':') != std::string::npos) return "write {pass: " + name + ", options: {...}}";
  std::string nearest = did_you_mean(key.text, {"pass", "include", "slot"});
  if (!nearest.empty()) return nearest;
  auto letter = [](const std::string& s) { return !s.empty() && s[0] >= 'a' && s[0] <= 'z'; };
  if (value.is_scalar() && letter(key.text) && letter(value.text) &&
      value.text.find_first_of(" :") == std::string::npos)
    return "write {pass: PLUGIN:PASS}; the name of a pass has no space, as in " + name + ":" + shortened(value.text);
  return "write {pass: PLUGIN:PASS}";
}

bool is_slot_name(const std::string& s) {
  for (char c : s)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.')) return false;
  return !s.empty() && s[0] >= 'a' && s[0] <= 'z';
}

}  // namespace

bool is_pipeline_file(const std::string& name) {
  return name.find('/') != std::string::npos || name.ends_with(".yaml") || name.ends_with(".yml");
}

PipelineSource PipelineSourceReader::pipeline(const Yaml& node, std::string name, const std::string& what) {
  PipelineSource p;
  p.file = r_.file();
  p.name = std::move(name);
  if (!r_.map(node, what, {{"name"}, {"summary"}, {"stages", true}, {"slots"}, {"assumes"}})) return p;
  p.name = r_.text(node, "name", p.name);
  p.summary = r_.text(node, "summary");
  if (const Yaml* list = node.find("stages")) p.stages = stages(*list, "'stages'", false);
  if (const Yaml* slots = node.find("slots")) p.fills = fills(*slots, "'slots'");
  std::vector<std::string> assumed = r_.texts(node, "assumes");
  const Yaml* list = node.find("assumes");
  for (size_t i = 0; i < assumed.size() && list->items.size() == assumed.size(); ++i)
    p.assumed.emplace_back(assumed[i], r_.where(list->items[i]));
  return p;
}

std::vector<SlotFill> PipelineSourceReader::fills(const Yaml& node, const std::string& what) {
  std::vector<SlotFill> out;
  if (!node.is_map()) {
    r_.complain(node, what + " is a map from slots to lists of stages, not " + yaml_kind(node),
                "write {SLOT: [PLUGIN:PASS]}");
    return out;
  }
  for (const auto& [key, list] : node.entries) {
    if (!key.is_scalar()) {
      r_.complain(key, "the name of a slot is " + yaml_kind(key) + ", not text");
      continue;
    }
    for (const SlotFill& earlier : out)
      if (earlier.slot == key.text)
        r_.complain(key, "the slot '" + key.text + "' comes twice in " + what, "write its stages into one list",
                    TN_ERROR_DUPLICATE);
    out.push_back({key.text, r_.file(), r_.where(key), stages(list, "the slot '" + key.text + "'", true)});
  }
  return out;
}

std::vector<StageSource> PipelineSourceReader::stages(const Yaml& list, const std::string& what, bool in_slot) {
  std::vector<StageSource> out;
  if (!list.is_list()) {
    r_.complain(list, what + " is a list of stages, not " + yaml_kind(list), "begin each stage with '- '");
    return out;
  }
  for (const Yaml& item : list.items)
    if (std::optional<StageSource> s = stage(item, in_slot)) out.push_back(std::move(*s));
  return out;
}

std::optional<StageSource> PipelineSourceReader::stage(const Yaml& item, bool in_slot) {
  StageSource s;
  s.file = r_.file();
  if (item.is_scalar()) {
    for (const FormRow& form : kForms)
      if (!item.quoted && item.text.starts_with(std::string(form.key) + ":")) {
        r_.complain(item, yaml_kind(item) + " is one word, which names no pass",
                    "put a space behind '" + std::string(form.key) + ":'");
        return std::nullopt;
      }
    s.name = item.text;
    s.where = r_.where(item);
    return s;
  }
  if (!item.is_map()) {
    r_.complain(item, "a stage is the name of a pass, or a map with pass, include or slot, not " + yaml_kind(item),
                "write PLUGIN:PASS");
    return std::nullopt;
  }
  const FormRow* row = nullptr;
  for (const FormRow& candidate : kForms) {
    const Yaml* key = item.find_key(candidate.key);
    if (!key) continue;
    if (row) {
      r_.complain(*key,
                  "a stage has one of pass, include and slot, and this one has '" + std::string(row->key) + "' already",
                  "make it a stage of its own");
      return std::nullopt;
    }
    row = &candidate;
  }
  if (!row) {
    const Yaml* key = item.entries.empty() ? nullptr : &item.entries[0].key;
    r_.complain(key ? *key : item, "a stage has one of the keys pass, include and slot; this one has none of them",
                key ? stage_hint(*key, item.entries[0].value) : "write PLUGIN:PASS");
    return std::nullopt;
  }
  size_t before = r_.complaints().size();
  s.form = row->form;
  if (s.form == StageSource::Form::kPass)
    r_.map(item, "a stage with a pass", {{"pass"}, {"options"}, {"when"}});
  else if (s.form == StageSource::Form::kInclude)
    r_.map(item, "a stage that includes", {{"include"}, {"when"}});
  else
    r_.map(item, "a stage that is a slot", {{"slot"}, {"summary"}, {"level"}, {"when"}});
  const Yaml* name = item.find(row->key);
  s.where = r_.where(*name);
  if (!name->is_scalar() || name->text.empty()) {
    r_.complain(*name, "'" + std::string(row->key) + "' takes " + row->takes + ", not " +
                           (name->is_scalar() ? "an empty text" : yaml_kind(*name)));
    return std::nullopt;
  }
  s.name = name->text;
  if (const Yaml* when = item.find("when")) s.when = read_condition(r_, *when, provider_, target_);
  if (const Yaml* options = item.find("options")) {
    if (!options->is_map() && !options->is_null())
      r_.complain(*options, "'options' is a map of names and values, not " + yaml_kind(*options),
                  "write options: {NAME: VALUE}");
    s.options = *options;
  }
  if (s.form == StageSource::Form::kSlot) {
    s.summary = r_.text(item, "summary");
    if (item.find("level")) s.level = r_.word(item, "level", {"graph", "loop"}, "");
    if (in_slot) r_.complain(*name, "a slot cannot be filled with a slot", "name the passes that it is for");
    if (!is_slot_name(s.name))
      r_.complain(*name, "'" + s.name + "' is not the name of a slot",
                  "a name is lower-case letters, digits, '-', '.' and '_', such as after-fusion");
  }
  if (r_.complaints().size() != before) return std::nullopt;
  return s;
}

}  // namespace tenon
