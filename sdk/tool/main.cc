// The `tenon` program. Each verb is a row of the table and a file of its own.
//
// Exit codes: 0 done; 1 the input was refused; 2 the command line is wrong; 3 something is missing (a plugin, a file,
// rights, space); 4 a bug of Tenon or of a plugin.
#include <fcntl.h>
#include <signal.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "diag/render.h"
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

int usage(const std::string& message, const std::string& hint, bool json) {
  if (json)
    print_json(Json{{"error", {{"name", "usage"}, {"message", message}, {"hint", hint}}}});
  else
    std::fputs(render_error(Error(TN_ERROR_ARGUMENT, message, {}, hint)).c_str(), stderr);
  return kUsage;
}

// A plugin that ends this process is found out at the next start: what came is written down before it ends.
void note_fatal_signals() {
  static char stack[65536];
  stack_t other{};
  other.ss_sp = stack;
  other.ss_size = sizeof stack;
  sigaltstack(&other, nullptr);
  struct sigaction action{};
  action.sa_flags = SA_ONSTACK | SA_RESETHAND;
  action.sa_handler = [](int number) {
    tn_compiler()->note_signal(number);
    raise(number);
  };
  for (int number : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS, SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    struct sigaction before{};
    // What somebody ignores or watches already stays so.
    if (sigaction(number, nullptr, &before) == 0 && before.sa_handler == SIG_DFL) sigaction(number, &action, nullptr);
  }
}

// A file that is opened must not become the standard output of a program that was started without one: what is written
// there fails instead.
void fill_standard_streams() {
  for (int fd = 0; fd < 3; ++fd)
    if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0) return;
}

bool asks_for_json(int argc, char** argv) {
  return std::any_of(argv + 1, argv + argc, [](const char* word) { return std::strcmp(word, "--json") == 0; });
}

// What was not written to the standard output is an error, whatever else came of the call.
int finish(int code) {
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return code;
  if (code == kOk) return show_error(Error(TN_ERROR_IO, "cannot write to the standard output"), false);
  return code;
}

int run_program(int argc, char** argv) {
  Command app("tenon",
              "A compiler for machine-learning models whose every step is a plugin.\n"
              "Exit codes: 0 done, 1 input refused, 2 wrong command line, 3 something is missing, 4 a bug",
              std::string("tenon ") + tn_compiler()->version);
  auto common = std::make_shared<Common>();
  std::vector<std::pair<Command*, Run>> verbs;
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
    sub->add_option("--use", common->use,
                    "ID=VERSION or ID=sha256:DIGEST: which of the installed versions; repeatable");
    sub->add_option("--target", common->target, "cpu (this machine), cpu:generic, cpu:+avx2,+fma, ...");
    verbs.emplace_back(sub, verb.add(*sub, common));
  }
  common->json = asks_for_json(argc, argv);
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
  fill_standard_streams();
  signal(SIGXFSZ, SIG_IGN);  // a limit on the size of files is an error of writing
  note_fatal_signals();
  const bool json = asks_for_json(argc, argv);
  try {
    return finish(run_program(argc, argv));
  } catch (const Error& e) { return show_error(e, false); } catch (const std::bad_alloc&) {
    return show_error(Error(TN_ERROR_OUT_OF_MEMORY, "out of memory"), json);
  } catch (const std::exception& e) {
    return show_error(Error(TN_ERROR_INTERNAL, e.what(), {}, "this is a bug of Tenon"), json);
  }
}
