#include "registry/pipeline.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <tuple>

#include "build/catalog.h"
#include "diag/render.h"
#include "diag/suggest.h"
#include "diag/utf8.h"
#include "registry/pipeline_order.h"
#include "registry/pipeline_source.h"

namespace tenon {

namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxStages = 4096;
constexpr size_t kMaxIncludes = 16;  // inside each other

std::string stem(const std::string& file) {
  std::string name = file.substr(file.rfind('/') + 1);
  return name.substr(0, name.rfind('.'));
}

class Resolver {
 public:
  explicit Resolver(const PipelineScope& scope) : s_(scope) {}

  PipelineResult run(const std::string& name_or_file) {
    const PipelineSource* source = is_pipeline_file(name_or_file)
                                       ? load_file(name_or_file)
                                       : load_named(name_or_file, unknown_name(name_or_file), "");
    if (source) {
      out_.pipeline.name = source->name;
      out_.pipeline.summary = source->summary;
      Context at;
      at.reasons.push_back({"pipeline", source->name, source->file});
      at.chain.push_back(key_of(name_or_file, ""));
      try {
        expand(*source, at);
      } catch (const Error& e) { out_.complaints.push_back(e); }
      if (out_.complaints.empty()) {
        std::vector<std::string> assumed;
        for (const auto& [property, where] : source->assumed) assumed.push_back(property);
        check_order(out_.pipeline, assumed, s_.provider, out_.complaints);
        check_assumed(*source);
      }
    }
    sort_complaints();
    return std::move(out_);
  }

 private:
  // Where in the tree of includes and slots a stage stands.
  struct Context {
    bool active = true;
    std::string inactive_because;
    std::vector<StageReason> reasons;
    std::vector<std::string> chain;     // keys of the pipelines around it
    const StageSource* slot = nullptr;  // that is being filled
    size_t slot_index = 0;
  };
  // A pipeline that is being expanded, with what it fills.
  struct Frame {
    const PipelineSource* source;
    std::vector<bool> used;  // of its fills
    std::vector<std::string> slots;
  };

  Error unknown_name(const std::string& name) const {
    return Error(TN_ERROR_NOT_FOUND, "there is no pipeline '" + name + "' in " + s_.config.file_text(), {},
                 did_you_mean(name, s_.config.names(), "a pipeline in a file is named by its path, ending in .yaml"));
  }

  // What identifies a pipeline: its canonical path, or its name, which contains no '/'.
  static std::string key_of(const std::string& name, const std::string& from) {
    if (!is_pipeline_file(name)) return name;
    std::error_code error;
    fs::path path = from.empty() ? fs::path(name) : fs::path(from).parent_path() / name;
    fs::path canonical = fs::weakly_canonical(fs::absolute(path, error), error);
    return error ? path.string() : canonical.string();
  }

  const PipelineSource* load_file(const std::string& file) {
    auto [place, is_new] = sources_.try_emplace(key_of(file, ""));
    if (!is_new) return place->second.get();
    out_.files.push_back(file);
    try {
      YamlReader r(s_.b, file);
      Yaml top = read_yaml(file);
      place->second = std::make_unique<PipelineSource>(
          PipelineSourceReader(r, s_.provider, s_.target).pipeline(top, stem(file), "the pipeline"));
      take(r);
    } catch (const Error& e) {
      out_.complaints.push_back(e);
      return nullptr;
    }
    return place->second.get();
  }

  // `unknown` is thrown, or with a place complained about, when there is none.
  const PipelineSource* load_named(const std::string& name, Error unknown, const std::string& where) {
    auto found = sources_.find(name);
    if (found != sources_.end()) return found->second.get();
    const Config::Named* named = s_.config.find(name);
    if (!named) {
      if (where.empty()) throw unknown;
      unknown.where = where;
      out_.complaints.push_back(std::move(unknown));
      return nullptr;
    }
    note_file(named->file);
    YamlReader r(s_.b, named->file);
    PipelineSource source =
        PipelineSourceReader(r, s_.provider, s_.target).pipeline(named->body, name, "the pipeline '" + name + "'");
    take(r);
    for (const Config::Slots& line : s_.config.slots) {
      if (line.pipeline != name) continue;
      note_file(line.file);
      YamlReader from(s_.b, line.file);
      for (SlotFill& fill :
           PipelineSourceReader(from, s_.provider, s_.target).fills(line.body, "'slots' of '" + name + "'"))
        source.fills.push_back(std::move(fill));
      take(from);
    }
    return (sources_[name] = std::make_unique<PipelineSource>(std::move(source))).get();
  }

