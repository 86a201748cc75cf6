#include "registry/lock.h"

#include "build/target.h"
#include "registry/probe/cache.h"
#include "registry/test_support.h"
#include "tenon/kinds.h"

namespace tenon {
namespace {

class Lock : public RegistryTest {
 protected:
  Lock() { install("plugins"); }
  void install(const std::string& where) {
    write(
        where + "/passes-x/manifest.yaml",
        "id: passes-x\nversion: 0.1.0\nvendor: \"A \\\"vendor\\\"\"\ntier: stable-c\nsummary: s\nlibrary: passes-x.so\n"
        "provides: [tenon.pass/1]\npasses:\n"
        "  - {name: simplify, level: loop, summary: s, options: {steps: {type: int, default: 10}, scale: {type: float, "
        "default: 2.0}, by: {type: map, default: {}}}}\n");
    write(where + "/passes-x/passes-x.so", "some bytes");
    write(where + "/passes-y/manifest.yaml",
          "id: passes-y\nversion: 0.1.0\ntier: stable-c\nsummary: s\nlibrary: passes-y.so\nprovides: [tenon.pass/1]\n"
          "passes: [{name: tidy, level: loop, summary: s}]\n");
    write(where + "/passes-y/passes-y.so", "other bytes");
  }
  std::string make(const std::string& folder = "plugins") {
    Registry registry(b_, {{path(folder)}, "", false}, nullptr);
    LockParts parts;
    parts.core_version = "0.1.0";
    parts.target = parse_target(b_, "cpu:+fma,+avx2");
    parts.pipeline = registry
                         .pipeline(write("p.yaml",
                                         "stages:\n  - {pass: passes-x:simplify, options: {steps: 3, by: {\"a: b\": "
                                         "[1, 2.0, \"true\", yes]}}}\n"),
                                   parts.target)
                         .pipeline;
    return lock_text(registry, parts);
  }
  LockReading read(const std::string& text, const Map* target = nullptr, const std::string& folder = "plugins") {
    Registry registry(b_, {{path(folder)}, "", false}, nullptr);
    return read_lock(b_, registry, "0.1.0", text, path("lock.yaml"), target);
  }
};

TEST_F(Lock, SaysAllThatMatters) {
  install("elsewhere");
  std::string text = make();
  EXPECT_EQ(text, make("elsewhere"));
  EXPECT_EQ(text.substr(text.find("lock:")),
            "lock: 1\n"
            "tenon: {version: \"0.1.0\", abi: " +
                std::to_string(TN_ABI_VERSION) + ", vocabulary: " + std::to_string(TN_IR_VOCABULARY) +
                "}\n"
                "pipeline: \"p\"\n"
                "target: " +
                yaml_text(Value(parse_target(b_, "cpu:+fma,+avx2"))) +
                "\n"
                "complete: false\n"
                "plugins:\n"
                "  - id: passes-x\n"
                "    version: \"0.1.0\"\n"
                "    vendor: \"A \\\"vendor\\\"\"\n"
                "    tier: stable-c\n"
                "    provides: [tenon.pass/1]\n"
                "    manifest: " +
                digest_of_file(path("plugins/passes-x/manifest.yaml")) +
                "\n"
                "    library: " +
                digest_of_file(path("plugins/passes-x/passes-x.so")) +
                "\n"
                "stage_count: 1\n"
                "stages:\n"
                "  - {pass: \"passes-x:simplify\", options: {by: {\"a: b\": [1, 2.0, \"true\", \"yes\"]}, scale: 2.0, "
                "steps: 3}}\n");
  // echo -n 'some bytes' | sha256sum
  EXPECT_NE(text.find("sha256:0d22cdcc10e6d049dbe1af5123d50873fdfc1a4f58306e58cb6241be9472014d"), std::string::npos);
}

TEST_F(Lock, ReadsBackWhatItSays) {
  LockReading r = read(make());
  EXPECT_EQ(lines(r.differences), "");
  EXPECT_EQ(
      yaml_text(*r.lock.find("stages")),
      "[{options: {by: {\"a: b\": [1, 2.0, \"true\", \"yes\"]}, scale: 2.0, steps: 3}, pass: \"passes-x:simplify\"}]");
  const double numbers[] = {0.1, 1.0 / 3, 1e300, -0.0, 5e-324, 123456789.0};
  for (double v : numbers) {
    Value again = yaml_value(b_, parse_yaml(yaml_text(Value(v)), ""), "");
    ASSERT_TRUE(again.is_float()) << yaml_text(Value(v));
    EXPECT_EQ(again.as_float(), v);
  }
  std::string odd = "tab\t, \"quotes\", \\, line\nend, \x01, null";
  EXPECT_EQ(yaml_value(b_, parse_yaml(yaml_text(b_.string(odd)), ""), "").as_string(), odd);
}

TEST_F(Lock, RefusesWhatDiffers) {
  const std::string right = make();
  struct Row {
    const char* from;
    const char* to;
    const char* said;  // the first complaint, digests as SHA
  };
  const Row rows[] = {
      {"lock: 1", "lock: 2", "lock.yaml:2:7 a lock of form 2; this Tenon reads form 1"},
      {"complete: false\n", "", "lock.yaml:2:1 the lock lacks the key 'complete'"},
      {"complete: false", "complet: false", "lock.yaml:6:1 the lock has no key 'complet'"},
      {"complete: false", "complete: maybe", "lock.yaml:6:11 'complete' takes true or false"},
      {"version: \"0.1.0\", abi", "version: \"0.2.0\", abi",
       "lock.yaml:3:18 the lock was made by Tenon 0.2.0, this is Tenon 0.1.0"},
      {"abi: ", "abi: 9", "lock.yaml:3:32 the lock was made with ABI 9"},
      {"pipeline: \"p\"", "pipeline: 3", "lock.yaml:4:11 'pipeline' is text"},
      {"target: {", "target: [", "lock.yaml:5:"},
      {"id: passes-x", "id: passes-z",
       "lock.yaml:8:9 the lock has the plugin 'passes-z' 0.1.0, which cannot be used here: there is no plugin"},
      {"    version: \"0.1.0\"", "    version: \"0.3.0\"",
       "lock.yaml:9:14 the lock has the plugin 'passes-x' 0.3.0, installed is 0.1.0"},
      {"    manifest: sha256:", "    manifest: sha256:0",
       "lock.yaml:13:15 the manifest of the plugin 'passes-x' is not the one of the lock"},
      {"    library: sha256:", "    library: sha256:0",
       "lock.yaml:14:14 the library of the plugin 'passes-x' is not the one of the lock"},
      {"tenon: {version: \"0.1.0\", ", "tenon: {", "lock.yaml:3:8 'tenon' lacks the key 'version'"},
      {"    version: \"0.1.0\"\n", "", "lock.yaml:8:5 a plugin of the lock lacks the key 'version'"},
      {"    tier: stable-c", "    tier: preview-c",
       "lock.yaml:11:11 the tier of the plugin 'passes-x' is not what its manifest says"},
      {"provides: [tenon.pass/1]", "provides: [tenon.op/1]", "lock.yaml:12:15 the provides of the plugin 'passes-x'"},
      {"vendor: \"A", "vendor: \"B", "lock.yaml:10:13 the vendor of the plugin 'passes-x'"},
      {"kind: \"cpu\"", "kind: 3", "lock.yaml:5:"},
      {"[\"+avx2\"", "[1", "lock.yaml:5:"},
      {"stage_count: 1", "stage_count: 2", "lock.yaml:15:14 the lock was written with 2 stages and holds 1"},
      {"passes-x:simplify", "passes-x:simplfy", "lock.yaml:17:12 the plugin 'passes-x' has no pass 'simplfy'"},
      {"passes-x:simplify", "passes-y:tidy",
       "lock.yaml:17:12 the lock uses the plugin 'passes-y', and 'plugins' does not list it"},
      {"steps: 3", "steps: many", "lock.yaml:17:101 option 'steps' of pass passes-x:simplify takes an integer"},
      {", steps: 3", "", "lock.yaml:17:42 the lock lacks the option 'steps'"},
      {"stages:\n", "stages: 3\n#", "lock.yaml:16:9 'stages' is a list"},
  };
  for (const Row& row : rows) {
    std::string text = right;
    size_t at = text.find(row.from);
    ASSERT_NE(at, std::string::npos) << row.from;
    text.replace(at, std::string(row.from).size(), row.to);
    std::string said = lines(read(text).differences);
    EXPECT_TRUE(said.starts_with(row.said)) << "expected: " << row.said << "\nsaid:     " << said << text;
  }
  Map other = parse_target(b_, "cpu:+avx2");
  EXPECT_TRUE(lines(read(right, &other).differences).starts_with("lock.yaml:5:9 the lock is for the target"));
  write("plugins/passes-x/passes-x.so", "some byteS");
  EXPECT_TRUE(lines(read(right).differences).starts_with("lock.yaml:14:14 the library of the plugin 'passes-x'"));
  write("plugins/passes-x/passes-x.so", "some bytes");
  write("plugins/passes-y/passes-y.so", "changed");
  EXPECT_EQ(lines(read(right).differences), "");
}

}  // namespace
}  // namespace tenon
