#include "registry/pipeline.h"

#include "build/catalog.h"
#include "diag/suggest.h"

namespace tenon {

namespace {

class PipelineReader {
 public:
  PipelineReader(const Builder& b, PluginProvider& provider, const std::string& file)
      : r_(b, file), provider_(provider) {}

  PipelineResult read(const Yaml& top, std::string name, const std::string& what) {
    pipeline_.name = std::move(name);
    if (r_.map(top, what, {{"name"}, {"summary"}, {"stages", true}})) {
      pipeline_.name = r_.text(top, "name", pipeline_.name);
      pipeline_.summary = r_.text(top, "summary");
      if (const Yaml* stages = top.find("stages")) read_stages(*stages);
    }
    return {std::move(pipeline_), r_.complaints()};
  }

 private:
  void read_stages(const Yaml& list) {
    if (!list.is_list()) {
      if (!list.is_null()) r_.complain(list, "'stages' is a list of passes, not " + yaml_kind(list));
      return;
    }
    for (const Yaml& item : list.items) {
      if (item.is_scalar()) {
        add(item, item.text, nullptr);
      } else if (r_.map(item, "a stage", {{"pass", true}, {"options"}})) {
        const Yaml* pass = item.find("pass");
        const Yaml* options = item.find("options");
        if (pass && pass->is_scalar())
          add(*pass, pass->text, options);
        else if (pass)
          r_.complain(*pass, "'pass' takes the name of a pass, not " + yaml_kind(*pass));
      }
    }
  }

  void add(const Yaml& at, const std::string& name, const Yaml* options) {
    PassRef pass;
    try {
      pass = find_pass(provider_, name);
    } catch (const Error& e) {
      Error placed = e;
      if (!e.where.empty()) placed.message += " (" + e.where + ")";
      placed.where = r_.where(at);
      r_.add(placed);
      return;
    }
    if (options && !options->is_map() && !options->is_null()) {
      r_.complain(*options, "'options' is a map of names and values, not " + yaml_kind(*options));
      return;
    }
    size_t before = r_.complaints().size();
    Map given;
    if (options && options->is_map()) {
      Value v = r_.value(*options);
      if (v.is_map()) given = v.ref<Map>();
    }
    if (r_.complaints().size() != before) return;
    OptionSite site{"pass " + name, [&](std::string_view option) {
                      const Yaml* value = options && options->find(option) ? options->find(option) : nullptr;
                      const Yaml* key = options ? options->find_key(option) : nullptr;
                      return r_.where(value && value->line > 0 ? *value : key ? *key : at);
                    }};
    Map complete = complete_options(r_.builder(), pass->options, given, site, [&](Error e) { r_.add(std::move(e)); });
    pipeline_.stages.push_back({pass, complete, r_.where(at)});
  }

  YamlReader r_;
  PluginProvider& provider_;
  Pipeline pipeline_;
};

}  // namespace

PipelineResult read_pipeline_file(const Builder& b, PluginProvider& provider, const std::string& file) {
  try {
    std::string name = file.substr(file.rfind('/') + 1);
    name = name.substr(0, name.rfind('.'));
    return PipelineReader(b, provider, file).read(read_yaml(file), name, "the pipeline");
  } catch (const Error& e) { return {Pipeline{}, {e}}; }
}

ConfigFile read_config_file(const Builder& b, const std::string& file) {
  ConfigFile config;
  config.file = file;
  YamlReader r(b, file);
  Yaml top = read_yaml(file);
  if (r.map(top, "the configuration", {{"plugins"}, {"pipelines"}})) {
    config.plugins = r.texts(top, "plugins");
    const Yaml* pipelines = top.find("pipelines");
    if (pipelines && !pipelines->is_map() && !pipelines->is_null())
      r.complain(*pipelines, "'pipelines' is a map from names to pipelines, not " + yaml_kind(*pipelines));
    if (pipelines)
      for (const auto& [name, body] : pipelines->entries) {
        for (const auto& [earlier, unused] : config.pipelines)
          if (earlier == name.text)
            r.complain(name, "the pipeline '" + name.text + "' comes twice", {}, TN_ERROR_DUPLICATE);
        config.pipelines.emplace_back(name.text, body);
      }
  }
  raise(r.complaints(), "tenon check " + file);
  return config;
}

PipelineResult check_config_pipeline(const Builder& b, PluginProvider& provider, const ConfigFile& config,
                                     const std::string& name) {
  std::vector<std::string> names;
  for (const auto& [known, body] : config.pipelines) {
    if (known == name) return PipelineReader(b, provider, config.file).read(body, name, "the pipeline '" + name + "'");
    names.push_back(known);
  }
  throw Error(TN_ERROR_NOT_FOUND, "there is no pipeline '" + name + "' in " + config.file, {},
              did_you_mean(name, names, "a pipeline in a file is named by its path, ending in .yaml"));
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