  void note_file(const std::string& file) {
    if (std::find(out_.files.begin(), out_.files.end(), file) == out_.files.end()) out_.files.push_back(file);
  }
  void take(const YamlReader& r) {
    out_.complaints.insert(out_.complaints.end(), r.complaints().begin(), r.complaints().end());
  }
  void complain(const std::string& where, std::string message, std::string hint, int32_t code = TN_ERROR_PARSE) {
    out_.complaints.emplace_back(code, std::move(message), where, std::move(hint));
  }

  void expand(const PipelineSource& source, const Context& at) {
    frames_.push_back({&source, std::vector<bool>(source.fills.size(), false), {}});
    for (const StageSource& stage : source.stages) expand(stage, at);
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    for (size_t i = 0; i < source.fills.size(); ++i)
      if (!frame.used[i])
        complain(source.fills[i].where,
                 "the pipeline '" + source.name + "' has no slot '" + source.fills[i].slot + "' to fill",
                 did_you_mean(source.fills[i].slot, frame.slots, slots_text(frame.slots)), TN_ERROR_NOT_FOUND);
    if (!frames_.empty())  // an outer pipeline may fill the slots of the inner
      frames_.back().slots.insert(frames_.back().slots.end(), frame.slots.begin(), frame.slots.end());
  }

  static std::string slots_text(const std::vector<std::string>& slots) {
    std::string list;
    for (const std::string& s : slots) list += (list.empty() ? "" : ", ") + s;
    return list.empty() ? "it has no slots" : "its slots are: " + list;
  }

  void expand(const StageSource& stage, const Context& outer) {
    if (++steps_ > kMaxStages)
      throw Error(TN_ERROR_LIMIT, "the pipeline has more than 4096 stages, includes followed", stage.where,
                  "make it shorter");
    Context at = outer;
    if (stage.when) {
      std::string failure = condition_failure(*stage.when, s_.target);
      if (at.active && !failure.empty()) {
        at.active = false;
        at.inactive_because = failure;
        if (stage.form != StageSource::Form::kPass)
          out_.left_out.push_back(
              {(stage.form == StageSource::Form::kSlot ? "slot " : "include ") + stage.name, stage.where, failure});
      }
      at.reasons.push_back({"when", stage.when->text(), stage.where});
    }
    switch (stage.form) {
      case StageSource::Form::kPass: return add_pass(stage, at);
      case StageSource::Form::kInclude: return include(stage, at);
      case StageSource::Form::kSlot: return fill(stage, at);
    }
  }

  void include(const StageSource& stage, Context at) {
    bool is_file = is_pipeline_file(stage.name);
    if (is_file && fs::path(stage.name).is_absolute())
      return complain(stage.where, "an include is relative to the file that it stands in, not an absolute path",
                      "write the path from the folder of " + stage.file);
    std::string key = key_of(stage.name, stage.file);
    if (std::find(at.chain.begin(), at.chain.end(), key) != at.chain.end()) {
      std::string circle;
      for (auto it = std::find(at.chain.begin(), at.chain.end(), key); it != at.chain.end(); ++it)
        circle += it->substr(it->rfind('/') + 1) + " includes ";
      return complain(stage.where, "the includes go in a circle: " + circle + key.substr(key.rfind('/') + 1),
                      "take one of them out", TN_ERROR_VERIFY);
    }
    if (at.chain.size() > kMaxIncludes)
      return complain(stage.where, "more than 16 includes inside each other", "include fewer files", TN_ERROR_LIMIT);
    const PipelineSource* source = nullptr;
    if (is_file) {
      std::string file = (fs::path(stage.file).parent_path() / stage.name).lexically_normal().string();
      std::error_code error;
      if (!fs::is_regular_file(file, error))
        return complain(stage.where,
                        fs::exists(file, error)       ? "the included file " + file + " is no regular file"
                        : fs::is_symlink(file, error) ? "the link " + file + " leads to no file to include"
                                                      : "there is no file " + shortened(file, 200) + " to include",
                        near_file(file), TN_ERROR_NOT_FOUND);
      source = load_file(file);
      if (Error* e = out_.complaints.empty() ? nullptr : &out_.complaints.back(); !source && e && e->where == file) {
        e->message += " (" + file + ")";  // what has no place in the file is wrong where it is included
        e->where = stage.where;
      }
    } else {
      source = load_named(stage.name, unknown_name(stage.name), stage.where);
    }
    if (!source) return;
    at.reasons.push_back({"include", stage.name, stage.where});
    at.chain.push_back(key);
    expand(*source, at);
  }

