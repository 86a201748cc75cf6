// tenon compile: a model or module becomes one shared library.
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "passes.h"

namespace tenon::tool {

namespace {

struct CompileArgs {
  std::string module, output, codegen, linker, emit;
  PassOptions passes;
};

// How the artifact was made: the passes that ran, with their plugins' versions, one a line.
std::string lock_text(const CompilerSession& session, const Value& records) {
  std::string text;
  for (const Value& v : records.ref<Array>()) {
    const Map& record = v.ref<Map>();
    if (!record.find("disabled")->as_bool()) text += std::string(record.find("pass")->as_string()) + "\n";
  }
  Map installed = session.plugins();
  for (const Value& v : installed.find("plugins")->ref<Array>()) {
    const Map& plugin = v.ref<Map>();
    if (plugin.find("loaded")->as_bool())
      text += "plugin " + std::string(plugin.find("id")->as_string()) + " " +
              std::string(plugin.find("version")->as_string()) + "\n";
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
    std::string text;
    if (a.emit == "script") {
      text = session->print(result.module);
    } else {
      std::string format = a.emit == "object" ? "elf-object" : a.emit;
      Map payload = session->generate(result.module, a.codegen, Value(b.map({{"emit", b.string(format)}})));
      text = std::string(string_view_of(payload.find("bytes")->raw()));
    }
    write_output(output, text);
  } else {
    if (output.empty()) output = std::filesystem::path(a.module).stem().string() + ".so";
    Builder::Entries options{{"lock", b.string(lock_text(*session, result.records))}};
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
        Json{{"output", output}, {"bytes", bytes}, {"milliseconds", ms}, {"passes", to_json(result.records)}}.dump(2));
  else
    std::printf("%s: %lld bytes, compiled in %.0f ms\n", output.c_str(), static_cast<long long>(bytes), ms);
  return kOk;
}

}  // namespace

Run add_compile(CLI::App& app, std::shared_ptr<Common> common) {
  auto args = std::make_shared<CompileArgs>();
  app.add_option("MODEL", args->module, "a model, or a module's text (.py, '-' for standard input)");
  app.add_option("-o,--output", args->output, "the artifact; MODEL's name with .so in this folder")->type_name("FILE");
  app.add_option("--emit", args->emit, "write this instead of an artifact: script, object, llvm-ir or asm")
      ->type_name("FORM")
      ->check(CLI::IsMember({"script", "object", "llvm-ir", "asm"}));
  app.add_option("--codegen", args->codegen, "the plugin that generates code; the first for the target")
      ->type_name("PLUGIN");
  app.add_option("--linker", args->linker, "the plugin that links; the first that is installed")->type_name("PLUGIN");
  args->passes.add_to(app);
  return [args, common] { return compile(*args, *common); };
}

}  // namespace tenon::tool
