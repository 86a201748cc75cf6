// tenon compile: a model or module becomes one shared library.
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "compile_lock.h"
#include "diag/files.h"
#include "diag/render.h"
#include "lock_file.h"

namespace tenon::tool {

namespace {

struct CompileArgs {
  std::string module, output, emit, lock;
  BackEnd back_end;
  PassOptions passes;
};

// Where the result goes, before anything is done for it.
std::string output_of(const CompileArgs& a, bool json) {
  const bool stream = a.output.empty() || a.output == "-";
  if (!a.emit.empty()) {
    if (stream && json && a.emit == "object")
      throw UsageError("an object is no text that JSON could hold", "name a file with -o");
    if (stream) return "";
  } else {
    if (a.output == "-") throw UsageError("an artifact is a file", "name it with -o FILE.so");
    if (a.output.empty() && a.module == "-")
      throw UsageError("a module from the standard input has no name for the artifact", "name it with -o FILE.so");
  }
  std::string output = stream ? std::filesystem::path(a.module).stem().string() + ".so" : a.output;
  std::error_code error;
  for (const std::string& input : {a.module, a.lock})
    if (!input.empty() && is_regular_file(input) && std::filesystem::equivalent(input, output, error))
      throw UsageError("the output '" + output + "' is the input '" + input + "', which it would replace",
                       "name another file with -o");
  return output;
}

int compile(CompileArgs a, const Common& common) {
  if (a.module.empty() && a.passes.start_from.empty())
    throw UsageError("a model is needed", "tenon compile MODEL -o OUT.so");
  const std::string output = output_of(a, common.json);
  auto session = common.open();
  const Builder& b = session->builder();
  CompileLock lock;
  lock.use(*session, common, a.lock, a.passes, a.back_end);
  std::string kind(session->target().find("kind")->as_string());
  auto start = std::chrono::steady_clock::now();
  PassesResult result = run_passes(*session, common, a.passes, a.module, kind);
  std::string text;  // for the standard output
  if (!a.emit.empty()) {
    if (a.emit == "script" && !output.empty()) {
      write_module(*session, result.module, output);
    } else if (a.emit == "script") {
      text = session->print(result.module);
    } else {
      std::string format = a.emit == "object" ? "elf-object" : a.emit;
      Map given = a.back_end.codegen_options.is_map() ? a.back_end.codegen_options.ref<Map>() : Map();
      Map options = b.with(given, "emit", b.string(format));
      Map payload = session->generate(result.module, a.back_end.codegen, Value(options));
      text = string_view_of(payload.find("bytes")->raw());
      if (!output.empty()) write_output(output, text);
    }
  } else {
    Builder::Entries options{{"lock", b.string(lock.text(*session, a.passes, result, a.back_end))},
                             {"codegen_options", a.back_end.codegen_options}};
    if (!a.back_end.codegen.empty()) options.emplace_back("codegen", b.string(a.back_end.codegen));
    if (!a.back_end.linker.empty()) options.emplace_back("linker", b.string(a.back_end.linker));
    session->compile(result.module, output, Value(b.map(options)));
  }
  double ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  show_diagnostics(session->diagnostics(), common.json);
  if (output.empty()) {
    if (common.json)
      print_json(with_check(
          Json{{"emit", a.emit}, {"text", text}, {"milliseconds", ms}, {"passes", to_json(result.records)}}, result));
    else
      write_output("", text);
    return kOk;
  }
  std::error_code error;
  auto size = std::filesystem::file_size(output, error);
  int64_t bytes = error ? 0 : static_cast<int64_t>(size);  // of a device or a pipe
  if (common.json)
    print_json(with_check(
        Json{{"output", output}, {"bytes", bytes}, {"milliseconds", ms}, {"passes", to_json(result.records)}}, result));
  else
    std::printf("%s: %lld bytes, compiled in %.0f ms\n", shown(output).c_str(), static_cast<long long>(bytes), ms);
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
  app.add_option("--codegen", args->back_end.codegen, "the plugin that generates code; the first for the target")
      .type_name("PLUGIN");
  app.add_option("--linker", args->back_end.linker, "the plugin that links; the first that is installed")
      .type_name("PLUGIN");
  app.add_option("--lock", args->lock,
                 "compile as this lock says, or as this artifact was compiled; refuse where anything differs")
      .type_name("FILE");
  args->passes.add_to(app);
  return [args, common] {
    try {
      return compile(*args, *common);
    } catch (const LockRefused& refused) {
      if (common->json) print_json(Json{{"error", {{"name", "lock"}, {"differences", refused.differences}}}});
      return show_complaints(refused.differences, common->json);
    }
  };
}

}  // namespace tenon::tool
