#include "registry/manifest.h"

#include "registry/test_support.h"

namespace tenon {
namespace {

const char* kHead =
    "id: passes-x\nversion: 0.1.0\ntier: stable-c\nsummary: s\nlibrary: passes-x.so\nprovides: [tenon.pass/1]\n";

class Manifest : public RegistryTest {
 protected:
  std::string complaints(const std::string& text) const { return lines(parse_manifest(b_, text, "m.yaml").complaints); }
};

TEST_F(Manifest, PointsAtWhatIsNotYaml) {
  EXPECT_EQ(complaints("id: [a\nversion: 1\n"),
            "m.yaml:1:5 not legal YAML: the list that begins here is not closed; close it with ]\n");
  EXPECT_EQ(
      complaints("- a\n"),
      "m.yaml:1:1 the manifest is a map of keys and values, not a list; its keys are: id, version, vendor, license, "
      "tier, summary, library, runtimes, vocabulary, provides, passes, ops, codegen, executor, frontend, device, "
      "loader, kinds, targets, offers\n");
  EXPECT_EQ(complaints("a: 1\n---\nb: 2\n"),
            "m.yaml:2:1 a second YAML document begins here; leave one; '---' separates documents\n");
  EXPECT_EQ(lines(read_manifest(b_, path("none.yaml")).complaints),
            "none.yaml cannot read the file: No such file or directory; check the path: nothing is there\n");
}

TEST_F(Manifest, NamesUnknownMissingAndRepeatedKeys) {
  EXPECT_EQ(complaints(std::string(kHead) + "vesion: 2\nid: twice\npasses: [{name: p, level: loop, summary: s}]\n"),
            "m.yaml:7:1 the manifest has no key 'vesion'; did you mean 'version'?\n"
            "m.yaml:8:1 the key 'id' comes twice in the manifest; leave one of them out\n");
  EXPECT_EQ(complaints("id: x\nversion: 0.1.0\n"),
            "m.yaml:1:1 the manifest lacks the key 'tier'\n"
            "m.yaml:1:1 the manifest lacks the key 'summary'\n");
}

TEST_F(Manifest, ChecksIdentity) {
  EXPECT_EQ(complaints("id: Bad Id\nversion: one\ntier: stable\nsummary: [s]\nlibrary: ../x.so\n"),
            "m.yaml:1:5 'Bad Id' is not a plugin id; an id is lower-case letters, digits, '-', '.' and '_', such as "
            "passes-loop or com.vendor.thing\n"
            "m.yaml:2:10 'one' is not a version; write three numbers, such as 0.1.0\n"
            "m.yaml:3:7 'tier' takes one of stable-c, preview-c, not 'stable'; did you mean 'stable-c'?\n"
            "m.yaml:4:10 'summary' takes text, not a list\n"
            "m.yaml:5:10 'library' is the name of a file next to the manifest, not '../x.so'\n");
}

TEST_F(Manifest, ChecksPassesAndTheirOptions) {
  EXPECT_EQ(
      complaints(std::string(kHead) + "passes:\n"
                                      "  - {name: p, level: loops, summary: s}\n"
                                      "  - {name: p, level: loop, summary: s, options: {n: {type: number}}}\n"
                                      "  - name: q\n"
                                      "    level: loop\n"
                                      "    summary: s\n"
                                      "    options:\n"
                                      "      a: {type: int, default: many}\n"
                                      "      b: {type: string, default: z, choices: [x, y]}\n"
                                      "      c: {type: int, defualt: 3}\n"
                                      "      d: 3\n"
                                      "      a: {type: int}\n"),
      "m.yaml:8:22 'level' takes one of module, loop, graph, not 'loops'; did you mean 'loop'?\n"
      "m.yaml:9:12 the pass 'p' is declared twice; give one of them another name\n"
      "m.yaml:9:60 'type' takes one of bool, int, float, string, list, map, any, not 'number'\n"
      "m.yaml:14:31 the default of option 'a' of pass 'q' is wrong: the option takes an integer, not a string "
      "(\"many\")\n"
      "m.yaml:15:34 the default of option 'b' of pass 'q' is wrong: the option takes one of \"x\", \"y\", not \"z\"\n"
      "m.yaml:16:22 option 'c' of pass 'q' has no key 'defualt'; did you mean 'default'?\n"
      "m.yaml:17:10 option 'd' of pass 'q' is a map of keys and values, not '3'; its keys are: type, default, "
      "choices, summary\n"
      "m.yaml:18:7 the option 'a' comes twice in pass 'q'\n");
}

TEST_F(Manifest, ProvidesWhatItDescribes) {
  EXPECT_EQ(complaints(kHead), "m.yaml:6:11 'provides' lists tenon.pass/1 but 'passes' describes none\n");
  EXPECT_EQ(complaints("id: x\nversion: 0.1.0\ntier: stable-c\nsummary: s\nprovides: [pass]\nexecutor:\n"),
            "m.yaml:5:12 'pass' is not a capability; write an id and a revision from 1, such as tenon.pass/1\n"
            "m.yaml:6:1 'executor' is described but 'provides' lacks tenon.executor/1\n"
            "m.yaml:1:1 the manifest provides capabilities but names no 'library'\n");
}

TEST_F(Manifest, ChecksOps) {
  EXPECT_EQ(complaints("id: x\nversion: 0.1.0\ntier: stable-c\nsummary: s\nops:\n"
                       "  - {id: tir.exp, level: loop, args: [x], result: first}\n"
                       "  - {id: tir.exp, level: loop, args: [x], result: first}\n"
                       "  - {id: tir.log, level: lop}\n"
                       "  - tir.sin\n"),
            "m.yaml:7:5 the operator `tir.exp` is declared by the plugin `x` (m.yaml:7:5) and already by `x` "
            "(m.yaml:6:5); leave one of the two plugins out, or rename the operator\n"
            "m.yaml:8:5 cannot add the operator `tir.log`: `level: lop` is none of loop, graph; did you mean 'loop'?\n"
            "m.yaml:9:5 an op is a map of keys and values, not 'tir.sin'\n");
}

TEST_F(Manifest, AsksBoundedExecutorsForTheirBounds) {
  const std::string head =
      "id: x\nversion: 0.1.0\ntier: stable-c\nsummary: s\nlibrary: x.so\nprovides: [tenon.executor/1]\n";
  EXPECT_EQ(
      complaints(head + "executor: {bounded: true, options: {max_steps: {type: int}, max_bytes: {type: string}}}\n"),
      "m.yaml:7:11 'bounded' needs the option 'max_bytes' of type int; an executor is bounded when "
      "callers can limit its steps and its memory\n");
  EXPECT_EQ(complaints(head + "executor: {bounded: true, options: {max_steps: {type: int}, max_bytes: {type: int}}}\n"),
            "");
}

TEST_F(Manifest, ReadsExtensionsWithoutTheirDot) {
  const std::string head =
      "id: x\nversion: 0.1.0\ntier: stable-c\nsummary: s\nlibrary: x.so\nprovides: [tenon.frontend/1]\n";
  EXPECT_EQ(complaints(head + "frontend: {extensions: [onnx, 7z]}\n"), "");
  EXPECT_EQ(complaints(head + "frontend: {extensions: [onnx, .onnx, '']}\n"),
            "m.yaml:7:24 '.onnx' is no ending of the names of files; write what stands behind the last dot, such as "
            "onnx\n"
            "m.yaml:7:24 '' is no ending of the names of files; write what stands behind the last dot, such as onnx\n");
}

TEST_F(Manifest, ChecksRanges) {
  const std::string head = "id: x\nversion: 0.1.0\ntier: stable-c\nsummary: s\n";
  EXPECT_EQ(complaints(head + "runtimes: {cuda: '>=12,<14', com.vendor.npu: {version: '=2', library: libnpu.so}}\n"),
            "");
  EXPECT_EQ(
      complaints(head + "runtimes:\n  cudo: '12'\n  cuda: '>=12;<14'\n  hip: {version: '5'}\n  npu: {version: '1', "
                        "library: /lib/npu.so}\n"),
      "m.yaml:6:3 the runtime 'cudo' is not known by name; did you mean 'cuda'?\n"
      "m.yaml:7:9 the runtime 'cuda' takes a range of versions: '>=12;<14' is no part of a range of versions; "
      "write it as \">=12,<14\"\n"
      "m.yaml:8:8 the runtime 'hip' lacks the key 'library'\n"
      "m.yaml:8:8 the library of the runtime 'hip' is a name such as libnpu.so, not ''\n"
      "m.yaml:9:8 the library of the runtime 'npu' is a name such as libnpu.so, not '/lib/npu.so'\n");
}

TEST_F(Manifest, PromisesNoMoreThanItsCapabilitiesDo) {
  const std::string head = "id: x\nversion: 0.1.0\nsummary: s\nlibrary: x.so\n",
                    tail = "provides: [tenon.instrument/1]\n";
  EXPECT_EQ(complaints(head + "tier: preview-c\n" + tail), "");
  EXPECT_EQ(complaints(head + "tier: stable-c\n" + tail),
            "m.yaml:5:7 the capability tenon.instrument/1 is a draft, which tier stable-c cannot promise; write tier: "
            "preview-c, which holds within one minor version of Tenon\n");
}

TEST_F(Manifest, ReadsAWholeOne) {
  ManifestResult r = parse_manifest(
      b_,
      "id: all\nversion: 1.2.3-rc1\nvendor: V\nlicense: L\ntier: preview-c\nsummary: one line\nlibrary: all.so\n"
      "vocabulary: {consumes: 1, emits: 1}\n"
      "provides: [tenon.pass/1, tenon.op/1, tenon.codegen/1, tenon.executor/1, com.vendor.thing/2]\n"
      "passes: [{name: p, level: graph, summary: s, concurrent: true, options: {r: {type: float, default: 2}}}]\n"
      "ops: [{id: tir.exp, revision: 2, level: loop, args: [x, ...], attrs: {axis: {type: int, default: -1}},\n"
      "       effects: pure, result: first, functions: [evaluate]}]\n"
      "codegen: {targets: [cpu], formats: [asm], options: {o: {type: int, default: 3}}}\n"
      "executor: {options: {n: {type: int}}}\n",
      "dir/m.yaml");
  EXPECT_EQ(lines(r.complaints), "");
  const PluginInfo& p = r.plugin;
  EXPECT_EQ(p.library, "dir/all.so");
  EXPECT_EQ(p.consumes, 1);
  ASSERT_EQ(p.passes.size(), 1u);
  EXPECT_EQ(p.passes[0]->full_name(), "all:p");
  EXPECT_EQ(p.passes[0]->level, Level::kGraph);
  EXPECT_TRUE(p.passes[0]->concurrent);
  EXPECT_TRUE(p.passes[0]->options[0].default_value.is_float());
  ASSERT_EQ(p.ops.size(), 1u);
  EXPECT_EQ(p.ops[0].id, "tir.exp");
  EXPECT_EQ(p.ops[0].origin, "dir/m.yaml:11:7");
  EXPECT_EQ(p.codegen->targets, std::vector<std::string>{"cpu"});
  EXPECT_TRUE(p.executor->options[0].required);
}

TEST_F(Manifest, BoundsWhatUntrustedTextCanCost) {
  std::string deep(200, '[');
  EXPECT_NE(complaints("id: " + deep + std::string(200, ']')), "");
  std::string bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    std::string before(1, static_cast<char>(c - 1));
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) bomb += (i ? ",*" : "*") + before;
    bomb += "]\n";
  }
  EXPECT_EQ(complaints(bomb),
            "m.yaml more than 200000 values, aliases expanded; say it in less, or in several files\n");
}

}  // namespace
}  // namespace tenon
