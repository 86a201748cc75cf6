// Checking a pipeline with a hundred plugins installed. The goal: at most 50 milliseconds, and no library is opened.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tenon/compiler_session.h"

namespace {

using namespace tenon;
namespace fs = std::filesystem;

// A hundred plugins with eight passes of three options each, and a pipeline of forty stages from ten of them.
class Installation {
 public:
  Installation() {
    std::string pattern = (fs::temp_directory_path() / "tenon-bench-XXXXXX").string();
    folder_ = mkdtemp(pattern.data());
    for (int i = 0; i < 100; ++i) {
      std::string id = "com.vendor" + std::to_string(i) + ".passes";
      fs::path own = folder_ / "plugins" / id;
      fs::create_directories(own);
      std::ofstream manifest(own / "manifest.yaml");
      manifest
          << "id: " << id << "\nversion: 1.0.0\nvendor: Vendor " << i
          << "\ntier: stable-c\nsummary: passes of a vendor\nlibrary: passes.so\nprovides: [tenon.pass/1]\npasses:\n";
      for (int p = 0; p < 8; ++p)
        manifest << "  - name: pass-" << p << "\n    level: loop\n    summary: does something to loops\n"
                 << "    requires: [blocks]\n    options:\n"
                 << "      max_steps: {type: int, default: 10, summary: how often}\n"
                 << "      mode: {type: string, default: fast, choices: [fast, small], summary: for what}\n"
                 << "      scale: {type: float, default: 1.5, summary: how much}\n";
    }
    std::ofstream pipeline(file());
    pipeline << "summary: forty stages\nstages:\n";
    for (int s = 0; s < 40; ++s)
      pipeline << "  - {pass: com.vendor" << s % 10 * 7 << ".passes:pass-" << s % 8 << ", options: {max_steps: " << s
               << "}}\n";
    std::ofstream(wrong()) << "stages:\n  - com.vendr7.passes:pass-1\n";
  }
  ~Installation() { fs::remove_all(folder_); }
  std::string plugins() const { return (folder_ / "plugins").string(); }
  std::string file() const { return (folder_ / "p.yaml").string(); }
  std::string wrong() const { return (folder_ / "wrong.yaml").string(); }

 private:
  fs::path folder_;
};

size_t check(const Installation& i, bool all) {
  Builder b(tn_compiler()->runtime, nullptr);
  CompilerSession session(tn_compiler(), b.map({{"plugin_dirs", Value(b.array({b.string(i.plugins())}))},
                                                {"search_defaults", Value(false)}}));
  if (all) session.plugins();
  Map result = session.pipeline(i.file());
  if (!result.find("complaints")->ref<Array>().empty()) std::abort();
  return result.find("stages")->ref<Array>().size();
}

// From nothing: a session is made, the manifests are found and read, the pipeline is checked.
void check_pipeline(benchmark::State& state) {
  Installation i;
  for (auto _ : state)
    if (check(i, false) != 40) state.SkipWithError("not forty stages");
}
BENCHMARK(check_pipeline)->Unit(benchmark::kMillisecond);

// A plugin that is misspelt, refused with the one that may be meant.
void refuse_pipeline(benchmark::State& state) {
  Installation i;
  for (auto _ : state) {
    Builder b(tn_compiler()->runtime, nullptr);
    CompilerSession session(tn_compiler(), b.map({{"plugin_dirs", Value(b.array({b.string(i.plugins())}))},
                                                  {"search_defaults", Value(false)}}));
    Map result = session.pipeline(i.wrong());
    if (result.find("complaints")->ref<Array>().size() != 1) state.SkipWithError("not one complaint");
  }
}
BENCHMARK(refuse_pipeline)->Unit(benchmark::kMillisecond);

// The same with every one of the hundred manifests read, as `tenon plugin list` does.
void check_pipeline_all_manifests(benchmark::State& state) {
  Installation i;
  for (auto _ : state)
    if (check(i, true) != 40) state.SkipWithError("not forty stages");
}
BENCHMARK(check_pipeline_all_manifests)->Unit(benchmark::kMillisecond);

// The whole program: TENON names it.
void check_pipeline_program(benchmark::State& state) {
  Installation i;
  std::string command =
      std::string(TENON_PROGRAM) + " pipeline check --plugin-dir " + i.plugins() + " " + i.file() + " > /dev/null";
  for (auto _ : state)
    if (std::system(command.c_str()) != 0) state.SkipWithError("the check failed");
}
BENCHMARK(check_pipeline_program)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
