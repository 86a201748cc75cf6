#include "registry/yaml.h"

#include <yaml-cpp/yaml.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

namespace tenon {

namespace {

constexpr int kMaxDepth = 64;
constexpr size_t kMaxNodes = 200000;
constexpr size_t kMaxBytes = 16u << 20;

class Converter {
 public:
  explicit Converter(const std::string& file) : file_(file) {}

  Yaml convert(const YAML::Node& node, int depth) {
    Yaml out;
    out.line = node.Mark().line + 1;
    out.column = node.Mark().column + 1;
    if (depth > kMaxDepth) throw Error(TN_ERROR_LIMIT, "nested deeper than 64 levels", yaml_where(file_, out));
    if (++count_ > kMaxNodes) throw Error(TN_ERROR_LIMIT, "more than 200000 values, aliases expanded", file_);
    switch (node.Type()) {
      case YAML::NodeType::Undefined:
      case YAML::NodeType::Null: break;
      case YAML::NodeType::Scalar:
        out.kind = Yaml::Kind::kScalar;
        out.text = node.Scalar();
        out.quoted = node.Tag() == "!" || node.Tag() == "tag:yaml.org,2002:str";
        break;
      case YAML::NodeType::Sequence:
        out.kind = Yaml::Kind::kList;
        for (const auto& item : node) out.items.push_back(convert(item, depth + 1));
        break;
      case YAML::NodeType::Map:
        out.kind = Yaml::Kind::kMap;
        for (const auto& entry : node)
          out.entries.push_back({convert(entry.first, depth + 1), convert(entry.second, depth + 1)});
        break;
    }
    return out;
  }

 private:
  const std::string& file_;
  size_t count_ = 0;
};

template <class T>
bool whole_number(const std::string& text, T& number) {
  const char* first = text.data();
  const char* last = first + text.size();
  if (first != last && *first == '+') ++first;
  auto [end, error] = std::from_chars(first, last, number);
  return error == std::errc{} && end == last && first != last;
}

Value scalar_value(const Builder& b, const Yaml& node, const std::string& file) {
  const std::string& s = node.text;
  if (node.quoted) return b.string(s);
  if (s == "true") return Value(true);
  if (s == "false") return Value(false);
  if (s.empty() || s == "null" || s == "~") return Value();
  int64_t i = 0;
  if (whole_number(s, i)) return Value(i);
  size_t sign = s[0] == '-' || s[0] == '+' ? 1 : 0;
  if (s.size() > sign && s.find_first_not_of("0123456789", sign) == std::string::npos)
    throw Error(TN_ERROR_PARSE, "the integer " + s + " does not fit into 64 bits", yaml_where(file, node),
                "put it in quotes when it is meant as text");
  double f = 0;
  if (s.find_first_of("0123456789") != std::string::npos && whole_number(s, f)) return Value(f);
  return b.string(s);
}

}  // namespace

const Yaml* Yaml::find_key(std::string_view key) const {
  for (const auto& [k, v] : entries)
    if (k.text == key) return &k;
  return nullptr;
}

const Yaml* Yaml::find(std::string_view key) const {
  for (const auto& [k, v] : entries)
    if (k.text == key) return &v;
  return nullptr;
}

Yaml parse_yaml(const std::string& text, const std::string& file) {
  if (text.size() > kMaxBytes) throw Error(TN_ERROR_LIMIT, "the file is larger than 16 MiB", file);
  try {
    std::vector<YAML::Node> documents = YAML::LoadAll(text);
    if (documents.size() > 1)
      throw Error(TN_ERROR_PARSE, "the file holds " + std::to_string(documents.size()) + " YAML documents", file,
                  "leave one; '---' separates documents");
    return documents.empty() ? Yaml() : Converter(file).convert(documents[0], 0);
  } catch (const YAML::Exception& e) {
    Yaml at;
    at.line = e.mark.line + 1;
    at.column = e.mark.column + 1;
    throw Error(TN_ERROR_PARSE, "not legal YAML: " + e.msg, yaml_where(file, at));
  }
}

Yaml read_yaml(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  if (in) text << in.rdbuf();
  if (!in) throw Error(TN_ERROR_IO, "cannot read the file: " + std::string(std::strerror(errno)), file);
  return parse_yaml(text.str(), file);
}

Value yaml_value(const Builder& b, const Yaml& node, const std::string& file) {
  switch (node.kind) {
    case Yaml::Kind::kNull: return Value();
    case Yaml::Kind::kScalar: return scalar_value(b, node, file);
    case Yaml::Kind::kList: {
      std::vector<Value> items;
      for (const Yaml& item : node.items) items.push_back(yaml_value(b, item, file));
      return b.array(items);
    }
    case Yaml::Kind::kMap: {
      Builder::Entries entries;
      for (const auto& [key, value] : node.entries) {
        if (!key.is_scalar())
          throw Error(TN_ERROR_PARSE, "a key is " + yaml_kind(key) + ", not a name", yaml_where(file, key));
        for (const auto& [name, earlier] : entries)
          if (name == key.text)
            throw Error(TN_ERROR_DUPLICATE, "the key '" + key.text + "' comes twice", yaml_where(file, key));
        entries.emplace_back(key.text, yaml_value(b, value, file));
      }
      return b.map(entries);
    }
  }
  return Value();
}

std::string yaml_where(const std::string& file, const Yaml& node) {
  if (node.line <= 0) return file;
  return file + ":" + std::to_string(node.line) + ":" + std::to_string(node.column);
}

std::string yaml_kind(const Yaml& node) {
  switch (node.kind) {
    case Yaml::Kind::kNull: return "nothing";
    case Yaml::Kind::kScalar: return "'" + node.text + "'";
    case Yaml::Kind::kList: return "a list";
    case Yaml::Kind::kMap: return "a map";
  }
  return "";
}

}  // namespace tenon