  // "did you mean" for a file that is not there, among those beside it.
  static std::string near_file(const std::string& file) {
    std::vector<std::string> names;
    std::error_code error;
    fs::path folder = fs::path(file).parent_path();
    const std::string name = fs::path(file).filename().string();
    for (fs::directory_iterator it(folder.empty() ? "." : folder, error); !error && it != fs::directory_iterator();
         it.increment(error))
      if (names.size() < 1000 && is_pipeline_file(it->path().filename().string()) && it->path().filename() != name)
        names.push_back(it->path().filename().string());
    std::sort(names.begin(), names.end());
    return did_you_mean(name, names, "includes are looked for from the folder of the file that they stand in");
  }

  // A slot that is in the pipeline already. Of one that comes again with what is included twice, the include is wrong;
  // that is said once and not for each of its slots.
  void complain_of_second(const StageSource& slot, const PipelineSlot& earlier, const Context& at) {
    auto include = std::find_if(at.reasons.begin(), at.reasons.end(),
                                [](const StageReason& r) { return std::string_view(r.kind) == "include"; });
    if (earlier.where != slot.where || include == at.reasons.end())
      return complain(slot.where, "the slot '" + slot.name + "' is in the pipeline already, at " + earlier.where,
                      "give one of them another name", TN_ERROR_DUPLICATE);
    if (out_.complaints.empty() || out_.complaints.back().where != include->where)
      complain(include->where,
               "what this includes is in the pipeline already, and its slot '" + slot.name + "' (" + slot.where +
                   ") cannot be there twice",
               "take one of the includes out", TN_ERROR_DUPLICATE);
  }

  void fill(const StageSource& slot, const Context& outer) {
    for (PipelineSlot& earlier : out_.slots)
      if (earlier.name == slot.name && earlier.active && outer.active) complain_of_second(slot, earlier, outer);
    out_.slots.push_back({slot.name, slot.where, slot.level, slot.summary, 0, outer.active});
    frames_.back().slots.push_back(slot.name);
    std::vector<const StageSource*> stages;
    for (size_t f = frames_.size(); f-- > 0;)
      for (size_t i = 0; i < frames_[f].source->fills.size(); ++i) {
        const SlotFill& candidate = frames_[f].source->fills[i];
        if (candidate.slot != slot.name) continue;
        frames_[f].used[i] = true;
        for (const StageSource& stage : candidate.stages) stages.push_back(&stage);
      }
    Context at = outer;
    at.reasons.push_back({"slot", slot.name, slot.where});
    at.slot = &slot;
    at.slot_index = out_.slots.size() - 1;
    for (size_t i : order_of(slot, stages)) expand(*stages[i], at);
  }

  std::vector<size_t> order_of(const StageSource& slot, const std::vector<const StageSource*>& stages) {
    std::vector<PassRef> passes;
    for (const StageSource* stage : stages) {
      passes.push_back(nullptr);
      if (stage->form == StageSource::Form::kPass) try {
          passes.back() = find_pass(s_.provider, stage->name);
        } catch (const Error&) {}  // complained about when the stage is added
    }
    std::vector<size_t> stuck;
    std::vector<size_t> order = constrained_order(passes, stuck);
    if (stuck.empty()) return order;
    std::string names;
    for (size_t i : stuck) names += (names.empty() ? "" : ", ") + stages[i]->name;
    complain(stages[stuck[0]]->where,
             "what fills the slot '" + slot.name + "' has no order: each of " + names +
                 " asks to come after another of them",
             "leave one of them out", TN_ERROR_VERIFY);
    return order;
  }

