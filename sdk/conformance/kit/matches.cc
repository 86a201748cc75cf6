#include "matches.h"

#include <tenon/cxx/numbers.h>
#include <tenon/ext/draft/partitioner.h>

#include <algorithm>
#include <cctype>

#include "meaning.h"

namespace tenon::conformance {

namespace {

// Shapes for the names of a pattern in the order of the text; the last is repeated. "" is a scalar.
constexpr const char* kShapes[][4] = {
    {"4, 64", "64, 32", "32", ""},
    {"\"n\", 64", "64, 32", "32", ""},
    {"4, 64", "4, 64", "4, 64", "4, 64"},
    {"\"n\", 64", "\"n\", 64", "\"n\", 64", "\"n\", 64"},
    {"1, 4, 8, 8", "8, 4, 3, 3", "1, 8, 1, 1", ""},
    {"\"n\", 4, 8, 8", "8, 4, 3, 3", "1, 8, 1, 1", ""},
    {"4, 64", "", "", ""},
    {"4, 64", "64", "64", "64"},
    {"1, 4, 8, 8", "4", "4", "4"},
};
constexpr const char* kTypes[] = {"float32", "int32", "int8", "int64"};
constexpr size_t kMostTries = 256;  // combinations of dtypes

struct PatternName {
  std::string name;
  bool constant;
};

// The pattern as an expression of the script: its names, and its text with constants as names.
struct PatternText {
  std::vector<PatternName> names;
  std::string text;
};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; }

PatternText read_pattern(const std::string& pattern) {
  PatternText out;
  auto name = [&](std::string n, bool constant) {
    if (n.empty() || n == "_") n = "any" + std::to_string(out.names.size());
    bool known = false;
    for (const PatternName& k : out.names) known = known || k.name == n;
    if (!known) out.names.push_back({n, constant});
    return n;
  };
  for (size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    if (c == '\'' || c == '"') {
      size_t end = std::min(pattern.find(c, i + 1), pattern.size() - 1);
      out.text += pattern.substr(i, end + 1 - i);
      i = end + 1;
    } else if (std::isalpha(static_cast<unsigned char>(c)) || c == '_') {
      size_t end = i;
      while (end < pattern.size() && is_word(pattern[end])) ++end;
      std::string word = pattern.substr(i, end - i);
      const char next = end < pattern.size() ? pattern[end] : ' ';
      if (word == "const" && next == '(') {
        size_t close = std::min(pattern.find(')', end), pattern.size() - 1);
        out.text += name(pattern.substr(end + 1, close - end - 1), true);
        end = close + 1;
      } else if (next == '(' || next == '=' || word == "True" || word == "False" || word == "None") {
        out.text += word.rfind("relax.", 0) == 0 ? "R." + word.substr(6) : word;
      } else {
        out.text += name(word, false);
      }
      i = end;
    } else {
      out.text += c;
      ++i;
    }
  }
  return out;
}

// What a row's conditions say about the dtype of a name; "" when nothing.
std::string stated_dtype(const Map& row, const std::string& name) {
  const Value* where = row.find("where");
  std::string all;
  if (where && where->is_string()) all = where->as_string();
  if (where && where->is_array())
    for (const Value& v : where->ref<Array>())
      if (v.is_string()) all += "; " + std::string(v.as_string());
  size_t at = all.find(name + ".dtype == ");
  if (at == std::string::npos || (at > 0 && is_word(all[at - 1]))) return "";
  size_t from = all.find_first_of("'\"", at);
  if (from == std::string::npos) return "";
  return all.substr(from + 1, all.find(all[from], from + 1) - from - 1);
}

// The program with those parameters that are to be constants as constants.
Node with_constants(const Subject& s, const Node& module, const std::vector<PatternName>& names) {
  const Builder& b = s.b();
  const Node main = main_of(module);
  const auto& f = main.to<relax::Function>();
  std::vector<Node> params;
  std::vector<Value> from, to;
  std::vector<Value> inputs = make_inputs(b, main);
  for (size_t i = 0; i < names.size(); ++i) {
    const Node& p = nodes(f.params())[i];
    if (!names[i].constant) {
      params.push_back(p);
      continue;
    }
    const DLTensor& t = reinterpret_cast<const TnTensor*>(inputs[i].raw().as.object)->tensor;
    Value bytes = call([&](TnValue* ret) { return b.ir()->constant(b.ir()->self, &t, ret); });
    from.push_back(Value(p));
    to.push_back(Value(b.make<ir::Constant>({p.slot(0), bytes})));
  }
  if (from.empty()) return module;
  Node body = as_node(b.substitute(Value(f.body()), b.array(from), b.array(to)));
  Node changed = b.with(b.with(main, relax::FunctionSlot::params, b.array(params)), relax::FunctionSlot::body, body);
  return b.with(module, ir::ModuleSlot::functions, b.map({{"main", changed}}));
}

// Programs that are the pattern and nothing else; types and shapes are found by trying.
std::vector<Program> made_of(const Subject& s, const Map& row) {
  const std::string name = text_of(row, "name");
  PatternText p = read_pattern(text_of(row, "pattern"));
  std::vector<std::string> fixed;
  size_t open = 0;  // names whose dtype is to be found
  for (size_t i = 0; i < p.names.size(); ++i) {
    fixed.push_back(stated_dtype(row, p.names[i].name));
    open += fixed.back().empty();
  }
  // What the row names comes first.
  std::vector<std::string> types(std::begin(kTypes), std::end(kTypes));
  const std::string said = text_of(row, "pattern");
  std::stable_sort(types.begin(), types.end(), [&](const std::string& a, const std::string& c) {
    return std::min(said.find("'" + a + "'"), said.size()) < std::min(said.find("'" + c + "'"), said.size());
  });
  size_t tries = 1;
  for (size_t i = 0; i < open && tries < kMostTries; ++i) tries *= types.size();
  std::vector<Program> out;
  size_t known = 0;  // the combination of dtypes that was right before
  for (const auto& shapes : kShapes) {
    for (size_t k = 0; k < tries + 1; ++k) {
      size_t digits = k == 0 ? known : k - 1;
      std::string head;
      for (size_t i = 0; i < p.names.size(); ++i) {
        std::string dtype = fixed[i];
        if (dtype.empty()) {
          dtype = types[digits % types.size()];
          digits /= types.size();
        }
        const std::string shape = shapes[std::min<size_t>(i, 3)];
        head += (i ? ", " : "") + p.names[i].name + ": R.Tensor((" + shape + (shape.empty() ? "" : ",") + "), \"" +
                dtype + "\")";
      }
      const std::string text = "@R.function\ndef main(" + head +
                               "):\n    with R.dataflow():\n        out_of_it = " + p.text +
                               "\n        R.output(out_of_it)\n    return out_of_it\n";
      try {
        Node module = with_constants(s, s.session().parse(text, name), p.names);
        out.push_back({"a program made of it", through(s, module, {"passes-graph:normalize"})});
        known = k == 0 ? known : k - 1;
        break;
      } catch (const Error&) {}
    }
  }
  return out;
}

}  // namespace

