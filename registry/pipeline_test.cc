#include "registry/pipeline.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <cstdlib>

#include "build/target.h"
#include "registry/test_support.h"

namespace tenon {
namespace {

class PipelineFile : public RegistryTest {
 protected:
  PipelineFile() {
    write(
        "plugins/passes-x/manifest.yaml",
        "id: passes-x\nversion: 0.1.0\ntier: stable-c\nsummary: s\nlibrary: passes-x.so\nprovides: [tenon.pass/1]\n"
        "passes:\n"
        "  - {name: simplify, level: loop, summary: s, options: {max_steps: {type: int, default: 10}}}\n"
        "  - {name: unroll, level: loop, summary: s, options: {mode: {type: string, default: a, choices: [a, b]}}}\n");
    registry_ = std::make_unique<Registry>(b_, RegistryOptions{{path("plugins")}, "", false}, nullptr);
  }
  std::string complaints(const std::string& text) {
    return lines(registry_->pipeline(write("p.yaml", text), cpu_).complaints);
  }
  std::unique_ptr<Registry> registry_;
  Map cpu_ = parse_target(b_, "cpu:+avx2");
};

TEST_F(PipelineFile, NamesWhatIsUnknown) {
  EXPECT_EQ(
      complaints(
          "stages:\n  - passes-x:simplfy\n  - pass-x:simplify\n  - simplify\n  - {pass: passes-x:unroll, when: gpu}\n"),
      "p.yaml:2:5 the plugin 'passes-x' has no pass 'simplfy'; did you mean 'simplify'?\n"
      "p.yaml:3:5 there is no plugin 'pass-x'; did you mean 'passes-x'?\n"
      "p.yaml:4:5 'simplify' is not the full name of a pass; write its plugin first: passes-x:simplify\n"
      "p.yaml:5:35 'when' is a map of keys and values, not 'gpu'; its keys are: kind, arch, features, any, not\n");
  EXPECT_EQ(complaints("stage: []\n"),
            "p.yaml:1:1 the pipeline has no key 'stage'; did you mean 'stages'?\n"
            "p.yaml:1:1 the pipeline lacks the key 'stages'\n");
}

TEST_F(PipelineFile, ChecksOptionsWithTheirPosition) {
  EXPECT_EQ(complaints("stages:\n"
                       "  - pass: passes-x:simplify\n"
                       "    options: {max_steps: many}\n"
                       "  - {pass: passes-x:simplify, options: {max_step: 3}}\n"
                       "  - {pass: passes-x:unroll, options: {mode: c}}\n"
                       "  - {pass: passes-x:unroll, options: 3}\n"
                       "  - {pass: passes-x:unroll, options: {mode: a, mode: b}}\n"
                       "  - 3: 4\n"),
            "p.yaml:3:26 option 'max_steps' of pass passes-x:simplify takes an integer, not a string (\"many\")\n"
            "p.yaml:4:41 pass passes-x:simplify has no option 'max_step'; did you mean 'max_steps'?\n"
            "p.yaml:5:45 option 'mode' of pass passes-x:unroll takes one of \"a\", \"b\", not \"c\"\n"
            "p.yaml:6:38 'options' is a map of names and values, not '3'; write options: {NAME: VALUE}\n"
            "p.yaml:7:48 the key 'mode' comes twice; leave one of them out\n"
            "p.yaml:8:5 a stage has one of the keys pass, include and slot; this one has none of them; write {pass: "
            "PLUGIN:PASS}\n");
}

TEST_F(PipelineFile, FillsInDefaultsAndLoadsNothing) {
  PipelineResult r = registry_->pipeline(
      write("fast.yaml",
            "summary: s\nstages:\n  - passes-x:simplify\n  - {pass: passes-x:unroll, options: {mode: b}}\n"),
      cpu_);
  EXPECT_EQ(lines(r.complaints), "");
  EXPECT_EQ(r.pipeline.name, "fast");
  ASSERT_EQ(r.pipeline.stages.size(), 2u);
  EXPECT_EQ(value_text(Value(r.pipeline.stages[0].options)), "{max_steps: 10}");
  EXPECT_EQ(value_text(Value(r.pipeline.stages[1].options)), "{mode: \"b\"}");
}

TEST_F(PipelineFile, ReadsStagesFromACommandLine) {
  EXPECT_EQ(value_text(Value(parse_stage(b_, *registry_, "passes-x:simplify{max_steps: 3}").options)),
            "{max_steps: 3}");
  EXPECT_EQ(value_text(Value(parse_stage(b_, *registry_, "passes-x:simplify {\"max_steps\": 4}").options)),
            "{max_steps: 4}");
  EXPECT_THROW(parse_stage(b_, *registry_, "passes-x:simplify{max_steps: x}"), Error);
  EXPECT_THROW(parse_stage(b_, *registry_, "passes-x:simplify{max_steps"), Error);
}

TEST_F(PipelineFile, TheConfigurationNamesPipelines) {
  std::string file =
      write("plugins.yaml",
            "plugins: [passes-x]\npipelines:\n  cpu: {stages: [passes-x:simplify]}\n  bad: {stages: [x:y]}\n");
  Registry registry(b_, {{path("plugins")}, file, false}, nullptr);
  EXPECT_EQ(registry.pipeline_names(), (std::vector<std::string>{"cpu", "bad"}));
  EXPECT_EQ(registry.pipeline("cpu", cpu_).pipeline.stages.size(), 1u);
  EXPECT_EQ(lines(registry.pipeline("bad", cpu_).complaints),
            "plugins.yaml:4:18 there is no plugin 'x'; list what is installed with: tenon plugin list\n");
  try {
    registry.pipeline("cpuu", cpu_);
    FAIL();
  } catch (const Error& e) { EXPECT_EQ(e.hint, "did you mean 'cpu'?"); }
  write("plugins.yaml", "plugins: passes-x\npipeline: {}\n");
  Registry wrong(b_, {{path("plugins")}, file, false}, nullptr);
  try {
    wrong.plugins();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(lines({e}),
              "plugins.yaml:2:1 the configuration has no key 'pipeline'; did you mean 'pipelines'?; 1 more of "
              "this kind: tenon check " +
                  file + "\n");
  }
}

// What a pipeline runs: "passes-x:simplify p.yaml:3:5" a line.
class PipelineParts : public PipelineFile {
 protected:
  PipelineParts() {
    write("plugins/passes-y/manifest.yaml",
          "id: passes-y\nversion: 0.1.0\ntier: stable-c\nsummary: s\nlibrary: passes-y.so\nprovides: [tenon.pass/1]\n"
          "passes:\n"
          "  - {name: first, level: module, summary: s, before: [passes-y:last]}\n"
          "  - {name: tidy, level: loop, summary: s}\n"
          "  - {name: last, level: module, summary: s}\n"
          "  - {name: lower, level: module, summary: s, invalidates: [graph], provides: [low]}\n"
          "  - {name: plan, level: module, summary: s, requires: [low]}\n");
    write("plugins.yaml",
          "pipelines:\n"
          "  cpu:\n"
          "    summary: the default\n"
          "    stages: [passes-x:simplify, {slot: middle, level: loop}, passes-y:lower, {slot: end}]\n"
          "slots:\n"
          "  cpu: {end: [passes-y:last]}\n");
  }
  PipelineResult read(const std::string& name, const std::string& target = "cpu:+avx2") {
    Registry registry(b_, {{path("plugins")}, path("plugins.yaml"), false}, nullptr);
    Map resolved = parse_target(b_, target);
    if (resolved.find("arch")) resolved = b_.with(resolved, "arch", b_.string("x86_64"));  // on every machine
    return registry.pipeline(name, resolved);
  }
  std::string stages(const PipelineResult& r) {
    std::string out;
    for (const Stage& s : r.pipeline.stages)
      out += s.pass->full_name() + " " + s.where.substr(dir_.string().size() + 1) + "\n";
    return out + lines(r.complaints);
  }
};

TEST_F(PipelineParts, FollowIncludesAndSlots) {
  write("parts/tail.yaml", "stages: [passes-x:unroll, {include: ../one.yaml}]\n");
  write("one.yaml", "stages: [passes-y:tidy]\n");
  PipelineResult r = read(write("p.yaml",
                                "stages:\n  - include: cpu\n  - include: parts/tail.yaml\n"
                                "slots:\n  middle: [passes-y:tidy]\n  end: [passes-y:plan, {pass: passes-y:first}]\n"));
  // What plugins.yaml fills in comes before what the file does; `first` asks to come before `last`.
  EXPECT_EQ(stages(r),
            "passes-x:simplify plugins.yaml:4:14\npasses-y:tidy p.yaml:5:12\npasses-y:lower plugins.yaml:4:62\n"
            "passes-y:plan p.yaml:6:9\npasses-y:first p.yaml:6:31\npasses-y:last plugins.yaml:6:15\n"
            "passes-x:unroll parts/tail.yaml:1:10\npasses-y:tidy one.yaml:1:10\n");
  std::string why;
  for (const StageReason& reason : r.reasons[5]) why += reason.kind + " " + reason.text + ", ";
  EXPECT_EQ(why, "pipeline p, include cpu, slot end, ");
  ASSERT_EQ(r.slots.size(), 2u);
  EXPECT_EQ(r.slots[0].filled, 1u);
  EXPECT_EQ(r.slots[1].filled, 3u);
  EXPECT_EQ(stages(read("cpu")),
            "passes-x:simplify plugins.yaml:4:14\npasses-y:lower plugins.yaml:4:62\npasses-y:last plugins.yaml:6:15\n");
}

TEST_F(PipelineParts, LeaveOutWhatIsForOtherTargets) {
  std::string file = write("p.yaml",
                           "stages:\n"
                           "  - {pass: passes-x:simplify, when: {kind: cpu, features: [avx2]}}\n"
                           "  - {pass: passes-gpu:tile, when: {kind: cuda}}\n"
                           "  - {include: cpu, when: {arch: aarch64, not: {features: sve}}}\n");
  PipelineResult r = read(file);
  EXPECT_EQ(stages(r), "passes-x:simplify p.yaml:2:12\n");
  std::string left;
  for (const LeftOut& l : r.left_out) left += l.what + (l.unchecked ? " unchecked: " : ": ") + l.why + "\n";
  EXPECT_EQ(left,
            "passes-gpu:tile unchecked: the target's kind is cpu, not cuda\n"
            "include cpu: the target's arch is x86_64, not aarch64\n"
            "passes-x:simplify: the target's arch is x86_64, not aarch64\n"
            "passes-y:lower: the target's arch is x86_64, not aarch64\n"
            "passes-y:last: the target's arch is x86_64, not aarch64\n");
  EXPECT_EQ(stages(read(file, "cpu:generic")), "");
  EXPECT_EQ(stages(read(file, "cuda")), "p.yaml:3:12 there is no plugin 'passes-gpu'; did you mean 'passes-x'?\n");
}

TEST_F(PipelineParts, ConditionsHold) {
  struct Row {
    const char* condition;
    const char* target;
    bool holds;
  };
  const Row rows[] = {{"{kind: cpu}", "cpu:generic", true},
                      {"{kind: [cuda, cpu]}", "cpu:generic", true},
                      {"{kind: cuda}", "cpu:generic", false},
                      {"{kind: com.vendor.npu}", "com.vendor.npu:v2", true},
                      {"{features: v2}", "com.vendor.npu:v2", true},
                      {"{features: [avx2, fma]}", "cpu:+avx2", false},
                      {"{features: [avx2, +fma]}", "cpu:+avx2,+fma", true},
                      {"{features: avx2}", "cpu:-avx2", false},
                      {"{not: {features: avx2}}", "cpu:-avx2", true},
                      {"{any: [{kind: cuda}, {features: avx2}]}", "cpu:+avx2", true},
                      {"{any: [{kind: cuda}, {features: avx2}]}", "cpu:generic", false},
                      {"{kind: cpu, not: {any: [{features: avx2}, {features: avx512f}]}}", "cpu:+fma", true},
                      {"{kind: cpu, not: {any: [{features: avx2}, {features: avx512f}]}}", "cpu:+avx512f", false}};
  for (const Row& row : rows) {
    PipelineResult r =
        read(write("p.yaml", "stages:\n  - {pass: passes-x:simplify, when: " + std::string(row.condition) + "}\n"),
             row.target);
    EXPECT_EQ(lines(r.complaints), "") << row.condition;
    EXPECT_EQ(r.pipeline.stages.size() == 1, row.holds) << row.condition << " for " << row.target;
  }
}

TEST_F(PipelineParts, KnowWhatModulesHold) {
  EXPECT_EQ(stages(read(write("p.yaml", "assumes: [low]\nstages: [passes-y:plan]\n"))), "passes-y:plan p.yaml:2:10\n");
  EXPECT_EQ(stages(read(write("p.yaml", "stages: [passes-y:lower, passes-x:simplify, passes-y:plan]\n"))),
            "passes-y:lower p.yaml:1:10\npasses-x:simplify p.yaml:1:26\npasses-y:plan p.yaml:1:45\n");
}

// The person's own file adds to the installation's.
TEST_F(PipelineParts, TheUsersFileAddsLines) {
  std::string own = write("config/tenon/plugins.yaml",
                          "plugins: [passes-y]\npipelines: {mine: {stages: [passes-x:unroll]}}\n"
                          "slots: {cpu: {end: [passes-x:unroll]}}\n");
  Config config = read_config(b_, {path("plugins.yaml"), own});
  EXPECT_EQ(config.names(), (std::vector<std::string>{"cpu", "mine"}));
  Registry registry(b_, {{path("plugins")}, "", false}, nullptr);
  Map target = parse_target(b_, "cpu:generic");
  EXPECT_EQ(stages(read_pipeline({b_, registry, config, target}, "cpu")),
            "passes-x:simplify plugins.yaml:4:14\npasses-y:lower plugins.yaml:4:62\npasses-y:last plugins.yaml:6:15\n"
            "passes-x:unroll config/tenon/plugins.yaml:3:21\n");
  setenv("XDG_CONFIG_HOME", path("config").c_str(), 1);
  EXPECT_EQ(user_config_file(), own);
  setenv("XDG_CONFIG_HOME", path("nowhere").c_str(), 1);
  EXPECT_EQ(user_config_file(), "");
}

// With a hundred plugins installed: the right answer, and neither a library opened nor the manifest of a plugin parsed
// that the pipeline does not name.
TEST_F(PipelineParts, AreCheckedWithoutOpeningALibrary) {
  int watch = inotify_init1(IN_NONBLOCK);
  ASSERT_GE(watch, 0);
  for (int i = 0; i < 100; ++i) {
    std::string id = "com.vendor" + std::to_string(i) + ".thing", folder = "plugins/" + id + "/";
    write(folder + "manifest.yaml", "id: " + id +
                                        "\nversion: 0.1.0\ntier: stable-c\nsummary: s\nlibrary: thing.so\n"
                                        "provides: [tenon.pass/1]\npasses: [{name: tidy, level: loop, summary: s}]\n" +
                                        (i == 7 ? "" : "wrong: [not read\n"));
    std::string library = write(folder + "thing.so", "no library");
    ASSERT_GE(inotify_add_watch(watch, library.c_str(), IN_OPEN), 0);
  }
  char events[4096];
  EXPECT_EQ(stages(read(write("p.yaml", "stages: [com.vendor7.thing:tidy, passes-x:simplify]\n"))),
            "com.vendor7.thing:tidy p.yaml:1:10\npasses-x:simplify p.yaml:1:34\n");
  EXPECT_EQ(::read(watch, events, sizeof events), -1) << "a library was opened";
  std::ifstream(path("plugins/com.vendor7.thing/thing.so")).get();
  EXPECT_GT(::read(watch, events, sizeof events), 0) << "the watch sees nothing";
  close(watch);
}

}  // namespace
}  // namespace tenon
