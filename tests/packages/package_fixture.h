// For the tests of packages: a fresh folder, plugins from one small library, keys, packages, and what comes of a
// session.
#ifndef TENON_TESTS_PACKAGES_PACKAGE_FIXTURE_H
#define TENON_TESTS_PACKAGES_PACKAGE_FIXTURE_H

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "diag/files.h"
#include "ir/ir_table.h"
#include "registry/package/package.h"
#include "registry/package/store.h"
#include "registry/registry.h"
#include "registry/trust/admission.h"
#include "tenon/compiler.h"

namespace tenon {

inline constexpr const char* kId = "com.acme.thing";

inline std::string manifest_text(const std::string& more = {}, const std::string& version = "1.0.0",
                                 const std::string& id = kId) {
  return "id: " + id + "\nversion: " + version + "\nvendor: Acme\ntier: stable-c\nsummary: a thing\nlibrary: " + id +
         ".so\nprovides: [com.acme.thing/1]\n" + more;
}

inline std::string plugin_library() { return read_file(PLUGIN_FOLDER "/good.so"); }

struct World {
  explicit World(std::string folder) : dir(std::move(folder)) {
    std::filesystem::create_directories(dir);
    ::setenv("TENON_STORE", (dir + "/store").c_str(), 1);
    ::setenv("TENON_TRUST", (dir + "/trust.yaml").c_str(), 1);
    ::setenv("XDG_CACHE_HOME", (dir + "/cache").c_str(), 1);
  }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::filesystem::create_directories(std::filesystem::path(dir + "/" + name).parent_path());
    write_file(dir + "/" + name, bytes);
    return dir + "/" + name;
  }
  // plugins/NAME with a manifest and a library.
  std::string plugin(const std::string& manifest = manifest_text(), const std::string& library = plugin_library(),
                     const std::string& name = kId) const {
    write("plugins/" + name + "/manifest.yaml", manifest);
    if (!library.empty()) write("plugins/" + name + "/" + name + ".so", library);
    return dir + "/plugins/" + name;
  }
  KeyChain key(const std::string& vendor = "Acme", const std::string& expires = "2999-01-01") const {
    return {make_key(vendor, "2020-01-01", expires)};
  }
  void trust(const KeyChain& keys, const std::string& more = {}, const std::string& vendor = "Acme") const {
    write("trust.yaml", "vendors: [{name: " + vendor + ", keys: ['" + keys[0].public_hex + "']}]\n" + more);
  }
  std::string pack(const std::string& folder) const { return pack_folder(b, folder, TENON_VERSION); }
  std::string sign(const std::string& archive, const KeyChain& keys) const {
    Package p = read_package(b, archive, "new.tnp");
    return with_signature(p, sign_bytes(p.seal_bytes, keys));
  }
  // Puts a package into the store as it is, whoever trusts it.
  std::string install(const std::string& archive) const {
    bool already = false;
    return install_package(b, dir + "/store", read_package(b, archive, "p.tnp"), already);
  }
  // What libtenon says, through its C table; nothing when it is content.
  void session(const std::function<void(const TnCompiler*, TnSession*)>& use, Builder::Entries more = {}) const {
    const TnCompiler* c = tn_compiler();
    TnSession* s = nullptr;
    more.emplace_back("plugin_dirs",
                      std::filesystem::exists(dir + "/plugins") ? b.array({b.string(dir + "/plugins")}) : b.array({}));
    more.emplace_back("probe", Value(probe));
    Value options = b.map(more);
    call([&](TnValue* ret) { return c->session_create(options.ptr(), &s, ret); });
    struct Close {
      const TnCompiler* c;
      TnSession* s;
      ~Close() { c->session_destroy(s); }
    } close{c, s};
    use(c, s);
  }
  void load(const std::string& id = kId, Builder::Entries more = {}) const {
    session([&](const TnCompiler* c,
                TnSession* s) { call([&](TnValue* ret) { return c->load_plugin(s, id.c_str(), ret); }); },
            std::move(more));
  }
  Value action(const std::string& name, Builder::Entries options) const {
    Value result, map = b.map(options);
    session([&](const TnCompiler* c, TnSession* s) {
      result = call([&](TnValue* ret) { return c->package(s, name.c_str(), map.ptr(), ret); });
    });
    return result;
  }

  std::string dir;
  bool probe = false;  // most tests give each case a process of its own already
  Builder b = core_builder();
};

}  // namespace tenon
#endif