Array patterns_of(const Subject& s, const Map& plugin) {
  const Value* offers = plugin.find("offers");
  const Value* offer = offers && offers->is_map() ? offers->ref<Map>().find(TN_PARTITIONER) : nullptr;
  const Value* rows = offer && offer->is_map() ? offer->ref<Map>().find("patterns") : nullptr;
  return rows && rows->is_array() ? rows->ref<Array>() : s.b().array({});
}

std::string codegen_of(const Map& plugin) {
  const Value* offers = plugin.find("offers");
  const Value* offer = offers && offers->is_map() ? offers->ref<Map>().find(TN_PARTITIONER) : nullptr;
  std::string codegen = offer && offer->is_map() ? text_of(offer->ref<Map>(), "codegen") : "";
  return codegen.empty() ? text_of(plugin, "id") : codegen;
}

std::vector<Program> sample_models(const Subject& s) {
  std::vector<Program> out;
  for (const std::string& path : s.options().samples)
    if (!path.ends_with(".py"))
      out.push_back({path.substr(path.rfind('/') + 1), s.session().import_model(path, Value())});
  return out;
}

std::vector<Match> matches_of(const Subject& s, const Map& plugin, size_t most) {
  const Builder& b = s.b();
  std::vector<Match> out;
  std::vector<Program> given = sample_programs(s);
  const Array rows = patterns_of(s, plugin);
  if (!rows.empty()) try {
      for (const Program& p : sample_models(s)) given.push_back(p);
    } catch (const Error&) {}  // a sample for something else
  for (const Program& p : graph_programs(s)) given.push_back(p);
  for (Program& p : given) try {
      p.module = through(s, p.module, {"passes-graph:normalize"});
    } catch (const Error&) {}
  for (const Value& v : rows) {
    if (!v.is_map()) continue;
    Builder::Entries entries = Builder::entries(v.ref<Map>());
    if (!v.ref<Map>().find("codegen")) entries.emplace_back("codegen", b.string(codegen_of(plugin)));
    const std::string pattern = text_of(v.ref<Map>(), "name");
    Value row(b.map(entries));
    Value stage(b.map(
        {{"pass", b.string("passes-graph:partition")}, {"options", Value(b.map({{"patterns", b.array({row})}}))}}));
    std::vector<Program> programs = made_of(s, v.ref<Map>());
    programs.insert(programs.end(), given.begin(), given.end());
    size_t found = 0;
    for (const Program& p : programs) {
      if (found >= most) break;
      try {
        Node parted = as_node(*s.session().run_pipeline(p.module, b.array({stage}), Value()).find("module"));
        for (const Map::Entry& e : parted.to<ir::Module>().functions()) {
          const auto* f = as_node(e.value()).as<relax::Function>();
          if (!f || text_of(f->attrs(), "composite") != pattern || found >= most) continue;
          ++found;
          // Results are told apart by their names.
          const std::string name = found > 1 ? p.name + " (" + std::to_string(found) + ")" : p.name;
          out.push_back({name, pattern, as_node(e.value()), p.module});
        }
      } catch (const Error&) {}  // the host says what is wrong with it (partitioner-meaning)
    }
  }
  return out;
}

Node module_of(const Builder& b, const Node& candidate, const Value& codegen) {
  Builder::Entries attrs{{"global_symbol", b.string("main")}};
  if (!codegen.is_none()) attrs.emplace_back("codegen", codegen);
  Node main = b.with(candidate, relax::FunctionSlot::attrs, b.map(attrs));
  return b.make<ir::Module>({b.map({}), b.map({}), b.map({{"main", main}}), b.array({})});
}

}  // namespace tenon::conformance
