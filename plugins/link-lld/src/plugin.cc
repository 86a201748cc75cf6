// The linker: LLD as a library. It keeps state of its own, so one link runs at a time.
#include <dlfcn.h>
#include <link.h>
#include <lld/Common/Driver.h>
#include <llvm/Support/raw_ostream.h>
#include <tenon/ext/linker.h>
#include <tenon/plugin.h>

#include <mutex>

LLD_HAS_DRIVER(elf)

// LLD registers LLVM's code generators for link-time optimisation, which objects never need. Without them the plugin is
// a tenth of the size.
extern "C" {
#define LLVM_TARGET(Name)                        \
  void LLVMInitialize##Name##TargetInfo(void) {} \
  void LLVMInitialize##Name##Target(void) {}     \
  void LLVMInitialize##Name##TargetMC(void) {}
#include <llvm/Config/Targets.def>
#define LLVM_ASM_PRINTER(Name) \
  void LLVMInitialize##Name##AsmPrinter(void) {}
#include <llvm/Config/AsmPrinters.def>
#define LLVM_ASM_PARSER(Name) \
  void LLVMInitialize##Name##AsmParser(void) {}
#include <llvm/Config/AsmParsers.def>
}

namespace tenon {
namespace {

struct LinkLld : PluginInstance {
  using PluginInstance::PluginInstance;
};

std::mutex& link_mutex() {
  static std::mutex mutex;
  return mutex;
}

// Where the system keeps a library that this process can load; empty when it has none.
std::string library_path(const char* name) {
  void* handle = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
  if (!handle) return {};
  link_map* map = nullptr;
  std::string path;
  if (dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map) path = map->l_name;
  dlclose(handle);
  return path;
}

// LLD prints one finding a line, each behind its name; the first one says what went wrong.
std::string first_finding(const std::string& output) {
  std::string line = output.substr(0, output.find('\n'));
  size_t at = line.find("error: ");
  return at == std::string::npos ? line : line.substr(at + 7);
}

int link(void* instance, const TnContext*, const TnValue* objects, const char* output, TnValue* ret) {
  auto& self = *static_cast<LinkLld*>(instance);
  return guard(self.runtime(), ret, [&]() -> Value {
    std::vector<std::string> words = {"ld.lld",
                                      "-shared",
                                      "-o",
                                      output,
                                      "--hash-style=gnu",
                                      "-z",
                                      "relro",
                                      "-z",
                                      "now",
                                      "-z",
                                      "defs",
                                      "-z",
                                      "noexecstack",
                                      "--build-id=none",
                                      "--threads=1",
                                      "--as-needed",
                                      "--gc-sections"};
    for (const Value& object : Value::view(*objects).ref<Array>()) words.emplace_back(object.as_string());
    for (const char* name : {"libm.so.6", "libc.so.6"})
      if (std::string path = library_path(name); !path.empty()) words.push_back(path);
    std::vector<const char*> arguments;
    for (const std::string& w : words) arguments.push_back(w.c_str());
    std::string text;
    llvm::raw_string_ostream out(text);
    std::scoped_lock lock(link_mutex());
    lld::Result result = lld::lldMain(arguments, out, out, {{lld::Gnu, &lld::elf::link}});
    if (result.retCode == 0) return {};
    throw Error(TN_ERROR_IO, "linking failed: " + first_finding(text), output,
                "the output folder must be writable and have room; an undefined symbol is a bug of the code generator");
  });
}

constexpr TnLinker table = {sizeof(TnLinker), &link};

}  // namespace
}  // namespace tenon

TENON_PLUGIN(tenon::LinkLld, "link-lld", "0.1.0", {TN_LINKER, &tenon::table})
