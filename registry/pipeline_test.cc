#include "registry/pipeline.h"

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
    return lines(read_pipeline_file(b_, *registry_, write("p.yaml", text)).complaints);
  }
  std::unique_ptr<Registry> registry_;
};

TEST_F(PipelineFile, NamesWhatIsUnknown) {
  EXPECT_EQ(
      complaints(
          "stages:\n  - passes-x:simplfy\n  - pass-x:simplify\n  - simplify\n  - {pass: passes-x:unroll, when: gpu}\n"),
      "p.yaml:2:5 the plugin 'passes-x' has no pass 'simplfy'; did you mean 'simplify'?\n"
      "p.yaml:3:5 there is no plugin 'pass-x'; did you mean 'passes-x'?\n"
      "p.yaml:4:5 'simplify' is not the full name of a pass; write its plugin first: passes-x:simplify\n"
      "p.yaml:5:29 a stage has no key 'when'; its keys are: pass, options\n");
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
            "p.yaml:4:51 pass passes-x:simplify has no option 'max_step'; did you mean 'max_steps'?\n"
            "p.yaml:5:45 option 'mode' of pass passes-x:unroll takes one of \"a\", \"b\", not \"c\"\n"
            "p.yaml:6:38 'options' is a map of names and values, not '3'\n"
            "p.yaml:7:48 the key 'mode' comes twice\n"
            "p.yaml:8:5 a stage has no key '3'; its keys are: pass, options\n"
            "p.yaml:8:5 a stage lacks the key 'pass'\n");
}

TEST_F(PipelineFile, FillsInDefaultsAndLoadsNothing) {
  PipelineResult r = read_pipeline_file(
      b_, *registry_,
      write("fast.yaml",
            "summary: s\nstages:\n  - passes-x:simplify\n  - {pass: passes-x:unroll, options: {mode: b}}\n"));
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
  EXPECT_EQ(registry.pipeline("cpu").pipeline.stages.size(), 1u);
  EXPECT_EQ(lines(registry.pipeline("bad").complaints),
            "plugins.yaml:4:18 there is no plugin 'x'; list what is installed with: tenon plugin list\n");
  try {
    registry.pipeline("cpuu");
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

}  // namespace
}  // namespace tenon
