#include "registry/yaml.h"

#include <sys/stat.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <sstream>

#include "diag/files.h"
#include "diag/utf8.h"

namespace tenon {

namespace {

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxNodes = 200000;
constexpr size_t kMaxKeys = 10000;  // of one map
constexpr size_t kMaxBytes = 16u << 20;

// Builds the tree from the parser's events: faster than by way of yaml-cpp's own nodes, and with the place of every
// value, also of empty ones and of aliases.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(const std::string& text, const std::string& file)
      : text_(text), file_(file), ascii_(characters_before(text, text.size()) == text.size()) {}

  Yaml take() {
    refuse_open_quote();
    return std::move(root_);
  }

  // From 1, in characters.
  int column_of(const YAML::Mark& mark) {
    auto at = static_cast<size_t>(std::max(mark.pos, 0)), bytes = static_cast<size_t>(std::max(mark.column, 0));
    if (ascii_ || at > text_.size() || bytes > at) return mark.column + 1;
    if (counted_line_ != at - bytes || counted_ > at) {
      counted_line_ = counted_ = at - bytes;
      count_of_characters_ = 0;
    }
    count_of_characters_ += characters_before(std::string_view(text_).substr(counted_), at - counted_);
    counted_ = at;
    return static_cast<int>(count_of_characters_) + 1;
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
    node.quoted = tag == "!" || tag == kText;
    if (!node.quoted) refuse_tag(mark, tag, "");
    if (value.find('\0') != std::string::npos)
      throw Error(TN_ERROR_PARSE, "a NUL character stands in a text", yaml_where(file_, node), "take it out");
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
    move_to(node, at);
    place(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag, kList);
    open(mark, Yaml::Kind::kList, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag, kMap);
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

  static constexpr const char* kText = "tag:yaml.org,2002:str";
  static constexpr const char* kList = "tag:yaml.org,2002:seq";
  static constexpr const char* kMap = "tag:yaml.org,2002:map";

  // A tag would promise a type or an action that nobody here gives.
  void refuse_tag(const YAML::Mark& mark, const std::string& tag, const std::string& meant) {
    if (tag.empty() || tag == "?" || tag == "!" || tag == meant) return;
    constexpr std::string_view kCore = "tag:yaml.org,2002:";
    std::string written = tag.starts_with(kCore) ? "!!" + tag.substr(kCore.size()) : tag;
    throw Error(TN_ERROR_PARSE, "the tag " + shortened(written) + " has no meaning here", yaml_where(file_, make(mark)),
                "leave it out");
  }
  // What stands in an alias is wrong where the alias is; what is wrong in itself is so at its anchor too.
  static void move_to(Yaml& node, const Yaml& at) {
    node.line = at.line;
    node.column = at.column;
    for (Yaml& item : node.items) move_to(item, at);
    for (YamlEntry& entry : node.entries) {
      move_to(entry.key, at);
      move_to(entry.value, at);
    }
  }
  Yaml make(const YAML::Mark& mark) {
    Yaml node;
    node.line = mark.line + 1;
    node.column = column_of(mark);
    return node;
  }
  // Whether "nothing" is written out there.
  bool is_null_word(size_t at) const {
    for (std::string_view word : {"~", "null", "Null", "NULL"})
      if (text_.compare(at, word.size(), word) == 0)
        return at + word.size() == text_.size() ||
               std::string_view(" \t\r\n,]}#").find(text_[at + word.size()]) != std::string_view::npos;
    return false;
  }
  // What is left empty is reported where the next thing stands; it is better shown at its own dash or key.
  Yaml make_empty(const YAML::Mark& mark) {
    Yaml node = make(mark);
    auto at = std::min(static_cast<size_t>(std::max(mark.pos, 0)), text_.size());
    if (is_null_word(at)) return node;
    if (open_.empty()) {  // nothing at all, or after '---'
      node.line = node.column = 1;
      return node;
    }
    size_t end = text_.find_last_not_of(" \t\r\n", at == 0 ? 0 : at - 1);
    const bool in_list = open_.back().node.is_list();
    if (in_list && end != std::string::npos && text_[end] == '-') {
      auto from = text_.begin() + static_cast<std::ptrdiff_t>(end);
      node.line -= static_cast<int>(std::count(from, text_.begin() + static_cast<std::ptrdiff_t>(at), '\n'));
      node.column = 1;
      for (size_t c = end; c > 0 && text_[c - 1] != '\n' && node.column < 1000; --c) ++node.column;
    } else if (open_.back().has_key) {
      node.line = open_.back().key.line;
      node.column = open_.back().key.column;
    }
    return node;
  }
  // The parser takes a quoted text that runs to the end of the file as complete.
  void refuse_open_quote() {
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
    throw Error(TN_ERROR_PARSE, "not legal YAML: a quote that is not closed", yaml_where(file_, make(last_scalar_)),
                std::string("close it with ") + quote);
  }
  void limit(size_t more) {
    if ((count_ += more) > kMaxNodes)
      throw Error(TN_ERROR_LIMIT, "more than 200000 values, aliases expanded", file_,
                  "say it in less, or in several files");
  }
  void open(const YAML::Mark& mark, Yaml::Kind kind, YAML::anchor_t anchor) {
    Yaml node = make(mark);
    node.kind = kind;
    if (open_.size() >= kMaxDepth)
      throw Error(TN_ERROR_LIMIT, "nested deeper than 64 levels", yaml_where(file_, node), "nest it less");
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
  bool ascii_;
  // The last place that columns were counted to, in a text with longer characters.
  size_t counted_line_ = std::string::npos, counted_ = 0, count_of_characters_ = 0;
  YAML::Mark last_scalar_ = YAML::Mark::null_mark();
  Yaml root_;
  int documents_ = 0;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  size_t count_ = 0;
};

[[noreturn]] void throw_too_large(const std::string& file) {
  throw Error(TN_ERROR_LIMIT, "the file is larger than 16 MiB", file, "split it, or name the right file");
}

// What the parser says, and what to do about it.
struct SyntaxRow {
  std::string_view said, hint;
};
constexpr SyntaxRow kSyntax[] = {
    {"illegal tab", "indent with spaces"},
    {"illegal block entry", "'- ' begins a line, which is indented with spaces"},
    {"illegal map key", "indent with spaces, and put a text that holds ': ' in quotes"},
    {"illegal map value", "put a text that holds ': ' in quotes"},
    {"end of map not found", "the keys of a map begin in the same column"},
    {"end of sequence not found", "the dashes of a list stand in the same column"},
    {"unknown token", "put a text that begins with this character in quotes"},
    {"illegal flow end", "take the bracket out, or open it before"},
    {"illegal EOF in scalar", "close the quote"},
    {"illegal document indicator in scalar", "close the quote before"},
    {"unknown escape character", "between \" a backslash is written \\\\; between ' it stands for itself"},
    {"the referenced anchor is not defined", "name an anchor (&NAME) that stands before it"},
    {"anchor not found after", "write &NAME"},
    {"alias not found after", "write *NAME, or put the text in quotes"},
};

std::string syntax_hint(const std::string& said) {
  for (const SyntaxRow& row : kSyntax)
    if (said.starts_with(row.said)) return std::string(row.hint);
  return "";
}

// Whether white space with a tab begins the line, counted from 0.
bool begins_with_tab(const std::string& text, int line) {
  size_t at = 0;
  for (; line > 0 && at < text.size(); --line) at = std::min(text.find('\n', at), text.size() - 1) + 1;
  return text.substr(at, text.find_first_not_of(" \t", at) - at).find('\t') != std::string::npos;
}

// YAML is UTF-8 here, without the control characters that nobody sees.
void require_text(const std::string& text, const std::string& file) {
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF"))
    throw Error(TN_ERROR_PARSE, "the file is UTF-16 text", file, "save it as UTF-8");
  size_t wrong = find_not_utf8(text);
  size_t control = 0;
  for (; control < text.size(); ++control) {
    const auto c = static_cast<unsigned char>(text[control]);
    if ((c < 0x20 && c != '\n' && c != '\r' && c != '\t') || c == 0x7f) break;
  }
  const size_t at = std::min(wrong, control);
  if (at >= text.size()) return;
  Yaml place;
  place.line = static_cast<int>(std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(at), '\n')) + 1;
  const size_t line = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
  place.column = static_cast<int>(characters_before(std::string_view(text).substr(line), at - line)) + 1;
  throw Error(
      TN_ERROR_PARSE,
      "the byte " + printable(text.substr(at, 1)) + (at == wrong ? " is no UTF-8 text" : " is a control character"),
      yaml_where(file, place), at == wrong ? "save the file as UTF-8" : "take it out");
}

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
    throw Error(TN_ERROR_PARSE, "the integer " + shortened(s) + " does not fit into 64 bits", yaml_where(file, node),
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

Yaml parse_yaml(const std::string& given, const std::string& file) {
  if (given.size() > kMaxBytes) throw_too_large(file);
  const std::string text = given.starts_with("\xEF\xBB\xBF") ? given.substr(3) : given;
  require_text(text, file);
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
    at.column = builder.column_of(e.mark);
    throw Error(TN_ERROR_PARSE, "not legal YAML: " + e.msg, yaml_where(file, at),
                begins_with_tab(text, e.mark.line) ? "indent with spaces, not with tabs" : syntax_hint(e.msg));
  }
}

Yaml read_yaml(const std::string& file) {
  struct stat status;
  if (stat(file.c_str(), &status) == 0) {
    if (!S_ISREG(status.st_mode))
      throw Error(TN_ERROR_IO, S_ISDIR(status.st_mode) ? "it is a folder, not a file" : "it is no regular file", file,
                  "put a regular file in its place");
    if (static_cast<size_t>(status.st_size) > kMaxBytes) throw_too_large(file);
  }
  return parse_yaml(read_regular_file(file), file);
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
      if (node.entries.size() > kMaxKeys)
        throw Error(TN_ERROR_LIMIT, "a map of more than 10000 keys", yaml_where(file, node), "write a list");
      Builder::Entries entries;
      std::set<std::string_view> names;
      for (const auto& [key, value] : node.entries) {
        if (!key.is_scalar())
          throw Error(TN_ERROR_PARSE, "a key is " + yaml_kind(key) + ", not a name", yaml_where(file, key),
                      "write a name before the colon");
        if (!names.insert(key.text).second)
          throw Error(TN_ERROR_DUPLICATE, "the key '" + shortened(key.text) + "' comes twice", yaml_where(file, key),
                      "leave one of them out");
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
    case Yaml::Kind::kScalar: return "'" + shortened(node.text) + "'";
    case Yaml::Kind::kList: return "a list";
    case Yaml::Kind::kMap: return "a map";
  }
  return "";
}

}  // namespace tenon
