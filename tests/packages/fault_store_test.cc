// What can be wrong with what was installed, and with what is packed and signed.
#include "fault_matrix.h"

namespace tenon {

namespace fs = std::filesystem;

TEST_F(FaultMatrix, Stores) {
  auto installed = [&](const std::string& cause, const std::string& label,
                       const std::function<void(World&, const std::string&)>& change) {
    expect(cause, label, [&](World& w) {
      KeyChain k = w.key();
      w.trust(k);
      w.write(std::string("plugins/") + kId + "/data.txt", "data");
      std::string folder = w.install(w.sign(w.pack(w.plugin()), k));
      fs::remove_all(w.dir + "/plugins");
      ::chmod(folder.c_str(), 0755);
      change(w, folder);
      w.load();
    });
  };
  auto flip = [](const std::string& file, size_t at) {
    std::string bytes = read_file(file);
    bytes[at] = static_cast<char>(bytes[at] ^ 1);
    fs::remove(file);
    write_file(file, bytes);
  };
  for (size_t at : {0u, 700u, 9000u})
    installed("library swapped", std::to_string(at),
              [&](World&, const std::string& f) { flip(f + "/" + kId + ".so", at); });
  installed("library swapped", "another library", [](World&, const std::string& f) {
    fs::remove(f + "/" + kId + ".so");
    write_file(f + "/" + kId + ".so", read_file(PLUGIN_FOLDER "/evil.so"));
  });
  installed("file changed", "manifest in the store",
            [&](World&, const std::string& f) { flip(f + "/manifest.yaml", 60); });
  installed("file changed", "data in the store", [&](World&, const std::string& f) { flip(f + "/data.txt", 0); });
  auto grow = [](const std::string& file) {
    ::chmod(file.c_str(), 0644);
    fs::resize_file(file, uint64_t{3} << 30);
  };
  for (const char* file : {"manifest.yaml", "data.txt"})
    installed("file grown", file, [&](World&, const std::string& f) { grow(f + "/" + file); });
  for (const char* file : {"seal.json", "seal.sig"})
    installed("seal grown", file, [&](World&, const std::string& f) { grow(f + "/" + file); });
  installed("library swapped", "grown", [&](World&, const std::string& f) { grow(f + "/" + kId + ".so"); });
  installed("seal changed", "in the store", [&](World&, const std::string& f) { flip(f + "/seal.json", 0); });
  installed("signature changed", "in the store", [&](World&, const std::string& f) { flip(f + "/seal.sig", 3); });
  installed("not signed", "signature taken away", [&](World&, const std::string& f) { fs::remove(f + "/seal.sig"); });
  installed("store folder renamed", "other digits",
            [](World& w, const std::string& f) { fs::rename(f, w.dir + "/store/sha256-" + std::string(64, '0')); });
  installed("store folder renamed", "no digest",
            [](World& w, const std::string& f) { fs::rename(f, w.dir + "/store/thing"); });
  installed("store without a seal", "taken away", [](World&, const std::string& f) { fs::remove(f + "/seal.json"); });
  installed("file added", "a file in the store",
            [&](World&, const std::string& f) { write_file(f + "/extra.txt", "x"); });
  installed("file added", "a folder in the store",
            [&](World&, const std::string& f) { fs::create_directory(f + "/d"); });
  installed("not a file in the store", "the library is a link", [&](World& w, const std::string& f) {
    fs::rename(f + "/" + kId + ".so", w.dir + "/elsewhere.so");
    fs::create_symlink(w.dir + "/elsewhere.so", f + "/" + kId + ".so");
  });
  installed("not a file in the store", "the library is a pipe", [&](World&, const std::string& f) {
    fs::remove(f + "/" + kId + ".so");
    ::mkfifo((f + "/" + kId + ".so").c_str(), 0600);
  });
  for (const char* file : {"data.txt", "seal.json", "seal.sig", "manifest.yaml"})
    installed("pipe in the store", file, [&](World&, const std::string& f) {
      fs::remove(f + "/" + file);
      ::mkfifo((f + "/" + file).c_str(), 0600);
    });
  installed("library gone from the store", "removed",
            [&](World&, const std::string& f) { fs::remove(f + "/" + kId + ".so"); });
  installed("manifest cannot be read", "gone from the store",
            [&](World&, const std::string& f) { fs::remove(f + "/manifest.yaml"); });
  expect(
      "store cannot be made", "a file is in its place",
      [&](World& w) {
        KeyChain k = w.key();
        w.trust(k);
        std::string file = w.write("p.tnp", w.sign(w.pack(w.plugin()), k));
        w.write("store", "");
        w.action("install", {{"file", w.b.string(file)}});
      },
      "store");
  installed("key not trusted", "policy changed since", [](World& w, const std::string&) { w.trust(w.key()); });
  expect("two builds of a version", "same id and version", [](World& w) {
    KeyChain k = w.key();
    w.trust(k);
    w.install(w.sign(w.pack(w.plugin()), k));
    w.write(std::string("plugins/") + kId + "/more.txt", "x");
    w.action("install",
             {{"file", w.b.string(w.write("com.acme.thing.tnp", w.sign(w.pack(w.dir + "/plugins/" + kId), k)))}});
  });
  for (const char* version : {"9.9.9", "sha256:0000000000000000"})
    installed("version not installed", version, [&](World& w, const std::string&) {
      w.load(kId, {{"use", w.b.array({w.b.string(std::string(kId) + "=" + version)})}});
    });
  for (const char* line : {"com.acme.thing", "com.acme.thing=", "=1"})
    expect(
        "malformed choice", line,
        [&](World& w) {
          w.plugin();
          w.load(kId, {{"use", w.b.array({w.b.string(line)})}});
        },
        line);
}

TEST_F(FaultMatrix, Making) {
  auto packing = [&](const std::string& cause, const std::string& label, const std::function<void(World&)>& change) {
    expect(cause, label, [&](World& w) {
      w.plugin();
      change(w);
      w.action("pack", {{"folder", w.b.string(w.dir + "/plugins/" + kId)}, {"output", w.b.string(w.dir + "/p.tnp")}});
    });
  };
  const std::string folder = std::string("plugins/") + kId + "/";
  packing("packing without a vendor", "none", [&](World& w) { w.plugin(manifest_with("vendor: Acme\n", "")); });
  packing("library absent", "when packing", [&](World& w) { fs::remove(w.dir + "/" + folder + kId + ".so"); });
  expect("folder without a seal", "verified",
         [&](World& w) { w.action("verify", {{"file", w.b.string(w.plugin())}}); });
  auto making = [&](const std::string& cause, const std::string& label, const char* expires, const std::string& names) {
    expect(
        cause, label,
        [&](World& w) {
          w.write("old.pub", "precious");
          w.action("keygen", {{"output", w.b.string(w.dir + "/old")},
                              {"vendor", w.b.string("Acme")},
                              {"expires", w.b.string(expires)}});
        },
        names);
  };
  making("key that expired already", "long ago", "2001-01-01", "2001-01-01");
  making("key over another", "the public one", "2999-01-01", "old.pub");
  packing("packing a link", "to a file",
          [&](World& w) { fs::create_symlink("manifest.yaml", w.dir + "/" + folder + "link"); });
  packing("packing a link", "a pipe", [&](World& w) { ::mkfifo((w.dir + "/" + folder + "pipe").c_str(), 0600); });
  for (const char* name : {".hidden", "a b", "-x", "\xc3\xa4"})
    packing("packing a strange name", name, [&](World& w) { w.write(folder + name, "x"); });
  packing("packing what is sealed", "seal.json", [&](World& w) { w.write(folder + "seal.json", "{}"); });
  packing("packing what is sealed", "seal.sig", [&](World& w) { w.write(folder + "seal.sig", ""); });
  packing("packing more exports", "one more",
          [&](World& w) { w.plugin(manifest_text(), read_file(PLUGIN_FOLDER "/extra.so")); });
  auto signing = [&](const std::string& cause, const std::string& label,
                     const std::function<Builder::Entries(World&)>& options, const std::string& names) {
    expect(
        cause, label,
        [&](World& w) {
          Builder::Entries e = options(w);
          e.emplace_back("file", w.b.string(w.write("com.acme.thing.tnp", w.pack(w.plugin()))));
          w.action("sign", e);
        },
        names);
  };
  auto key_file = [](World& w, const KeyChain& keys, bool secret) {
    std::string file = w.write("acme.key", keys_text(keys, secret));
    ::chmod(file.c_str(), 0600);
    return w.b.string(file);
  };
  signing(
      "signing with a public key", "no secret",
      [&](World& w) -> Builder::Entries { return {{"key", key_file(w, w.key(), false)}}; }, "key");
  signing(
      "signing for another vendor", "Evil",
      [&](World& w) -> Builder::Entries { return {{"key", key_file(w, w.key("Evil"), true)}}; }, kId);
  for (mode_t mode : {0644, 0640})
    signing(
        "key read by others", std::to_string(mode),
        [&](World& w) -> Builder::Entries {
          Value file = key_file(w, w.key(), true);
          ::chmod(std::string(file.as_string()).c_str(), mode);
          return {{"key", file}};
        },
        "acme.key");
  signing(
      "detached of another key", "zeros",
      [&](World& w) -> Builder::Entries {
        return {{"key", key_file(w, w.key(), false)},
                {"detached", w.b.string(w.write("s.sig", std::string(64, '\0')))}};
      },
      "s.sig");
  for (size_t size : {0u, 63u, 65u, 127u})
    signing(
        "detached malformed", std::to_string(size),
        [&](World& w) -> Builder::Entries {
          return {{"key", key_file(w, w.key(), false)},
                  {"detached", w.b.string(w.write("s.sig", std::string(size, 'x')))}};
        },
        "s.sig");
}

}  // namespace tenon
