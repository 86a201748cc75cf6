// tenon plugin new: a project to begin a plugin with, copied from the installation's templates.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "diag/files.h"
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
    {"device", "device", "memory, queues and fences; in C"},
};

struct NewArgs {
  std::string kind, id, language = "c++", folder;
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

const Kind& kind_of(const std::string& name) {
  std::vector<std::string> known;
  std::string list;
  for (const Kind& kind : kKinds) {
    if (kind.name == name) return kind;
    known.emplace_back(kind.name);
    list += (list.empty() ? "" : ", ") + known.back();
  }
  throw UsageError("there is no kind of plugin '" + name + "'", did_you_mean(name, known, "the kinds are: " + list));
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
}

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
}

int new_plugin(const NewArgs& a, const Common& common) {
  const Kind& kind = kind_of(a.kind);
  check_id(a.id);
  const fs::path from = templates() / kind.folder, to = a.folder.empty() ? a.id : a.folder;
  const bool c = a.language == "c" || !fs::exists(from / "src/plugin.cc");
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
  if (fs::exists(to))
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
  const std::string f = to.string(), prefix = templates().parent_path().parent_path().parent_path().string();
  std::printf("%s is %s %s plugin of %zu lines, with tests. To build and test it:\n", f.c_str(),
              kind.folder[0] == 'o' ? "an" : "a", kind.folder, lines);
  std::printf("  cmake -S %s -B %s/build -DCMAKE_PREFIX_PATH=%s\n", f.c_str(), f.c_str(), prefix.c_str());
  std::printf("  cmake --build %s/build\n  ctest --test-dir %s/build --output-on-failure\n", f.c_str(), f.c_str());
  return kOk;
}

}  // namespace

Run add_plugin_new(Command& app, std::shared_ptr<Common> common) {
  auto args = std::make_shared<NewArgs>();
  app.add_option("KIND", args->kind, "pass, op, codegen, partitioner, frontend, linker or device").required();
  app.add_option("ID", args->id, "the plugin, such as com.vendor.thing").required();
  app.add_option("--lang", args->language, "the language: c++ or c").one_of({"c++", "c"});
  app.add_option("--output,-o", args->folder, "the folder that is made; named like the plugin").type_name("FOLDER");
  return [args, common] { return new_plugin(*args, *common); };
}

}  // namespace tenon::tool
