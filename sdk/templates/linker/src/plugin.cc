#include <spawn.h>
#include <sys/wait.h>
#include <tenon/ext/linker.h>
#include <tenon/plugin.h>

#include <vector>

using namespace tenon;
extern char** environ;

struct Plugin : PluginInstance {
  using PluginInstance::PluginInstance;
};

static int link_objects(void* instance, const TnContext*, const TnValue* objects, const char* output, TnValue* ret) {
  return guard(static_cast<Plugin*>(instance)->runtime(), ret, [&]() -> Value {
    if (objects->type_index != TN_ARRAY) throw Error(TN_ERROR_ARGUMENT, "objects are an array of file names");
    std::vector<std::string> words = {"cc", "-shared", "-o", output, "-Wl,-z,defs", "-Wl,--build-id=none"};
    for (const Value& object : Value::view(*objects).ref<Array>()) words.emplace_back(object.as_string());
    words.emplace_back("-lm");
    std::vector<char*> argv;
    for (std::string& w : words) argv.push_back(w.data());
    argv.push_back(nullptr);
    pid_t pid = 0;
    int status = 0;
    if (posix_spawnp(&pid, "cc", nullptr, nullptr, argv.data(), environ) != 0)
      throw Error(TN_ERROR_NOT_FOUND, "cannot start cc, the C compiler", output, "install a C compiler");
    while (waitpid(pid, &status, 0) < 0) {}
    if (status != 0)
      throw Error(TN_ERROR_PLUGIN, "cc could not link the objects", output, "it says why on standard error");
    return {};
  });
}

static constexpr auto linker_table = make_table<TnLinker>(&link_objects);
TENON_PLUGIN(Plugin, linker_table)
