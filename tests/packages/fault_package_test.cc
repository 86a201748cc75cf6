// What can be wrong with a package, its signature, and the policy that it meets.
#include "fault_matrix.h"

namespace tenon {

namespace fs = std::filesystem;

TEST_F(FaultMatrix, Packages) {
  for (double part : {0.0, 0.1, 0.5, 0.9})
    package("package cut short", std::to_string(part),
            [&](std::string& s) { s.resize(static_cast<size_t>(static_cast<double>(s.size()) * part)); });
  package("package cut short", "the end", [](std::string& s) { s.pop_back(); });
  for (size_t at : {0u, 1u, 100u, 110u, 124u, 137u, 148u, 156u, 157u, 257u, 265u, 345u, 500u})
    package("archive header changed", std::to_string(at),
            [&](std::string& s) { s[at] = static_cast<char>(s[at] ^ 1); });
  package("archive header changed", "of the library",
          [](std::string& s) { s[header_at(s, "com.acme.thing.so") + 3] = 'X'; });
  package("padding changed", "after the seal", [](std::string& s) { s[header_at(s, "seal.sig") - 1] = 1; });
  package("bytes appended", "a block", [](std::string& s) { s += std::string(512, '\0'); });
  package("bytes appended", "a byte", [](std::string& s) { s += 'x'; });
  package("no seal", "an empty archive", [](std::string& s) { s = std::string(1024, '\0'); });
  package("no seal", "without it",
          [](std::string& s) { s = write_archive({{"manifest.yaml", "id: com.acme.thing\n"}}); });
  for (const char* word : {"\"abi\": 1", "\"platform\"", "\"files\"", "\"build_id\""})
    package("seal changed", word, [&](std::string& s) { s[s.find(word) + 1] = 'x'; });
  package("seal changed", "a space", [](std::string& s) { s[s.find("  \"id\"")] = '\t'; });
  package("newer package", "form 2", [](std::string& s) { s[s.find("tenon.package/1") + 14] = '2'; });
  package("newer package", "form 9", [](std::string& s) { s[s.find("tenon.package/1") + 14] = '9'; });
  for (size_t at : {0u, 64u, 1000u, 5000u})
    package("file changed", "library at " + std::to_string(at),
            [&](std::string& s) { s[header_at(s, "com.acme.thing.so") + 512 + at] ^= 1; });
  package("file changed", "manifest", [](std::string& s) { s[header_at(s, "manifest.yaml") + 512 + 5] ^= 1; });
  auto repack = [](std::string& s, const std::function<void(ArchiveFiles&)>& change) {
    const std::string old = s;
    ArchiveFiles files = read_archive(old, "p");
    change(files);
    s = write_archive(files);
  };
  package("file left out", "the library",
          [&](std::string& s) { repack(s, [](ArchiveFiles& f) { f.erase(f.begin() + 2); }); });
  package("file left out", "all", [&](std::string& s) { repack(s, [](ArchiveFiles& f) { f.resize(2); }); });
  package("file added", "at the end",
          [&](std::string& s) { repack(s, [](ArchiveFiles& f) { f.emplace_back("zzz", "x"); }); });
  package("file added", "before",
          [&](std::string& s) { repack(s, [](ArchiveFiles& f) { f.emplace(f.begin() + 2, "aaa", "x"); }); });
  // A seal that says something else, signed by the vendor itself.
  auto resealed = [&](const std::string& cause, const std::string& label, const std::function<void(Seal&)>& change) {
    package(cause, label, [&](std::string& s) {
      World w(testing::TempDir() + "/tenon_fault_reseal_" + std::to_string(::getpid()));
      Package p = read_package(w.b, s, "com.acme.thing.tnp");
      change(p.seal);
      std::string text = seal_text(p.seal);
      ArchiveFiles files = p.files;
      files.emplace(files.begin(), kSealFile, text);
      s = write_archive(files);
      fs::remove_all(w.dir);
    });
  };
  resealed("seal and manifest differ", "version", [](Seal& s) { s.version = "2.0.0"; });
  resealed("seal and manifest differ", "vendor", [](Seal& s) { s.vendor = "Evil"; });
  resealed("seal and manifest differ", "tier", [](Seal& s) { s.tier = "preview-c"; });
  resealed("another platform", "aarch64 or x86_64",
           [](Seal& s) { s.platform = s.platform == "linux-x86_64" ? "linux-aarch64" : "linux-x86_64"; });
  resealed("another platform", "windows", [](Seal& s) { s.platform = "windows-x86_64"; });
  resealed("newer ABI", "in the seal", [](Seal& s) { s.abi = TN_ABI_VERSION + 1; });
  resealed("newer vocabulary", "in the seal", [](Seal& s) { s.vocabulary = TN_IR_VOCABULARY + 1; });
  for (const char* sdk : {"0.0.9", "0.9.0", "7.0.0"})
    expect("preview of another minor", sdk, [&](World& w) {
      Package p = read_package(w.b, w.pack(w.plugin(manifest_with("tier: stable-c", "tier: preview-c"))), "p.tnp");
      p.seal.sdk = sdk;
      std::string text = seal_text(p.seal);
      ArchiveFiles files = p.files;
      files.emplace(files.begin(), kSealFile, text);
      w.action("install", {{"file", w.b.string(w.write("p.tnp", write_archive(files)))}});
    });
}

TEST_F(FaultMatrix, Signatures) {
  for (const char* word :
       {"tenon-signature/1", "tenon-key/1", "vendor: Acme", "expires: 2", "successor: none", "created: 2"})
    package("signature changed", word, [&](std::string& s) { s[s.find(word, header_at(s, "seal.sig")) + 1] = 'Q'; });
  package("signature changed", "expiry",
          [](std::string& s) { s[s.find("expires: 2", header_at(s, "seal.sig")) + 9] = '3'; });
  package("signature of another seal", "of another key", [&](std::string& s) {
    size_t at = s.find("\nsignature: ", header_at(s, "seal.sig")) + 12;
    s[at] = s[at] == 'a' ? 'b' : 'a';
  });
  package("signature of another seal", "of another package", [&](std::string& s) {
    World w(testing::TempDir() + "/tenon_fault_other_" + std::to_string(::getpid()));
    w.plugin();
    w.write(std::string("plugins/") + kId + "/more.txt", "x");
    Package other = read_package(w.b, w.pack(w.dir + "/plugins/" + kId), "o.tnp"), mine = read_package(w.b, s, "p.tnp");
    Signature stolen = *mine.signature;
    s = with_signature(other, stolen);
    fs::remove_all(w.dir);
  });
  auto signed_by = [&](const std::string& cause, const std::string& label,
                       const std::function<KeyChain(World&)>& policy) {
    expect(cause, label, [&](World& w) {
      KeyChain keys = policy(w);
      std::string archive = w.pack(w.plugin());
      if (!keys.empty()) archive = w.sign(archive, keys);
      w.action("install", {{"file", w.b.string(w.write("p.tnp", archive))}});
    });
  };
  signed_by("not signed", "no policy", [](World&) { return KeyChain(); });
  signed_by("not signed", "a policy for the vendor", [](World& w) {
    w.trust(w.key());
    return KeyChain();
  });
  signed_by("not signed", "another digest", [](World& w) {
    w.write("trust.yaml", "digests: ['sha256:" + std::string(64, '0') + "']\n");
    return KeyChain();
  });
  signed_by("key not trusted", "no policy", [](World& w) { return w.key(); });
  signed_by("key not trusted", "another key", [](World& w) {
    w.trust(w.key());
    return w.key();
  });
  signed_by("key not trusted", "a successor that nobody names", [](World& w) {
    KeyChain old = w.key(), next = w.key();
    w.trust(old);
    return next;
  });
  signed_by("key expired", "long ago", [](World& w) {
    KeyChain k = w.key("Acme", "2021-01-01");
    w.trust(k);
    return k;
  });
  signed_by("key expired", "with a successor", [](World& w) {
    KeyChain k = w.key("Acme", "2021-01-01");
    name_successor(k[0], w.key()[0]);
    w.trust(k);
    return k;
  });
  signed_by("key of another vendor", "Evil", [](World& w) {
    KeyChain k = w.key("Evil");
    w.trust(k, "", "Evil");
    return k;
  });
  signed_by("key given to another vendor", "Bolt", [](World& w) {
    KeyChain k = w.key();
    w.trust(k, "", "Bolt");
    return k;
  });
  for (const char* line : {"{vendor: Acme}", "{id: com.acme.thing, reason: crashes}"})
    signed_by("denied", line, [&](World& w) {
      KeyChain k = w.key();
      w.trust(k, std::string("deny: [") + line + "]\n");
      return k;
    });
  signed_by("denied", "the key", [](World& w) {
    KeyChain k = w.key();
    w.trust(k, "deny: [{key: '" + k[0].public_hex + "', reason: stolen}]\n");
    return k;
  });
  signed_by("denied", "the key before", [](World& w) {
    KeyChain old = w.key(), next = w.key();
    name_successor(old[0], next[0]);
    w.trust(next, "deny: [{key: '" + old[0].public_hex + "'}]\n");
    return KeyChain{next[0], old[0]};
  });
  expect("denied", "the digest, when installed", [](World& w) {
    KeyChain k = w.key();
    std::string archive = w.sign(w.pack(w.plugin()), k);
    fs::remove_all(w.dir + "/plugins");
    w.install(archive);
    w.trust(k, "deny: [{digest: '" + read_package(w.b, archive, "p").digest + "'}]\n");
    w.load();
  });
  expect("denied", "the folder", [](World& w) {
    w.write("trust.yaml", "deny: [{path: " + w.plugin() + "}]\n");
    w.load();
  });
  expect("denied", "the library alone", [](World& w) {
    w.write("trust.yaml", "deny: [{path: " + w.plugin() + "/" + kId + ".so}]\n");
    w.load();
  });
  auto linked = [&](const std::string& cause, const std::string& policy) {
    expect(cause, "a link out of " + policy, [&](World& w) {
      const std::string library = w.plugin() + "/" + kId + ".so";
      fs::create_directory(w.dir + "/elsewhere");
      fs::rename(library, w.dir + "/elsewhere/x.so");
      fs::create_symlink(w.dir + "/elsewhere/x.so", library);
      w.write("trust.yaml", policy + w.dir + (cause == "denied" ? "/elsewhere}]\n" : "/plugins]\n"));
      w.load();
    });
  };
  linked("denied", "deny: [{path: ");
  linked("not sealed", "dev: [");
  linked("not sealed", "dev: []\npaths: [");
  expect("not sealed", "no build tree is trusted", [](World& w) {
    w.write("trust.yaml", "dev: []\n");
    w.plugin();
    w.load();
  });
  expect("not sealed", "another build tree", [](World& w) {
    w.write("trust.yaml", "dev: [environment, /nowhere]\n");
    w.plugin();
    w.load();
  });
  expect("not sealed", "from the environment", [](World& w) {
    w.write("trust.yaml", "dev: [command-line]\n");
    w.plugin();
    fs::rename(w.dir + "/plugins", w.dir + "/elsewhere");
    ::setenv("TENON_PLUGIN_PATH", (w.dir + "/elsewhere").c_str(), 1);
    w.load();
  });
  auto policy = [&](const std::string& cause, const std::string& text) {
    expect(
        cause, text,
        [&](World& w) {
          w.write("trust.yaml", text);
          w.plugin();
          w.load();
        },
        "trust.yaml");
  };
  policy("policy not YAML", "vendors: [\n");
  policy("policy not YAML", "vendors: [}\n");
  policy("policy key unknown", "vendor: []\n");
  policy("policy key unknown", "allow: everything\n");
  policy("policy value wrong", "vendors: [{name: Acme, keys: [abc]}]\n");
  policy("policy value wrong", "vendors: [{name: Acme, keys: ['" + std::string(63, 'a') + "G']}]\n");
  for (const char* line : {"deny: [{path: '/tmp/*'}]\n", "deny: [{path: '/nowhere/pl?gin'}]\n"})
    policy("policy denies a pattern", line);
  for (const char* line : {"deny: [{path: tmp}]\n", "deny: [{path: ''}]\n"}) policy("policy denies nothing", line);
  for (const char* line : {"use: {com.acme.thing: newest}\n", "runtimes: {cuda: newest}\n", "use: {x: 'sha256:12'}\n"})
    policy("policy states no version", line);
  for (const char* target : {"nowhere", "trust.yaml"})
    expect(
        "policy cannot be read", std::string("a link to ") + target,
        [&](World& w) {
          fs::create_symlink(target, w.dir + "/trust.yaml");
          w.plugin();
          w.load();
        },
        "trust.yaml");
  expect(
      "policy is not there", "named by whoever loads",
      [&](World& w) {
        w.plugin();
        w.load(kId, {{"policy", w.b.string(w.dir + "/typo.yaml")}});
      },
      "typo.yaml");
  auto edit = [&](const std::string& cause, const char* command, const char* subject, const std::string& names) {
    expect(
        cause, subject,
        [&](World& w) { w.action("trust", {{"command", w.b.string(command)}, {"subject", w.b.string(subject)}}); },
        names);
  };
  for (const char* subject : {"vendor:", "id:"}) edit("denies nobody", "deny", subject, subject);
  for (const char* subject : {"id:*", "vendor:\xff"})
    edit("policy that could not be read again", "deny", subject, "trust.yaml");
  edit("policy that could not be read again", "use", "com.acme.thing=a b", "trust.yaml");
  edit("malformed digest", "allow", "sha256:12", "sha256:12");
  edit("malformed digest", "deny", "sha256:xyz", "sha256:xyz");
  for (mode_t mode : {0666, 0664, 0646})
    expect(
        "policy of others", std::to_string(mode),
        [&](World& w) {
          ::chmod(w.write("trust.yaml", "dev: [command-line]\n").c_str(), mode);
          w.plugin();
          w.load();
        },
        "trust.yaml");
}

}  // namespace tenon
