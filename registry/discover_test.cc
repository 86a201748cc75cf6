#include "registry/discover.h"

#include "registry/elf.h"
#include "registry/load.h"
#include "registry/test_support.h"

namespace tenon {
namespace {

class DiscoverTest : public RegistryTest {
 protected:
  void plugin(const std::string& folder, const std::string& id) const {
    write(folder + "/manifest.yaml", "id: " + id + "\nversion: 0.1.0\ntier: stable-c\nsummary: s\n");
  }
  std::string broken(const Discovery& d) const {
    std::string out;
    for (const BrokenPlugin& p : d.broken) out += lines(p.complaints);
    return out;
  }
  std::string ids(const Discovery& d) const {
    std::string out;
    for (const PluginInfo& p : d.plugins) out += p.id + " ";
    return out;
  }
};

TEST_F(DiscoverTest, ABrokenManifestStopsNoOther) {
  plugin("p/b", "b-plugin");
  plugin("p/a", "a-plugin");
  write("p/c/manifest.yaml", "id: c-plugin\n");
  write("p/empty/readme", "");
  Discovery d = discover(b_, {{path("p"), true}, {path("missing"), true}, {path("absent"), false}});
  EXPECT_EQ(ids(d), "a-plugin b-plugin ");
  EXPECT_EQ(broken(d),
            "missing cannot read the plugin directory: No such file or directory; correct --plugin-dir, "
            "TENON_PLUGIN_PATH or the rights "
            "of the directory\n"
            "p/c/manifest.yaml:1:1 the manifest lacks the key 'version'\n"
            "p/c/manifest.yaml:1:1 the manifest lacks the key 'tier'\n"
            "p/c/manifest.yaml:1:1 the manifest lacks the key 'summary'\n");
}

TEST_F(DiscoverTest, TwoManifestsWithOneIdNameEachOther) {
  plugin("p/one", "same");
  plugin("q/two", "same");
  plugin("q/three", "other");
  Discovery d = discover(b_, {{path("p"), true}, {path("q"), true}});
  EXPECT_EQ(ids(d), "other ");
  EXPECT_EQ(broken(d),
            "p/one/manifest.yaml the plugin id 'same' is also claimed by q/two/manifest.yaml; remove one of them from "
            "the search path\n"
            "q/two/manifest.yaml the plugin id 'same' is also claimed by p/one/manifest.yaml; remove one of them from "
            "the search path\n");
}

TEST_F(DiscoverTest, AnEarlierLevelHidesALaterOne) {
  plugin("own/x", "same");
  plugin("installed/x", "same");
  Discovery d = discover(b_, {{path("own"), true, 0}, {path("installed"), false, 2}});
  ASSERT_EQ(ids(d), "same ");
  EXPECT_EQ(d.plugins[0].manifest, path("own/x/manifest.yaml"));
  EXPECT_EQ(broken(d), "");
}

TEST_F(DiscoverTest, AFolderListedTwiceIsReadOnce) {
  plugin("p/one", "same");
  Discovery d = discover(b_, {{path("p"), true}, {path("p/../p"), true}, {path("p/one"), true}});
  EXPECT_EQ(ids(d), "same ");
  EXPECT_EQ(broken(d), "");
}

TEST_F(DiscoverTest, SaysWhyAFileIsNoLibraryOfThisMachine) {
  EXPECT_EQ(library_problem(path("none.so")), "does not exist");
  EXPECT_EQ(library_problem(dir_.string()), "is not a regular file");
  EXPECT_EQ(library_problem(write("empty.so", "")), "is empty");
  EXPECT_EQ(library_problem(write("text.so", "#!/bin/sh\n")), "is not an ELF file");
  std::ifstream self("/proc/self/exe", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(self)), std::istreambuf_iterator<char>());
  EXPECT_EQ(library_problem(write("short.so", bytes.substr(0, 40))),
            "is cut short: its headers speak of 64 bytes, the file has 40");
  EXPECT_NE(library_problem(write("half.so", bytes.substr(0, bytes.size() / 2))).find("is cut short"),
            std::string::npos);
  std::string other = bytes;
  other[18] = static_cast<char>(243);  // e_machine: RISC-V
  other[19] = 0;
  EXPECT_NE(library_problem(write("other.so", other)).find("is built for RISC-V, this program for "),
            std::string::npos);
  other = bytes;
  other[4] = 1;  // 32 bits
  EXPECT_EQ(library_problem(write("narrow.so", other)), "is a 32-bit library, this program has 64 bits");
  other = bytes;
  other[16] = 1;  // an object file
  EXPECT_EQ(library_problem(write("object.so", other)), "is an ELF file but not a shared library");
}

TEST_F(DiscoverTest, NamesWhatTheLoaderDidNotFind) {
  EXPECT_EQ(
      explain_dlopen_failure("/p/x.so", "libcuda.so.1: cannot open shared object file: No such file or directory"),
      "it needs the library libcuda.so.1, which is not found on this machine");
  EXPECT_EQ(explain_dlopen_failure("/p/x.so", "/p/x.so: undefined symbol: foo_bar, version V1"),
            "it needs the symbol foo_bar, which no library provides");
  EXPECT_EQ(explain_dlopen_failure("/p/x.so", "/lib/libc.so.6: version `GLIBC_2.99' not found (required by /p/x.so)"),
            "it needs newer system libraries: version `GLIBC_2.99' not found (required by /p/x.so)");
}

}  // namespace
}  // namespace tenon
