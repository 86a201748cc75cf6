// YAML text as a tree with the position of every node. yaml-cpp stays behind this header.
#ifndef TENON_REGISTRY_YAML_H
#define TENON_REGISTRY_YAML_H

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tenon/cxx/builder.h"

namespace tenon {

struct YamlEntry;

struct Yaml {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::string text;     // of a scalar
  bool quoted = false;  // a scalar in quotes is a string whatever it says
  int line = 0, column = 0;
  std::vector<Yaml> items;         // of a list
  std::vector<YamlEntry> entries;  // of a map, in the order of the file

  bool is_null() const { return kind == Kind::kNull; }
  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_map() const { return kind == Kind::kMap; }
  // The value under a key of a map, the first when it is repeated; null when there is none.
  const Yaml* find(std::string_view key) const;
  const Yaml* find_key(std::string_view key) const;  // the key itself, for its position
};

struct YamlEntry {
  Yaml key, value;
};

// One document. Throws TN_ERROR_PARSE with the position. Bounded in nesting and size, so that untrusted text is safe.
Yaml parse_yaml(const std::string& text, const std::string& file);
Yaml read_yaml(const std::string& file);

// A scalar as none, boolean, integer, number or string; lists and maps of them. Throws with the position.
Value yaml_value(const Builder& b, const Yaml& node, const std::string& file);

std::string yaml_where(const std::string& file, const Yaml& node);
std::string yaml_kind(const Yaml& node);  // "a list", for messages

}  // namespace tenon
#endif
