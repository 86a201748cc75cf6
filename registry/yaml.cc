#include "registry/yaml.h"

#include <sys/stat.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>

namespace tenon {

namespace {

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxNodes = 200000;
constexpr size_t kMaxBytes = 16u << 20;

// Builds the tree from the parser's events: faster than by way of yaml-cpp's own nodes, and with the place of every
// value, also of empty ones and of aliases.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& text, const std::string& file) : text_(text), file_(file) {}

  Yaml take() {
    refuse_open_quote();
    return std::move(root_);
  }

  // The list or map that is being read.
  const Yaml* innermost() const { return open_.empty() ? nullptr : &open_.back().node; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1)
      throw Error(TN_ERROR_PARSE, "a second YAML document begins here", yaml_where(file_, make(mark)),
                  "leave one; '---' separates documents");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(make_empty(mark), anchor); }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    Yaml node = make(mark);
    node.kind = Yaml::Kind::kScalar;
    node.text = value;
    node.quoted = tag == "!" || tag == "tag:yaml.org,2002:str";
    last_scalar_ = mark;
    add(std::move(node), anchor);
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Yaml at = make(mark);
    auto found = anchors_.find(anchor);
    if (found == anchors_.end())
      throw Error(TN_ERROR_PARSE, "the alias stands inside of what it stands for", yaml_where(file_, at));
    limit(found->second.count);
    Yaml node = found->second.node;
    node.line = at.line;
    node.column = at.column;
    place(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, Yaml::Kind::kList, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, Yaml::Kind::kMap, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    Yaml node;
    YAML::anchor_t anchor;
    size_t first;  // count_ before the node
    Yaml key;      // of a map: read, its value is not
    bool has_key = false;
  };
  struct Anchored {
    Yaml node;
    size_t count;
  };

  static Yaml make(const YAML::Mark& mark) {
    Yaml node;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }
  // What is left empty is reported where the next thing stands; it is better shown at its own dash or key.
  Yaml make_empty(const YAML::Mark& mark) {
    Yaml node = make(mark);
    auto at = std::min(static_cast<size_t>(std::max(mark.pos, 0)), text_.size());
    if (at < text_.size() && (text_[at] == '~' || text_[at] == 'n' || text_[at] == 'N')) return node;
    size_t end = text_.find_last_not_of(" \t\r\n", at == 0 ? 0 : at - 1);
    if (end != std::string::npos && text_[end] == '-') {
      auto from = text_.begin() + static_cast<std::ptrdiff_t>(end);
      node.line -= static_cast<int>(std::count(from, text_.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
      node.column = 1;
      for (size_t c = end; c > 0 && text_[c - 1] != '\n' && node.column < 1000; --c) ++node.column;
    } else if (!open_.empty() && open_.back().has_key && open_.back().key.line < node.line) {
      node.line = open_.back().key.line;
      node.column = open_.back().key.column;
    }
    return node;
  }
  // The parser takes a quoted text that runs to the end of the file as complete.
  void refuse_open_quote() const {
    auto at = static_cast<size_t>(std::max(last_scalar_.pos, 0));
    if (at >= text_.size() || (text_[at] != '"' && text_[at] != '\'')) return;
    char quote = text_[at];
    for (size_t i = at + 1; i < text_.size(); ++i) {
      if (quote == '"' && text_[i] == '\\') {
        ++i;
      } else if (text_[i] == quote) {
        if (quote == '"' || i + 1 == text_.size() || text_[i + 1] != quote) return;
        ++i;
      }
    }
    throw Error(TN_ERROR_PARSE, "not legal YAML: a quote that is not closed", yaml_where(file_, make(last_scalar_)));
  }
  void limit(size_t more) {
    if ((count_ += more) > kMaxNodes) throw Error(TN_ERROR_LIMIT, "more than 200000 values, aliases expanded", file_);
  }
  void open(const YAML::Mark& mark, Yaml::Kind kind, YAML::anchor_t anchor) {
    Yaml node = make(mark);
    node.kind = kind;
    if (open_.size() >= kMaxDepth) throw Error(TN_ERROR_LIMIT, "nested deeper than 64 levels", yaml_where(file_, node));
    size_t first = count_;
    limit(1);
    open_.push_back({std::move(node), anchor, first, {}, false});
  }
  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    if (done.anchor) anchors_[done.anchor] = {done.node, count_ - done.first};
    place(std::move(done.node));
  }
  void add(Yaml node, YAML::anchor_t anchor) {
    limit(1);
    if (anchor) anchors_[anchor] = {node, 1};
    place(std::move(node));
  }
  void place(Yaml node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.is_list()) {
      parent.node.items.push_back(std::move(node));
    } else if (parent.has_key) {
      parent.node.entries.push_back({std::move(parent.key), std::move(node)});
      parent.has_key = false;
    } else {
      parent.key = std::move(node);
      parent.has_key = true;
    }
  }

  const std::string& text_;
  const std::string& file_;
  YAML::Mark last_scalar_ = YAML::Mark::null_mark();
  Yaml root_;
  int documents_ = 0;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
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
  TreeBuilder builder(text, file);
  try {
    std::istringstream in(text);
    YAML::Parser parser(in);
    while (parser.HandleNextDocument(builder)) {}
    Yaml tree = builder.take();
    if (tree.line == 0) tree.line = tree.column = 1;  // an empty file
    return tree;
  } catch (const YAML::Exception& e) {
    if (const Yaml* open = builder.innermost(); open && e.msg.ends_with("flow not found"))
      throw Error(
          TN_ERROR_PARSE,
          "not legal YAML: the " + std::string(open->is_list() ? "list" : "map") + " that begins here is not closed",
          yaml_where(file, *open), open->is_list() ? "close it with ]" : "close it with }");
    Yaml at;
    at.line = e.mark.line + 1;
    at.column = e.mark.column + 1;
    throw Error(TN_ERROR_PARSE, "not legal YAML: " + e.msg, yaml_where(file, at));
  }
}

Yaml read_yaml(const std::string& file) {
  struct stat status;
  if (stat(file.c_str(), &status) == 0 && !S_ISREG(status.st_mode))
    throw Error(TN_ERROR_IO, S_ISDIR(status.st_mode) ? "it is a folder, not a file" : "it is no regular file", file);
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
