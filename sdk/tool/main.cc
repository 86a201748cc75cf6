// The `tenon` program. Each verb is a row of the table and a file of its own.
//
// Exit codes: 0 done; 1 the input was refused; 2 the command line is wrong; 3 something is missing (a plugin, a file,
// rights, space); 4 a bug of Tenon or of a plugin.
#include <signal.h>

#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "diag/suggest.h"
#include "tool.h"

using namespace tenon;
using namespace tenon::tool;

namespace {

constexpr Verb kVerbs[] = {
    {"compile", "compile a model or module into one shared library", add_compile},
    {"opt", "run passes on a module: text in, text out", add_opt},
    {"run", "run a function of a module and show what it computes", add_run},
    {"check", "check files: modules, pipelines, manifests", add_check},
    {"plugin", "plugins: list, check, make, pack, sign, install them", add_plugin},
    {"repro", "make the call again at which an isolated plugin failed", add_repro},
    {"pipeline", "pipelines and locks: list, show, check, lock, explain, diff", add_pipeline},
};

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& p : parts) out += (out.empty() ? "" : ", ") + p;
  return out;
}

int usage(const std::string& message, const std::string& hint, bool json) {
  if (json)
    std::printf("%s\n", Json{{"error", {{"name", "usage"}, {"message", message}, {"hint", hint}}}}.dump(2).c_str());
  else
    std::fprintf(stderr, "error: %s\n%s%s%s", message.c_str(), hint.empty() ? "" : "  hint: ", hint.c_str(),
                 hint.empty() ? "" : "\n");
  return kUsage;
}

// The first word that is not an option must be a verb.
const char* unknown_verb(int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return nullptr;
  for (const Verb& verb : kVerbs)
    if (std::strcmp(verb.name, argv[1]) == 0) return nullptr;
  return argv[1];
}

// A plugin that ends this process is found out at the next start: what came is written down before it ends.
void note_fatal_signals() {
  static char stack[65536];
  stack_t other{};
  other.ss_sp = stack;
  other.ss_size = sizeof stack;
  sigaltstack(&other, nullptr);
  struct sigaction action {};
  action.sa_flags = SA_ONSTACK | SA_RESETHAND;
  action.sa_handler = [](int number) {
    tn_compiler()->note_signal(number);
    raise(number);
  };
  for (int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    struct sigaction before {};
    // What somebody ignores or watches already stays so.
    if (sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_DFL) sigaction(number, &action, nullptr);
  }
}

int run_program(int argc, char** argv) {
  Command app("tenon",
              "A compiler for machine-learning models whose every step is a plugin.\n"
              "Exit codes: 0 done, 1 input refused, 2 wrong command line, 3 something is missing, 4 a bug",
              std::string("tenon ") + tn_compiler()->version);
  auto common = std::make_shared<Common>();
  std::vector<std::pair<Command*, Run>> verbs;
  std::vector<std::string> names;
  for (const Verb& verb : kVerbs) {
    Command* sub = app.add_command(verb.name, verb.summary);
    sub->add_flag("--json", common->json, "print the result as JSON");
    sub->add_option("--plugin-dir", common->plugin_dirs, "a folder of plugins, searched first; repeatable")
        .type_name("DIR");
    sub->add_option("--config", common->config, "a plugins.yaml instead of the installed one").type_name("FILE");
    sub->add_flag("--isolate", common->isolate_all, "run every plugin in a process of its own");
    sub->add_option("--isolate-plugin", common->isolate, "run this plugin in a process of its own; repeatable")
        .type_name("PLUGIN");
    sub->add_flag("--validate", common->validate, "check every call between the host and the plugins");
    sub->add_option("--policy", common->policy, "a trust policy instead of the user's").type_name("FILE");
    sub->add_option("--use", common->use, "ID=VERSION or ID=sha256:DIGEST: which of the installed versions; repeatable");
    sub->add_option("--target", common->target, "cpu (this machine), cpu:generic, cpu:+avx2,+fma, ...");
    verbs.emplace_back(sub, verb.add(*sub, common));
    names.emplace_back(verb.name);
  }
  for (int i = 1; i < argc; ++i) common->json = common->json || std::strcmp(argv[i], "--json") == 0;
  if (const char* word = unknown_verb(argc, argv))
    return usage("there is no verb '" + std::string(word) + "'",
                 did_you_mean(word, names, "the verbs are: " + joined(names)), common->json);
  try {
    if (std::optional<int> shown = app.parse(argc, argv)) return *shown;
    for (auto& [sub, run] : verbs)
      if (sub->parsed()) {
        int code = run();
        return *common->violations ? int{kInternal} : code;
      }
    return kUsage;
  } catch (const UsageError& e) { return usage(e.what(), e.hint, common->json); } catch (const Error& e) {
    return show_error(e, common->json);
  }
}

}  // namespace

int main(int argc, char** argv) {
  note_fatal_signals();
  try {
    return run_program(argc, argv);
  } catch (const std::bad_alloc&) {
    return show_error(Error(TN_ERROR_OUT_OF_MEMORY, "out of memory"), false);
  } catch (const std::exception& e) {
    return show_error(Error(TN_ERROR_INTERNAL, e.what(), {}, "this is a bug of Tenon"), false);
  }
}
