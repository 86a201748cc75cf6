// Reads the maps of a YAML file against tables of keys, and collects every complaint with its position.
#ifndef TENON_REGISTRY_YAML_READER_H
#define TENON_REGISTRY_YAML_READER_H

#include <functional>
#include <initializer_list>
#include <optional>

#include "pass/options.h"
#include "registry/yaml.h"

namespace tenon {

class YamlReader {
 public:
  struct Key {
    std::string_view name;
    bool required = false;
  };

  YamlReader(const Builder& b, std::string file) : b_(b), file_(std::move(file)) {}
  const Builder& builder() const { return b_; }
  const std::string& file() const { return file_; }
  const std::vector<Error>& complaints() const { return complaints_; }
  std::string where(const Yaml& at) const { return yaml_where(file_, at); }
  void complain(const Yaml& at, std::string message, std::string hint = {}, int32_t code = TN_ERROR_PARSE);
  void add(Error complaint) { complaints_.push_back(std::move(complaint)); }

  // Whether `node` is a map; its keys are checked: unknown ones, repeated ones, and required ones that are missing.
  bool map(const Yaml& node, const std::string& what, std::initializer_list<Key> keys);
  // These read one key of a map that `map` has checked; a wrong type is a complaint and gives the fallback.
  std::string text(const Yaml& map, std::string_view key, std::string fallback = {});
  int64_t integer(const Yaml& map, std::string_view key, int64_t fallback);
  bool boolean(const Yaml& map, std::string_view key, bool fallback);
  std::vector<std::string> texts(const Yaml& map, std::string_view key);
  // One of a table of words; the complaint names the nearest.
  std::string word(const Yaml& map, std::string_view key, const std::vector<std::string>& words, std::string fallback);
  Value value(const Yaml& node);
  // {name: {type, default, choices, summary}}
  OptionSchemas option_schemas(const Yaml& node, const std::string& what);

 private:
  std::optional<OptionSchema> option_schema(const Yaml& name, const Yaml& node, const std::string& what);

  const Builder& b_;
  std::string file_;
  std::vector<Error> complaints_;
};

// Throws the first complaint, saying how many more there are; does nothing when there is none.
void raise(const std::vector<Error>& complaints, const std::string& hint_for_more);

}  // namespace tenon
#endif
