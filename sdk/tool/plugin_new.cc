// tenon plugin new: a project to begin a plugin with, copied from the installation's templates.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "diag/files.h"
#include "diag/render.h"
#include "diag/suggest.h"
#include "tool.h"

namespace tenon::tool {

namespace {

namespace fs = std::filesystem;

struct Kind {
  const char* name;
  const char* folder;  // of the templates
  const char* summary;
};
constexpr Kind kKinds[] = {
    {"pass", "pass", "rewrites functions or modules"},
    {"op", "op", "an operator and its meaning"},
    {"operator", "op", "the same"},
    {"codegen", "codegen", "functions become code"},
    {"frontend", "frontend", "model files become modules"},
    {"linker", "linker", "objects become a shared library"},
    {"partitioner", "partitioner", "which parts of a graph go to a code generator"},
    {"kind", "kind", "a kind of nodes, and what it means"},
    {"converter", "converter", "ONNX nodes become operators"},
    {"instrument", "instrument", "looks on while passes run"},
    {"executor", "executor", "functions become callable"},
    {"device", "device", "memory, queues and fences"},
    {"loader", "loader", "a payload of one's own, and what makes it callable"},
};

struct NewArgs {
  std::string kind, id, language, folder;  // no language: C++, or C where there is that alone
};

// Where the templates lie: beside the program, in the build tree and in the install tree alike.
fs::path templates() {
  std::error_code error;
  fs::path program = fs::read_symlink("/proc/self/exe", error);
  fs::path folder = program.parent_path().parent_path() / "share/tenon/templates";
  if (error || !fs::is_directory(folder, error))
    throw Error(TN_ERROR_NOT_FOUND, "the templates of plugins are not installed", folder.string(),
                "install Tenon with its share folder");
  return folder;
}

std::string kinds_listed(bool with_summaries) {
  std::string list;
  for (const Kind& kind : kKinds)
    list += (list.empty() ? "" : ", ") + std::string(kind.name) +
            (with_summaries ? " (" + std::string(kind.summary) + ")" : "");
  return list;
}

const Kind& kind_of(const std::string& name) {
  std::vector<std::string> known;
  for (const Kind& kind : kKinds) {
    if (kind.name == name) return kind;
    known.emplace_back(kind.name);
  }
  throw UsageError("there is no kind of plugin '" + name + "'",
                   did_you_mean(name, known, "the kinds are: " + kinds_listed(false)));
}

// As manifests want it, with parts that are not empty: it names files too.
void check_id(const std::string& id) {
  bool right = !id.empty() && id.size() <= 100 && id[0] >= 'a' && id[0] <= 'z';
  char before = '.';
  for (char c : id) {
    bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'), joint = c == '.' || c == '-' || c == '_';
    right = right && (letter || (joint && before != '.' && before != '-' && before != '_'));
    before = c;
  }
  if (!right || before == '.' || before == '-' || before == '_')
    throw UsageError("'" + id + "' is not a plugin id",
                     "an id is lower-case letters and digits, joined by '.', '-' or '_', such as com.vendor.thing");
  for (const char* taken : {"all", "clean", "help", "install", "package", "test"})
    if (id == taken)
      throw UsageError("'" + id + "' is a target of CMake's own", "name the vendor too, such as com.vendor." + id);
}

// Of two plugins with one id the host would know one.
void check_not_installed(const std::string& id, const Common& common) {
  const Map all = common.open()->plugins();
  for (const Value& plugin : all.find("plugins")->ref<Array>())
    if (plugin.ref<Map>().find("id")->as_string() == id)
      throw Error(TN_ERROR_DUPLICATE, "a plugin with the id '" + id + "' is installed",
                  std::string(plugin.ref<Map>().find("manifest")->as_string()),
                  "name the vendor too, such as com.vendor." + id.substr(id.find_last_of('.') + 1));
}

// A word of a shell command.
std::string shell_word(const std::string& text) {
  auto is_plain = [](unsigned char c) {
    return c > 127 || std::isalnum(c) ||
           std::string_view("+,-./:=@_").find(static_cast<char>(c)) != std::string_view::npos;
  };
  if (std::all_of(text.begin(), text.end(), is_plain)) return text;
  std::string out = "'";
  for (char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

int new_plugin(const NewArgs& a, const Common& common) {
  const Kind& kind = kind_of(a.kind);
  check_id(a.id);
  check_not_installed(a.id, common);
  const fs::path from = templates() / kind.folder, to = a.folder.empty() ? a.id : a.folder;
  const bool in_c = fs::exists(from / "src/plugin.c"), in_cxx = fs::exists(from / "src/plugin.cc");
  if (a.language == "c" ? !in_c : a.language == "c++" && !in_cxx)
    throw UsageError("there is no template of kind '" + a.kind + "' in " + (in_c ? "C++" : "C"),
                     std::string("leave --lang out: it is written in ") + (in_c ? "C" : "C++"));
  const bool c = a.language == "c" || !in_cxx;
  const std::string source = c ? "plugin.c" : "plugin.cc", other = c ? "plugin.cc" : "plugin.c";
  std::string last = a.id.substr(a.id.find_last_of('.') + 1);  // the last part, for the extension of files
  std::erase_if(last, [](char x) { return x == '-' || x == '_'; });
  auto fill = [&](std::string text) {
    replace_all(text, "@ID@", a.id);
    replace_all(text, "@LAST@", last);
    replace_all(text, "@SOURCE@", source);
    replace_all(text, "@LANGUAGE@", c ? "C" : "CXX");
    return text;
  };
  std::error_code ignored;  // making the folder says what is wrong with its name
  if (fs::exists(to, ignored))
    throw Error(TN_ERROR_DUPLICATE, "cannot make the plugin: '" + to.string() + "' exists already", {},
                "name another folder with --output");
  Json files = Json::array();
  size_t lines = 0;
  try {
    for (const auto& entry : fs::recursive_directory_iterator(from)) {
      if (!entry.is_regular_file() || entry.path().filename() == other) continue;
      const fs::path name = fill(fs::relative(entry.path(), from).string());
      make_directories((to / name).parent_path().string());
      std::string text = fill(read_file(entry.path().string()));
      lines += static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
      write_file((to / name).string(), text);
      files.push_back(name.string());
    }
  } catch (const Error&) {  // such as of a full disk; half a plugin would be in the way of the next try
    std::error_code ignored;
    fs::remove_all(to, ignored);
    throw;
  }
  std::sort(files.begin(), files.end());
  if (common.json) {
    print_json(Json{{"id", a.id}, {"folder", to.string()}, {"files", files}, {"lines", lines}});
    return kOk;
  }
  const std::string f = shell_word(to.string()), build = shell_word((to / "build").string()),
                    prefix = shell_word(templates().parent_path().parent_path().parent_path().string());
  std::printf("%s is %s %s plugin of %zu lines, with tests. To build and test it:\n", shown(to.string()).c_str(),
              std::string("aeiou").find(kind.folder[0]) == std::string::npos ? "a" : "an", kind.folder, lines);
  std::printf("  cmake -S %s -B %s -DCMAKE_PREFIX_PATH=%s\n", f.c_str(), build.c_str(), prefix.c_str());
  std::printf("  cmake --build %s\n  ctest --test-dir %s --output-on-failure\n", build.c_str(), build.c_str());
  return kOk;
}

}  // namespace

Run add_plugin_new(Command& app, std::shared_ptr<Common> common) {
  auto args = std::make_shared<NewArgs>();
  app.add_option("KIND", args->kind, "one of " + kinds_listed(true)).required();
  app.add_option("ID", args->id, "the plugin, such as com.vendor.thing").required();
  app.add_option("--lang", args->language, "the language: c++ or c; c++ when left out").one_of({"c++", "c"});
  app.add_option("--output,-o", args->folder, "the folder that is made; named like the plugin").type_name("FOLDER");
  return [args, common] { return new_plugin(*args, *common); };
}

}  // namespace tenon::tool
