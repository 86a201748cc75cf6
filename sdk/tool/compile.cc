// tenon compile: a model or module becomes one shared library.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "passes.h"

namespace tenon::tool {

namespace {

struct CompileArgs {
  std::string module, output, codegen, linker, emit;
  PassOptions passes;
};

// How the artifact is made: the passes of the pipeline with their options, and the versions of the plugins that take
// part, one a line. It says the same of an artifact that was made from a dumped state.
std::string lock_text(const CompilerSession& session, const CompileArgs& a, const std::vector<std::string>& plan,
                      const std::string& target_kind) {
  std::string text;
  std::set<std::string> parts;
  for (const std::string& stage : plan) {
    text += stage + "\n";
    parts.insert(stage.substr(0, stage.find(':')));
  }
  // The first plugin of a capability takes part, unless another one is named.
  bool codegen = !a.codegen.empty(), linker = !a.linker.empty();
  parts.insert({a.codegen, a.linker});
  Map installed = session.plugins();
  for (const Value& v : installed.find("plugins")->ref<Array>()) {
    const Map& plugin = v.ref<Map>();
    std::string id(plugin.find("id")->as_string());
    for (const Value& capability : plugin.find("provides")->ref<Array>()) {
      if (capability.as_string() == "tenon.linker/1" && !std::exchange(linker, true)) parts.insert(id);
      if (capability.as_string() != "tenon.codegen/1" || codegen) continue;
      for (const Value& target : plugin.find("codegen")->ref<Map>().find("targets")->ref<Array>())
        if (target.as_string() == target_kind && !std::exchange(codegen, true)) parts.insert(id);
    }
  }
  for (const Value& v : installed.find("plugins")->ref<Array>()) {
    std::string id(v.ref<Map>().find("id")->as_string());
    if (parts.contains(id))
      text += "plugin " + id + " " + std::string(v.ref<Map>().find("version")->as_string()) + "\n";
  }
  return text;
}

int compile(const CompileArgs& a, const Common& common) {
  auto session = common.open();
  const Builder& b = session->builder();
  std::string kind(session->target().find("kind")->as_string());
  auto start = std::chrono::steady_clock::now();
  PassesResult result = run_passes(*session, common, a.passes, a.module, kind);
  std::string output = a.output;
  if (!a.emit.empty()) {
    if (a.emit == "script") {
      write_module(*session, result.module, output);
    } else {
      std::string format = a.emit == "object" ? "elf-object" : a.emit;
      Map payload = session->generate(result.module, a.codegen, Value(b.map({{"emit", b.string(format)}})));
      write_output(output, std::string(string_view_of(payload.find("bytes")->raw())));
    }
  } else {
    if (output.empty()) output = std::filesystem::path(a.module).stem().string() + ".so";
    Builder::Entries options{{"lock", b.string(lock_text(*session, a, result.plan, kind))}};
    if (!a.codegen.empty()) options.emplace_back("codegen", b.string(a.codegen));
    if (!a.linker.empty()) options.emplace_back("linker", b.string(a.linker));
    session->compile(result.module, output, Value(b.map(options)));
  }
  double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  show_diagnostics(session->diagnostics(), common.json);
  if (output.empty() || output == "-") return kOk;
  auto bytes = static_cast<int64_t>(std::filesystem::file_size(output));
  if (common.json)
    print_line(
        with_check(
            Json{{"output", output}, {"bytes", bytes}, {"milliseconds", ms}, {"passes", to_json(result.records)}},
            result)
            .dump(2));
  else
    std::printf("%s: %lld bytes, compiled in %.0f ms\n", output.c_str(), static_cast<long long>(bytes), ms);
  return kOk;
}

}  // namespace

Run add_compile(Command& app, std::shared_ptr<Common> common) {
  auto args = std::make_shared<CompileArgs>();
  app.add_option("MODEL", args->module, "a model, or a module's text (.py, '-' for standard input)");
  app.add_option("-o,--output", args->output, "the artifact; MODEL's name with .so in this folder").type_name("FILE");
  app.add_option("--emit", args->emit, "write this instead of an artifact: script, object, llvm-ir or asm")
      .type_name("FORM")
      .one_of({"script", "object", "llvm-ir", "asm"});
  app.add_option("--codegen", args->codegen, "the plugin that generates code; the first for the target")
      .type_name("PLUGIN");
  app.add_option("--linker", args->linker, "the plugin that links; the first that is installed").type_name("PLUGIN");
  args->passes.add_to(app);
  return [args, common] { return compile(*args, *common); };
}

}  // namespace tenon::tool
