#include "registry/load.h"

#include <dlfcn.h>

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>

#include "diag/utf8.h"
#include "registry/elf.h"
#include "registry/package/doctor.h"
#include "registry/trust/verified_file.h"
#include "tenon/kinds.h"

namespace tenon {

namespace {

using Library = boost::dll::shared_library;

constexpr size_t kMostTableBytes = 4096;  // no release comes near

// Every library ever opened, by its canonical path; leaked, because code of plugins may be running until the process
// ends.
struct OpenLibraries {
  std::mutex mutex;
  std::map<std::string, Library*> by_path;
};
OpenLibraries& open_libraries() {
  static auto* libraries = new OpenLibraries;
  return *libraries;
}

class Loader {
 public:
  Loader(const PluginInfo& plugin, const std::string& library_digest) : p_(plugin), digest_(library_digest) {}

  const TnPlugin* load() {
    if (p_.library.empty()) throw error(TN_ERROR_NOT_FOUND, "has no library: its manifest describes data alone", "");
    path_ = p_.library;
    if (!digest_.empty()) try {
        path_ = verified_.emplace(p_.library, digest_).path();
      } catch (const Error& e) { throw error(e.code, "cannot be loaded: " + e.message, e.hint); }
    std::string problem = library_problem(path_);
    if (!problem.empty()) {
      bool absent = problem == "does not exist", foreign = problem.find("built for") != std::string::npos,
           unreadable = problem.starts_with("cannot be read");
      throw error(absent       ? TN_ERROR_NOT_FOUND
                  : foreign    ? TN_ERROR_ABI_MISMATCH
                  : unreadable ? TN_ERROR_IO
                               : TN_ERROR_CORRUPT,
                  "cannot be loaded: its library " + problem,
                  foreign      ? "install the build of the plugin for this machine"
                  : unreadable ? "check the rights of the file and of its folder"
                               : "install the plugin again");
    }
    const TnPlugin* table = entry()();
    if (!table) throw bug("its entry '" TN_PLUGIN_SYMBOL "' returned null");
    check_versions(*table);
    check_identity(*table);
    return table;
  }

 private:
  TnPluginEntry entry() {
    std::error_code ignored;
    const std::string file = std::filesystem::canonical(p_.library, ignored).string();
    const std::string path = verified_ ? path_ : file, known_as = verified_ ? digest_ : file;
    OpenLibraries& open = open_libraries();
    std::lock_guard lock(open.mutex);
    Library*& library = open.by_path[known_as];
    if (!library) {
      if (Error problem = mapping_problem(path); problem.code) {
        open.by_path.erase(known_as);
        throw error(problem.code, "cannot be used: its library " + problem.message, problem.hint);
      }
      auto opened = std::make_unique<Library>();
      boost::dll::fs::error_code failure;
      opened->load(path, failure, boost::dll::load_mode::rtld_now | boost::dll::load_mode::rtld_local);
      if (failure) {
        const char* said = dlerror();
        open.by_path.erase(known_as);
        throw refusal_of_loader(file, explain_dlopen_failure(path, said ? said : failure.message()));
      }
      library = opened.release();
      if (verified_) verified_->keep();
    }
    return &library->get<const TnPlugin*()>(TN_PLUGIN_SYMBOL);
  }

  // What the loader did not find, as the file itself says it: the loader names only the first thing that it meets.
  Error refusal_of_loader(const std::string& file, const std::string& said) {
    Diagnosis d = diagnose_library(file);
    const Finding* f = d.first_problem();
    if (f && f->error.code == TN_ERROR_NOT_FOUND)
      return error(f->error.code, "cannot be loaded: it " + f->error.message, f->error.hint);
    return error(TN_ERROR_NOT_FOUND, "cannot be loaded: " + said, "install what is missing, then try again");
  }