  void add_pass(const StageSource& stage, const Context& at) {
    size_t colon = stage.name.find(':');
    if (!at.active && colon != std::string::npos && !is_known(stage.name.substr(0, colon))) {
      out_.left_out.push_back({stage.name, stage.where, at.inactive_because, true});
      return;
    }
    PassRef pass;
    try {
      pass = find_pass(s_.provider, stage.name);
    } catch (const Error& e) {
      Error placed = e;
      if (!e.where.empty()) placed.message += " (" + e.where + ")";
      placed.where = stage.where;
      out_.complaints.push_back(std::move(placed));
      return;
    }
    if (at.slot && !at.slot->level.empty() && pass->level != Level::kModule &&
        level_name(pass->level) != at.slot->level)
      complain(stage.where,
               stage.name + " is of level " + std::string(level_name(pass->level)) + ", and the slot '" +
                   at.slot->name + "' takes passes of level " + at.slot->level + " or module",
               "fill another slot with it", TN_ERROR_VERIFY);
    Map options = options_of(stage, *pass);
    if (!at.active) {
      out_.left_out.push_back({stage.name, stage.where, at.inactive_because});
      return;
    }
    if (at.slot) ++out_.slots[at.slot_index].filled;
    out_.pipeline.stages.push_back({pass, options, stage.where});
    out_.reasons.push_back(at.reasons);
  }

  bool is_known(const std::string& plugin) { return s_.provider.find(plugin) || s_.provider.find_broken(plugin); }

  Map options_of(const StageSource& stage, const PassInfo& pass) {
    YamlReader r(s_.b, stage.file);
    Map given;
    if (stage.options.is_map()) {
      Value v = r.value(stage.options);
      if (v.is_map()) given = v.ref<Map>();
    }
    if (r.complaints().empty()) {
      OptionSite site{"pass " + stage.name, [&](std::string_view option) {
                        const Yaml* value = stage.options.find(option);
                        return value && value->line > 0 ? r.where(*value) : stage.where;
                      }};
      OptionSite unknown = site;
      unknown.where = [&](std::string_view option) {
        const Yaml* key = stage.options.find_key(option);
        bool declared = std::any_of(pass.options.begin(), pass.options.end(),
                                    [&](const OptionSchema& o) { return o.name == option; });
        return key && !declared ? r.where(*key) : site.where(option);
      };
      given = complete_options(s_.b, pass.options, given, unknown, [&](Error e) { r.add(std::move(e)); });
    }
    take(r);
    return given;
  }

  void check_assumed(const PipelineSource& source) {
    std::vector<std::string> required;
    for (const Stage& stage : out_.pipeline.stages)
      required.insert(required.end(), stage.pass->required.begin(), stage.pass->required.end());
    for (const auto& [property, where] : source.assumed)
      if (std::find(required.begin(), required.end(), property) == required.end())
        complain(where, "no stage of the pipeline requires '" + property + "'",
                 did_you_mean(property, required, "leave it out"), TN_ERROR_NOT_FOUND);
  }

  // In the order of the files and of the places in them, each once.
  void sort_complaints() {
    std::vector<Error>& list = out_.complaints;
    std::vector<std::tuple<std::ptrdiff_t, int, int, size_t>> places;  // the last keeps their order at one place
    for (const Error& e : list) {
      Place place = parse_place(e.where);
      auto file = std::find(out_.files.begin(), out_.files.end(), place.file) - out_.files.begin();
      places.emplace_back(file, place.line, place.column, places.size());
    }
    std::sort(places.begin(), places.end());
    std::vector<Error> sorted;
    for (const auto& place : places) sorted.push_back(std::move(list[std::get<3>(place)]));
    list = std::move(sorted);
    list.erase(std::unique(list.begin(), list.end(),
                           [](const Error& x, const Error& y) { return x.where == y.where && x.message == y.message; }),
               list.end());
  }

  const PipelineScope& s_;
  PipelineResult out_;
  std::map<std::string, std::unique_ptr<PipelineSource>> sources_;
  std::vector<Frame> frames_;
  size_t steps_ = 0;
};

}  // namespace

PipelineResult read_pipeline(const PipelineScope& scope, const std::string& name_or_file) {
  return Resolver(scope).run(name_or_file);
}

Stage parse_stage(const Builder& b, PluginProvider& provider, const std::string& text) {
  size_t brace = text.find('{');
  std::string name = text.substr(0, brace);
  while (!name.empty() && name.back() == ' ') name.pop_back();
  Value options;
  if (brace != std::string::npos) {
    const std::string from = "the options of " + name;
    options = yaml_value(b, parse_yaml(text.substr(brace), from), from);
    if (!options.is_map()) throw Error(TN_ERROR_PARSE, "options stand between braces, as in {max_steps: 3}", from);
  }
  return make_stage(b, provider, name, options.is_map() ? options.ref<Map>() : Map(), "");
}

}  // namespace tenon
