// What can be wrong with a manifest, alone and next to another.
#include "fault_matrix.h"
#include "tenon/ext/op.h"

namespace tenon {

namespace fs = std::filesystem;

TEST_F(FaultMatrix, Manifests) {
  const std::string head = manifest_text();
  for (const char* text : {"id: com.acme.thing\n{", "id: com.acme.thing\nversion: [", "id: com.acme.thing\n\tx: 1\n"})
    manifest("not YAML", text);
  listed("not a map", "- 1\n");
  listed("not a map", "text\n");
  for (const char* key : {"vesion: 1\n", "abi: 1\n", "depends: []\n"}) manifest("unknown key", head + key);
  for (const char* key : {"version: 1.0.0\n", "tier: stable-c\n", "summary: a thing\n"})
    manifest("missing key", manifest_with(key, ""));
  manifest("repeated key", head + "tier: stable-c\n");
  listed("wrong id", "id: Com.Acme\n" + head.substr(head.find('\n') + 1));
  listed("wrong id", "id: 9\n" + head.substr(head.find('\n') + 1));
  for (const char* version : {"version: one\n", "version: 1.0\n", "version: 1.0.0.0\n", "version: 1.0.0-\n"})
    manifest("wrong version", manifest_with("version: 1.0.0\n", version));
  for (const char* tier : {"tier: stable\n", "tier: gold\n"})
    manifest("wrong tier", manifest_with("tier: stable-c\n", tier));
  for (const char* library : {"library: ../x.so\n", "library: /lib/x.so\n", "library: ''\n"})
    manifest("library elsewhere", manifest_with("library: com.acme.thing.so\n", library));
  for (const char* capability : {"[pass]", "[tenon.pass]", "[/1]", "[tenon.pass/one]"})
    manifest("wrong capability", manifest_with("[com.acme.thing/1]", capability));
  for (const char* capability : {"[tenon.pass/1]", "[tenon.codegen/1]", "[tenon.executor/1]", "[tenon.frontend/1]"})
    manifest("provides nothing described", manifest_with("[com.acme.thing/1]", capability));
  manifest("describes nothing provided", head + "passes: [{name: p, level: loop, summary: s}]\n");
  manifest("describes nothing provided", head + "executor:\n");
  manifest("provides without a library", manifest_with("library: com.acme.thing.so\n", ""));
  const std::string passes = manifest_with("[com.acme.thing/1]", "[tenon.pass/1]");
  manifest("wrong pass name", passes + "passes: [{name: A B, level: loop, summary: s}]\n");
  manifest("repeated pass",
           passes + "passes: [{name: p, level: loop, summary: s}, {name: p, level: loop, summary: s}]\n");
  for (const char* type : {"number", "i32"})
    manifest("wrong option type",
             passes + "passes: [{name: p, level: loop, summary: s, options: {n: {type: " + type + "}}}]\n");
  for (const char* option : {"{type: int, default: many}", "{type: bool, default: 3}"})
    manifest("wrong default", passes + "passes: [{name: p, level: loop, summary: s, options: {n: " + option + "}}]\n");
  manifest("one op with two schemas", head +
                                          "ops: [{id: com.acme.op, level: loop, args: [x], result: first}, {id: "
                                          "com.acme.op, level: loop, args: [x, y], result: first}]\n");
  // Of two plugins neither has what they declare differently.
  auto two = [&](const std::string& cause, const std::string& label, const std::string& mine, const std::string& theirs,
                 const std::function<void(const TnCompiler*, TnSession*)>& use) {
    expect(cause, label, [&](World& w) {
      auto manifest_of = [&](const std::string& id, const std::string& more) {
        std::string text = manifest_text(more, "1.0.0", id);
        if (more.starts_with("kinds")) {
          text.replace(text.find("[com.acme.thing/1]"), 18, "[tenon.kind/1]");
          text.replace(text.find("stable-c"), 8, "preview-c");  // the capability is a draft
        }
        w.plugin(text, plugin_library(), id);
      };
      manifest_of(kId, mine);
      manifest_of("com.bolt.other", theirs);
      w.session(use);
    });
  };
  auto ask_for_op = [](const TnCompiler* c, TnSession* s) {
    auto* ops = static_cast<const TnHostOps*>(c->service(s, TN_HOST_OPS));
    call([&](TnValue* ret) { return ops->find(ops->self, "com.acme.op", ret); });
  };
  const std::string op = "ops: [{id: com.acme.op, level: loop, args: [x], result: first}]\n";
  two("one op with two schemas", "of two plugins", op,
      "ops: [{id: com.acme.op, level: loop, args: [x, y], result: first}]\n", ask_for_op);
  two("one op with two schemas", "of two plugins, alike", op, op, ask_for_op);
  auto kind = [](const std::string& level, const std::string& slot) {
    return "kinds: [{id: com.acme.Scale/1, level: " + level +
           ", role: expression, effects: pure, slots: [{name: " + slot + "}]}]\n";
  };
  auto ask_for_plugin = [](const TnCompiler* c, TnSession* s) {
    call([&](TnValue* ret) { return c->load_plugin(s, kId, ret); });
  };
  for (const std::string& theirs :
       {kind("graph", "y, type: node"), kind("graph", "x, type: int"), kind("loop", "x, type: node")})
    two("one kind with two schemas", theirs, kind("graph", "x, type: node"), theirs, ask_for_plugin);
  manifest("unknown runtime", head + "runtimes: {cudo: '12'}\n");
  for (const char* range : {"12;14", ">=", "newest"})
    manifest("wrong range", head + "runtimes: {cuda: '" + range + "'}\n");
  for (const char* id : {"id: Com.Acme\n", "id: ''\n", "id: ../x\n"})
    manifest("wrong id", manifest_with("id: com.acme.thing\n", id));  // asked for by the name of its folder
  for (const char* capability : {"[tenon.pass/0]", "[tenon.pass/01]", "[tenon.pass/-1]", "[com.acme.thing/9999999999]"})
    manifest("wrong capability", manifest_with("[com.acme.thing/1]", capability));
  for (const char* version : {"version: 1.0.0-../x\n", "version: 1.0.0-\"\n"})
    manifest("wrong version", manifest_with("version: 1.0.0\n", version));
  manifest("capability twice", manifest_with("[com.acme.thing/1]", "[com.acme.thing/1, com.acme.thing/1]"));
  for (const char* capability : {"[tenon.pass/2]", "[tenon.kind/7]", "[com.acme.thing/1, tenon.codegen/9]"})
    manifest("capability of a later Tenon", manifest_with("[com.acme.thing/1]", capability));
  for (const char* capability : {"[tenon.codgen/1]", "[tenon.host.ir/1]", "[tenon.quantum/1]"})
    manifest("capability that Tenon does not have", manifest_with("[com.acme.thing/1]", capability));
  for (const char* bytes : {"\xff", "\xc3(", "\xed\xa0\x80", "\xc0\xaf"})
    manifest("not UTF-8", manifest_with("a thing", std::string("a ") + bytes));
  manifest("UTF-16", "\xff\xfe" + head);
  manifest("control byte", head + std::string(1, '\0'));
  for (const char* vendor : {"\"A\\e[31m\"", "\"A\\nB\""})
    manifest("control characters", manifest_with("vendor: Acme", std::string("vendor: ") + vendor));
  manifest("NUL in a text", manifest_with("vendor: Acme", "vendor: \"A\\0\""));
  manifest("NUL in a text", manifest_with("library: com.acme.thing.so", "library: \"com.acme.thing.so\\0x\""));
  for (const char* library : {"library: .\n", "library: ..\n"})
    manifest("library elsewhere", manifest_with("library: com.acme.thing.so\n", library));
  manifest("manifest too large", head + "#" + std::string(17 << 20, 'x'));
  manifest("nested too deep", head + "offers: " + std::string(100'000, '['));
  std::string keys = head;  // found out at once, however many there are
  for (int i = 0; i < 95'000; ++i) keys += "k" + std::to_string(i) + ": 1\n";
  manifest("unknown key", keys);
  std::string offers = head + "offers: {com.acme.thing/1: {k: 1";
  for (int i = 0; i < 95'000; ++i) offers += ", k" + std::to_string(i) + ": 1";
  manifest("map too large", offers + "}}\n");
  auto odd = [&](const std::string& cause, const std::string& label,
                 const std::function<void(const std::string&)>& make) {
    expect(cause, label, [&](World& w) {
      std::string path = w.plugin() + "/manifest.yaml";
      fs::remove(path);
      make(path);
      w.load();
    });
  };
  odd("manifest is a folder", "a folder", [](const std::string& path) { fs::create_directories(path); });
  odd("manifest is a pipe", "a pipe", [](const std::string& path) { ::mkfifo(path.c_str(), 0600); });
  odd("manifest is a pipe", "a device", [](const std::string& path) { fs::create_symlink("/dev/zero", path); });
  odd("manifest cannot be read", "a link to nothing", [](const std::string& path) { fs::create_symlink("no", path); });
  odd("manifest cannot be read", "a link to itself",
      [](const std::string& path) { fs::create_symlink("manifest.yaml", path); });
  manifest("two documents", head + "---\nx: 1\n");
  std::string bomb = head + "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) bomb += std::string(i ? ",*" : "*") + static_cast<char>(c - 1);
    bomb += "]\n";
  }
  manifest("alias bomb", bomb);
  for (const char* runtime :
       {"{cuda: '>=90'}", "{glibc: '>=99'}", "{glibc: '<2'}", "{com.acme.rt: {version: '1', library: libacme_rt.so}}"})
    manifest("runtime not met", head + "runtimes: " + runtime + "\n");
  expect("runtime not met", "stated in the policy", [&](World& w) {
    w.write("trust.yaml", "runtimes: {cuda: 13.1}\n");
    w.plugin(head + "runtimes: {cuda: '>=12,<13'}\n");
    w.load();
  });
  expect("two plugins of one id", "in one folder", [](World& w) {
    w.plugin();
    w.plugin(manifest_text(), plugin_library(), "twin");
    w.load();
  });
}

}  // namespace tenon