  void check_versions(const TnPlugin& t) {
    if (t.size < offsetof(TnPlugin, id))
      throw bug("its table is " + std::to_string(t.size) + " bytes, too small for a version");
    if (t.size > kMostTableBytes || (t.size > sizeof(TnPlugin) && t.size % sizeof(void*) != 0))
      throw bug("its table says that it is " + std::to_string(t.size) + " bytes, which no table is");
    if (t.abi_version > TN_ABI_VERSION)
      throw error(TN_ERROR_ABI_MISMATCH,
                  "was built for Tenon ABI " + std::to_string(t.abi_version) + ", this Tenon has ABI " +
                      std::to_string(TN_ABI_VERSION),
                  "upgrade Tenon, or install a build of the plugin for ABI " + std::to_string(TN_ABI_VERSION));
    if (t.abi_version == 0) throw bug("its table says ABI version 0");
    if (t.ir_vocabulary > TN_IR_VOCABULARY)
      throw error(TN_ERROR_ABI_MISMATCH,
                  "was built for IR vocabulary " + std::to_string(t.ir_vocabulary) + ", this Tenon has vocabulary " +
                      std::to_string(TN_IR_VOCABULARY),
                  "upgrade Tenon, or install a build of the plugin for vocabulary " + std::to_string(TN_IR_VOCABULARY));
    if (int64_t said = std::max(p_.consumes, p_.emits); said > t.ir_vocabulary)
      throw error(TN_ERROR_PLUGIN,
                  "cannot be used: its manifest " + std::string(p_.consumes > t.ir_vocabulary ? "consumes" : "emits") +
                      " IR vocabulary " + std::to_string(said) + ", its library was built with vocabulary " +
                      std::to_string(t.ir_vocabulary),
                  "build the library with the SDK that the manifest was written for");
    struct Row {
      const char* slot;
      bool present;
    };
    const Row rows[] = {{"id", TN_HAS(&t, id)},
                        {"version", TN_HAS(&t, version)},
                        {"create", TN_HAS(&t, create)},
                        {"destroy", TN_HAS(&t, destroy)},
                        {"capability", TN_HAS(&t, capability)}};
    for (const Row& row : rows)
      if (!row.present) throw bug("the slot '" + std::string(row.slot) + "' of its table is missing");
  }

  void check_identity(const TnPlugin& t) {
    if (t.id != p_.id)
      throw bug("its library says that it is '" + shortened(t.id, 200) + "'",
                "the manifest and the library do not belong together");
    if (t.version != p_.version)
      throw bug("its library has version " + shortened(t.version, 200) + ", its manifest says " + p_.version,
                "install the manifest and the library of one version");
  }

  Error error(int32_t code, const std::string& what, const std::string& hint) {
    return Error(code, "the plugin '" + p_.id + "' " + p_.version + " " + what,
                 p_.library.empty() ? p_.manifest : p_.library, hint);
  }
  Error bug(const std::string& what, const std::string& hint = "this is a bug of the plugin: ask its vendor") {
    return error(TN_ERROR_PLUGIN, "cannot be used: " + what, hint);
  }

  const PluginInfo& p_;
  const std::string& digest_;
  std::string path_;  // what the loader is given
  std::optional<VerifiedFile> verified_;
};

}  // namespace

std::string explain_dlopen_failure(const std::string& file, const std::string& message) {
  if (size_t at = message.find(": cannot open shared object file"); at != std::string::npos) {
    std::string missing = message.substr(0, at);
    if (missing != file) return "it needs the library " + missing + ", which is not found on this machine";
  }
  if (size_t at = message.find("undefined symbol: "); at != std::string::npos) {
    std::string symbol = message.substr(at + 18);
    symbol = symbol.substr(0, symbol.find_first_of(", \n"));
    return "it needs the symbol " + symbol + ", which no library provides";
  }
  if (size_t at = message.find(": version `"); at != std::string::npos)
    return "it needs newer system libraries: " + message.substr(at + 2);
  return message;
}

const TnPlugin* load_plugin(const PluginInfo& plugin, const std::string& library_digest) {
  return Loader(plugin, library_digest).load();
}

}  // namespace tenon
