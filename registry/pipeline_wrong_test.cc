// Wrong pipelines, each refused where it is wrong. In the texts, `@@` marks the place that the first complaint must
// name. A row also says whether the published schema refuses the text: it must, where the fault is one of form.
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validator.hpp>

#include "build/target.h"
#include "diag/files.h"
#include "diag/utf8.h"
#include "registry/test_support.h"

namespace tenon {
namespace {

enum Form { kText, kForm, kMeaning };  // no YAML at all; a fault of form, which the schema sees; any other

struct Wrong {
  const char* cause;
  Form form;
  const char* text;  // of p.yaml, or of several files: "=== NAME" begins one; "=== plugins.yaml" is the configuration
  const char* message;  // how the first complaint begins
};

constexpr const char* kManifest = R"(
id: passes-x
version: 0.1.0
tier: stable-c
summary: s
library: passes-x.so
provides: [tenon.pass/1]
passes:
  - {name: simplify, level: loop, summary: s, options: {max_steps: {type: int, default: 10}, fast: {type: bool, default: false}}}
  - {name: unroll, level: loop, summary: s, options: {mode: {type: string, default: a, choices: [a, b]}, names: {type: list, default: []}, scale: {type: float, default: 1.0}, by: {type: map, default: {}}}}
  - {name: tile, level: loop, summary: s, requires: [blocks], options: {size: {type: int, summary: the side of a tile}}}
  - {name: canonical, level: graph, summary: s, provides: [x.canonical]}
  - {name: match, level: graph, summary: s, requires: [x.canonical]}
  - {name: scramble, level: module, summary: s, invalidates: [x.canonical]}
  - {name: lower, level: module, summary: s, invalidates: [graph]}
  - {name: flatten, level: loop, summary: s, invalidates: [blocks]}
  - {name: measure, level: loop, summary: s, requires: [x.measurable]}
  - {name: second, level: module, summary: s, after: [passes-x:first]}
  - {name: first, level: module, summary: s, before: [passes-x:third]}
  - {name: third, level: module, summary: s}
  - {name: egg, level: module, summary: s, after: [passes-x:hen]}
  - {name: hen, level: module, summary: s, after: [passes-x:egg]}
)";

constexpr const char* kConfig = R"(
pipelines:
  base:
    stages: [passes-x:simplify, {slot: middle, level: loop}, passes-x:third, {slot: end}]
  circle:
    stages: [{include: circle}]
)";

const Wrong kWrong[] = {
    // Text that is no YAML
    {"tab", kText, "stages:\n\t@@- passes-x:simplify\n", "not legal YAML"},
    {"list not closed", kText, "stages: @@[passes-x:simplify\n", "not legal YAML"},
    {"quote not closed", kText, "summary: @@\"one\nstages: []\n", "not legal YAML"},
    {"map not closed", kText, "stages:\n  - @@{pass: passes-x:simplify\n  - passes-x:unroll\n",
     "not legal YAML: the map"},
    {"stray bracket", kText, "stages:\n  - @@]\n", "not legal YAML"},
    {"indentation", kText, "stages:\n  - passes-x:simplify\n @@- passes-x:unroll\n", "not legal YAML"},
    {"two values on a line", kText, "summary: a@@: b\nstages: []\n", "not legal YAML"},
    {"unknown alias", kText, "stages:\n  - @@*base\n", "not legal YAML"},
    {"alias in itself", kText, "stages: &s\n  - @@*s\n", "the alias stands inside of what it stands for"},
    {"second document", kText, "stages: []\n@@---\nstages: []\n", "a second YAML document"},
    {"nesting", kText,
     "stages: "
     "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[@@[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]"
     "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]\n",
     "nested deeper than 64"},
    {"a tag that would include", kText, "stages:\n  - @@!include other.yaml\n", "the tag !include has no meaning"},
    {"a tag that would make a number", kText,
     "stages:\n  - {pass: passes-x:simplify, options: {max_steps: @@!!int '3'}}\n", "the tag !!int has no meaning"},
    {"a tag of another list", kText, "stages: @@!!omap [{pass: passes-x:simplify}]\n", "the tag !!omap has no meaning"},
    {"a byte that is no UTF-8", kText, "summary: caf\xc3\xa9\nstages:\n  - passes-x:@@\xff\n",
     "the byte \\xFF is no UTF-8 text"},
    {"a control character", kText, "stages:\n  - passes-x:@@\x01simplify\n", "the byte \\x01 is a control character"},
    {"a NUL in quotes", kText, "stages:\n  - {include: @@\"q\\0.yaml\"}\n", "a NUL character stands in a text"},
    {"keys of a map in two columns", kText, "stages:\n  - pass: passes-x:simplify\n  @@options: {}\n",
     "not legal YAML: end of map not found"},
    {"a text that begins with @", kText, "stages:\n  - @@`passes-x:simplify`\n", "not legal YAML: unknown token"},
    // The top of the file
    {"nothing behind the beginning", kForm, "@@---\n", "the pipeline is a map of keys and values, not nothing"},
    {"a required key misspelt", kForm, "@@stags: []\n", "the pipeline has no key 'stags'"},
    {"nothing before a key with n", kForm, "@@stages:\nname: x\n", "'stages' is a list of stages, not nothing"},
    {"behind the mark of UTF-8", kMeaning, "\xef\xbb\xbfstages:\n  - @@passes-x:simplfy\n",
     "the plugin 'passes-x' has no pass 'simplfy'"},
    {"behind longer characters", kMeaning,
     "stages: [{pass: passes-x:unroll, options: {by: {'\xc3\xa9\xf0\x9f\x98\x80': 1}, mode: @@c}}]\n",
     "option 'mode' of pass passes-x:unroll takes one of"},
    {"empty file", kForm, "@@", "the pipeline is a map of keys and values, not nothing"},
    {"top is a list", kForm, "@@- passes-x:simplify\n", "the pipeline is a map of keys and values, not a list"},
    {"top is text", kForm, "@@simplify\n", "the pipeline is a map of keys and values, not 'simplify'"},
    {"unknown key of a pipeline", kForm, "stages: []\n@@stage: []\n", "the pipeline has no key 'stage'"},
    {"no stages", kForm, "@@summary: s\n", "the pipeline lacks the key 'stages'"},
    {"stages twice", kMeaning, "stages: []\n@@stages: []\n", "the key 'stages' comes twice"},
    {"stages are a map", kForm, "stages:\n  @@pass: passes-x:simplify\n", "'stages' is a list of stages, not a map"},
    {"stages are text", kForm, "stages: @@passes-x:simplify\n",
     "'stages' is a list of stages, not 'passes-x:simplify'"},
    {"stages are nothing", kForm, "@@stages:\n", "'stages' is a list of stages, not nothing"},
    {"summary is a list", kForm, "summary: @@[s]\nstages: []\n", "'summary' takes text"},
    {"name is a map", kForm, "name: @@{a: b}\nstages: []\n", "'name' takes text"},
    {"a key that is a list", kText, "stages: []\n? @@[a]\n: b\n", "the pipeline has no key that is a list"},
    {"assumes is text", kForm, "assumes: @@blocks\nstages: []\n", "'assumes' takes a list of texts"},
    {"assumes a list of lists", kForm, "assumes: [@@[a]]\nstages: []\n", "an element of 'assumes' is a list"},
    // Stages
    {"a stage is a list", kForm, "stages:\n  - @@[passes-x:simplify]\n", "a stage is the name of a pass"},
    {"a stage is nothing", kForm, "stages:\n  - passes-x:simplify\n  @@-\n", "a stage is the name of a pass"},
    {"a stage is an empty map", kForm, "stages:\n  - @@{}\n", "a stage has one of the keys pass, include and slot"},
    {"a stage without a form", kForm, "stages:\n  - {@@options: {}}\n", "a stage has one of the keys"},
    {"a stage of two forms", kForm, "stages:\n  - {pass: passes-x:simplify, @@include: base}\n",
     "a stage has one of pass"},
    {"unknown key of a stage", kForm, "stages:\n  - {pass: passes-x:simplify, @@option: {}}\n",
     "a stage with a pass has no key 'option'"},
    {"options of an include", kForm, "stages:\n  - {include: base, @@options: {}}\n",
     "a stage that includes has no key 'options'"},
    {"options of a slot", kForm, "stages:\n  - {slot: s, @@options: {}}\n",
     "a stage that is a slot has no key 'options'"},
    {"pass is a list", kForm, "stages:\n  - {pass: @@[passes-x:simplify]}\n", "'pass' takes the name of a pass"},
    {"pass is empty", kMeaning, "stages:\n  - {pass: @@''}\n", "'pass' takes the name of a pass"},
    {"a key of a stage twice", kMeaning, "stages:\n  - {pass: passes-x:simplify, @@pass: passes-x:unroll}\n",
     "the key 'pass' comes twice"},
    {"maps that would be merged", kForm, "stages:\n  - {@@<<: {pass: passes-x:simplify}}\n",
     "a stage has one of the keys pass"},
    {"a stage without a space", kMeaning, "stages:\n  - @@pass:passes-x:simplify\n",
     "'pass:passes-x:simplify' is one word"},
    {"a pass with a space", kForm, "stages:\n  - @@passes-x: simplify\n", "a stage has one of the keys pass"},
    {"a pass as a key of its options", kForm, "stages:\n  - @@passes-x:simplify: {max_steps: 3}\n",
     "a stage has one of the keys pass"},
    // Names of passes
    {"options in braces", kMeaning, "stages:\n  - @@'passes-x:simplify{max_steps: 3}'\n",
     "the plugin 'passes-x' has no pass 'simplify{max_steps: 3}'"},
    {"unknown plugin", kMeaning, "stages:\n  - @@pass-x:simplify\n", "there is no plugin 'pass-x'"},
    {"unknown pass", kMeaning, "stages:\n  - @@passes-x:simplfy\n", "the plugin 'passes-x' has no pass 'simplfy'"},
    {"a pass without its plugin", kMeaning, "stages:\n  - @@simplify\n", "'simplify' is not the full name of a pass"},
    {"a plugin without a pass", kMeaning, "stages:\n  - @@'passes-x:'\n", "'passes-x:' is not the full name"},
    {"a broken plugin", kMeaning, "stages:\n  - @@broken:tidy\n", "the plugin 'broken' cannot be used"},
    // Options
    {"options are a list", kForm, "stages:\n  - {pass: passes-x:simplify, options: @@[max_steps]}\n",
     "'options' is a map"},
    {"unknown option", kMeaning, "stages:\n  - pass: passes-x:simplify\n    options: {@@max_step: 3}\n",
     "pass passes-x:simplify has no option 'max_step'"},
    {"an integer is due", kMeaning, "stages:\n  - {pass: passes-x:simplify, options: {max_steps: @@many}}\n",
     "option 'max_steps' of pass passes-x:simplify takes an integer, not a string"},
    {"an integer with a point", kMeaning, "stages:\n  - {pass: passes-x:simplify, options: {max_steps: @@2.0}}\n",
     "option 'max_steps' of pass passes-x:simplify takes an integer, not a number (2.0)"},
    {"options by an alias, of another pass", kMeaning,
     "stages:\n  - {pass: passes-x:simplify, options: &o {max_steps: 3}}\n  - {pass: passes-x:unroll, options: @@*o}\n",
     "pass passes-x:unroll has no option 'max_steps'"},
    {"a boolean is due", kMeaning, "stages:\n  - {pass: passes-x:simplify, options: {fast: @@1}}\n",
     "option 'fast' of pass passes-x:simplify takes true or false"},
    {"a number is due", kMeaning, "stages:\n  - {pass: passes-x:unroll, options: {scale: @@'1.5'}}\n",
     "option 'scale' of pass passes-x:unroll takes a number"},
    {"a list is due", kMeaning, "stages:\n  - {pass: passes-x:unroll, options: {names: @@a}}\n",
     "option 'names' of pass passes-x:unroll takes a list"},
    {"a map is due", kMeaning, "stages:\n  - {pass: passes-x:unroll, options: {by: @@[a]}}\n",
     "option 'by' of pass passes-x:unroll takes a map"},
    {"not one of the choices", kMeaning, "stages:\n  - {pass: passes-x:unroll, options: {mode: @@c}}\n",
     "option 'mode' of pass passes-x:unroll takes one of"},
    {"nothing for an option", kMeaning, "stages:\n  - {pass: passes-x:simplify, options: {max_steps: @@~}}\n",
     "option 'max_steps' of pass passes-x:simplify takes an integer, not nothing"},
    {"a required option is missing", kMeaning, "stages:\n  - @@passes-x:tile\n",
     "pass passes-x:tile needs the option 'size'"},
    {"an option twice", kMeaning, "stages:\n  - {pass: passes-x:unroll, options: {mode: a, @@mode: b}}\n",
     "the key 'mode' comes twice"},
    {"a number too large", kMeaning,
     "stages:\n  - {pass: passes-x:simplify, options: {max_steps: @@99999999999999999999}}\n",
     "the integer 99999999999999999999 does not fit"},
    {"the name of an option is a list", kText, "stages:\n  - {pass: passes-x:unroll, options: {@@[a]: b}}\n",
     "a key is a list, not a name"},
    // Includes
    {"a file that is not there", kMeaning, "stages:\n  - {include: @@comon.yaml}\n=== common.yaml\nstages: []\n",
     "there is no file"},
    {"a folder", kMeaning, "stages:\n  - {include: @@./plugins}\n", "the included file"},
    {"an absolute path", kMeaning, "stages:\n  - {include: @@/etc/passwd.yaml}\n", "an include is relative"},
    {"includes itself", kMeaning, "stages:\n  - {include: @@p.yaml}\n", "the includes go in a circle"},
    {"two that include each other", kMeaning,
     "stages:\n  - {include: q.yaml}\n=== q.yaml\nstages:\n  - {include: @@p.yaml}\n",
     "the includes go in a circle: p.yaml includes q.yaml includes p.yaml"},
    {"a name that is not there", kMeaning, "stages:\n  - {include: @@bas}\n", "there is no pipeline 'bas'"},
    {"a name that includes itself", kMeaning,
     "stages: [{include: circle}]\n=== plugins.yaml\n"
     "pipelines:\n  circle:\n    stages: [{include: @@circle}]\n",
     "the includes go in a circle"},
    {"a wrong pass in an included file", kMeaning,
     "stages:\n  - {include: sub/q.yaml}\n=== sub/q.yaml\nstages:\n  - passes-x:simplify\n  - @@passes-x:simplfy\n",
     "the plugin 'passes-x' has no pass 'simplfy'"},
    {"an included file in UTF-16", kMeaning, "stages:\n  - {include: @@q.yaml}\n=== q.yaml\n\xff\xfes\n",
     "the file is UTF-16 text (q.yaml)"},
    {"an included file that is no YAML", kMeaning, "stages:\n  - {include: q.yaml}\n=== q.yaml\nstages: @@[\n",
     "not legal YAML"},
    {"include is a map", kForm, "stages:\n  - {include: @@{file: q.yaml}}\n", "'include' takes a file"},
    // Conditions
    {"a condition is text", kForm, "stages:\n  - {pass: passes-x:simplify, when: @@cpu}\n", "'when' is a map"},
    {"unknown key of a condition", kForm, "stages:\n  - {pass: passes-x:simplify, when: {@@target: cpu}}\n",
     "'when' has no key 'target'"},
    {"an empty condition", kForm, "stages:\n  - {pass: passes-x:simplify, when: @@{}}\n", "'when' says nothing"},
    {"a kind misspelt", kMeaning, "stages:\n  - {pass: passes-x:simplify, when: {kind: @@cudaa}}\n",
     "there is no target kind 'cudaa'"},
    {"an unknown architecture", kMeaning, "stages:\n  - {pass: passes-x:simplify, when: {arch: @@x86}}\n",
     "there is no CPU architecture 'x86'"},
    {"an unknown feature", kMeaning, "stages:\n  - {pass: passes-x:simplify, when: {features: [fma, @@avx22]}}\n",
     "there is no CPU feature 'avx22'"},
    {"a part of a feature's name", kMeaning,
     "stages:\n  - {pass: passes-x:simplify, when: {features: @@unaligned-mem}}\n",
     "there is no CPU feature 'unaligned-mem'"},
    {"a feature with a sign", kMeaning, "stages:\n  - {pass: passes-x:simplify, when: {features: [@@-avx2]}}\n",
     "'-avx2' is not the name of a feature"},
    {"features in one word", kMeaning, "stages:\n  - {pass: passes-x:simplify, when: {features: @@'avx2,fma'}}\n",
     "'avx2,fma' is no word"},
    {"features are a map", kForm, "stages:\n  - {pass: passes-x:simplify, when: {features: @@{avx2: true}}}\n",
     "'features' takes a word or a list of words"},
    {"a kind is a number", kForm, "stages:\n  - {pass: passes-x:simplify, when: {kind: @@5}}\n",
     "'kind' takes a word or a list of words, not '5'"},
    {"an architecture is a boolean", kForm, "stages:\n  - {pass: passes-x:simplify, when: {arch: [x86_64, @@true]}}\n",
     "'arch' takes a word or a list of words, not 'true'"},
    {"no kinds at all", kForm, "stages:\n  - {pass: passes-x:simplify, when: {kind: @@[]}}\n",
     "'kind' takes a word or a list"},
    {"any is a map", kForm, "stages:\n  - {pass: passes-x:simplify, when: {any: @@{kind: cpu}}}\n",
     "'any' takes a list"},
    {"any of nothing", kForm, "stages:\n  - {pass: passes-x:simplify, when: {any: @@[]}}\n", "'any' takes a list"},
    {"a wrong key in not", kForm, "stages:\n  - {pass: passes-x:simplify, when: {not: {@@kinds: cpu}}}\n",
     "'not' has no key 'kinds'"},
    {"a wrong pass for another target", kMeaning, "stages:\n  - {pass: @@passes-x:simplfy, when: {kind: cuda}}\n",
     "the plugin 'passes-x' has no pass 'simplfy'"},
    {"a wrong option for another target", kMeaning,
     "stages:\n  - {pass: passes-x:simplify, options: {max_steps: @@x}, when: {not: {kind: cpu}}}\n",
     "option 'max_steps'"},
    // Slots
    {"the name of a slot", kForm, "stages:\n  - {slot: @@After fusion}\n", "'After fusion' is not the name of a slot"},
    {"a slot twice", kMeaning, "stages:\n  - {slot: a}\n  - {slot: @@a}\n", "the slot 'a' is in the pipeline already"},
    {"a pipeline with slots included twice", kMeaning, "stages: [{include: base}, {include: @@base}]\n",
     "what this includes is in the pipeline already, and its slot 'middle'"},
    {"the level of a slot", kForm, "stages:\n  - {slot: a, level: @@loops}\n", "'level' takes one of graph, loop"},
    {"a slot that is not there", kMeaning, "stages: [{slot: middle}]\nslots:\n  @@midle: []\n",
     "the pipeline 'p' has no slot 'midle' to fill"},
    {"a slot of an include that is not there", kMeaning, "stages: [{include: base}]\nslots: {@@start: []}\n",
     "the pipeline 'p' has no slot 'start' to fill"},
    {"a slot in a slot", kForm, "stages: [{slot: a}]\nslots: {a: [{slot: @@b}]}\n",
     "a slot cannot be filled with a slot"},
    {"a slot filled with text", kForm, "stages: [{slot: a}]\nslots: {a: @@passes-x:simplify}\n",
     "the slot 'a' is a list of stages"},
    {"a slot filled with nothing", kForm, "stages: [{slot: a}]\nslots: {@@a: }\n",
     "the slot 'a' is a list of stages, not nothing"},
    {"slots are a list", kForm, "stages: [{slot: a}]\nslots: @@[a]\n", "'slots' is a map from slots to lists"},
    {"a slot filled in two places of a file", kMeaning, "stages: [{slot: a}]\nslots: {a: [], @@a: []}\n",
     "the slot 'a' comes twice"},
    {"a pass of another level in a slot", kMeaning,
     "stages: [{include: base}]\nslots: {middle: [@@passes-x:canonical]}\n",
     "passes-x:canonical is of level graph, and the slot 'middle' takes passes of level loop"},
    {"an unknown pass in a slot", kMeaning, "stages: [{include: base}]\nslots: {end: [@@passes-x:simplfy]}\n",
     "the plugin 'passes-x' has no pass 'simplfy'"},
    {"a line of plugins.yaml for no slot", kMeaning,
     "stages: [{include: cpu}]\n=== plugins.yaml\npipelines:\n  cpu: {stages: [{slot: last}]}\nslots:\n  cpu: {@@lst: "
     "[]}\n",
     "the pipeline 'cpu' has no slot 'lst' to fill"},
    {"an unknown plugin in plugins.yaml", kMeaning,
     "stages: [{include: cpu}]\n=== plugins.yaml\npipelines:\n  cpu: {stages: [{slot: last}]}\nslots:\n"
     "  cpu:\n    last:\n      - @@com.vendor:tidy\n",
     "there is no plugin 'com.vendor'"},
    {"a circle in a slot", kMeaning, "stages: [{slot: a}]\nslots:\n  a: [@@passes-x:egg, passes-x:hen]\n",
     "what fills the slot 'a' has no order"},
    // How passes fit together
    {"required, provided too late", kMeaning, "stages:\n  - @@passes-x:match\n  - passes-x:canonical\n",
     "passes-x:match requires 'x.canonical', which no stage before it provides"},
    {"required, never provided", kMeaning, "stages:\n  - @@passes-x:match\n", "passes-x:match requires 'x.canonical'"},
    {"required, nobody can provide it", kMeaning, "stages:\n  - passes-x:simplify\n  - @@passes-x:measure\n",
     "passes-x:measure requires 'x.measurable'"},
    {"required, taken away", kMeaning, "stages:\n  - passes-x:canonical\n  - passes-x:scramble\n  - @@passes-x:match\n",
     "passes-x:match requires 'x.canonical', which stage 2, passes-x:scramble"},
    {"required, provided for another target", kMeaning,
     "stages:\n  - {pass: passes-x:canonical, when: {kind: cuda}}\n  - @@passes-x:match\n",
     "passes-x:match requires 'x.canonical'"},
    {"a graph pass where no graph is left", kMeaning, "stages:\n  - passes-x:lower\n  - @@passes-x:canonical\n",
     "passes-x:canonical works on graph functions, of which stage 1, passes-x:lower"},
    {"blocks that are gone", kMeaning,
     "stages:\n  - passes-x:flatten\n  - {pass: @@passes-x:tile, options: {size: 8}}\n",
     "passes-x:tile requires 'blocks', which stage 1"},
    {"after", kMeaning, "stages:\n  - @@passes-x:second\n  - passes-x:first\n",
     "passes-x:second must come after stage 2, passes-x:first"},
    {"before", kMeaning, "stages:\n  - passes-x:third\n  - @@passes-x:first\n",
     "passes-x:first must come before stage 1, passes-x:third"},
    {"after each other", kMeaning, "stages:\n  - @@passes-x:egg\n  - passes-x:hen\n",
     "passes-x:egg must come after stage 2, passes-x:hen"},
    {"order across an include", kMeaning, "stages:\n  - {include: base}\n  - @@passes-x:first\n",
     "passes-x:first must come before stage 2, passes-x:third"},
    {"assumes what nobody requires", kMeaning,
     "assumes: [@@x.canonicl]\nstages: [passes-x:canonical, passes-x:match]\n",
     "no stage of the pipeline requires 'x.canonicl'"},
};

// The schema's view of YAML: scalars as the reader of values takes them.
nlohmann::json json_of(const Yaml& node) {
  if (node.is_list()) {
    auto out = nlohmann::json::array();
    for (const Yaml& item : node.items) out.push_back(json_of(item));
    return out;
  }
  if (node.is_map()) {
    auto out = nlohmann::json::object();
    for (const auto& [key, value] : node.entries) out[key.text] = json_of(value);
    return out;
  }
  if (!node.is_scalar()) return nullptr;
  if (!node.quoted && (node.text == "true" || node.text == "false")) return node.text == "true";
  if (!node.quoted && !node.text.empty() && node.text.find_first_not_of("0123456789") == std::string::npos)
    return std::strtod(node.text.c_str(), nullptr);
  return node.text;
}

class PublishedSchema {
 public:
  PublishedSchema() {
    auto document = nlohmann::json::parse(read_file(TENON_SCHEMA_DIR "/pipeline.schema.json"));
    valijson::SchemaParser(valijson::SchemaParser::kDraft7)
        .populateSchema(valijson::adapters::NlohmannJsonAdapter(document), schema_);
  }
  bool accepts(const nlohmann::json& value) {
    return valijson::Validator().validate(schema_, valijson::adapters::NlohmannJsonAdapter(value), nullptr);
  }

 private:
  valijson::Schema schema_;
};

class WrongPipelines : public RegistryTest {
 protected:
  WrongPipelines() {
    write("plugins/passes-x/manifest.yaml", kManifest);
    write("plugins/broken/manifest.yaml", "id: broken\nversion: one\ntier: stable-c\nsummary: s\n");
  }
  // Writes the files of a text; the name of the one that holds the mark, and where.
  std::string lay_out(const std::string& text) {
    std::map<std::string, std::string> files{{"plugins.yaml", kConfig + 1}};
    std::string name = "p.yaml", rest = text;
    for (bool more = true; more;) {
      size_t at = rest.starts_with("=== ") ? 0 : rest.find("\n=== ");
      more = at != std::string::npos;
      files[name] = more ? rest.substr(0, at + 1) : rest;
      if (!more) break;
      rest = rest.substr(at + 5);
      size_t end = rest.find('\n');
      name = rest.substr(0, end);
      rest = rest.substr(end + 1);
    }
    std::string expected;
    for (auto& [file, content] : files) {
      if (size_t mark = content.find("@@"); mark != std::string::npos) {
        content.erase(mark, 2);
        std::string before = content.substr(0, mark);
        size_t line_start = before.rfind('\n') == std::string::npos ? 0 : before.rfind('\n') + 1;
        expected = file + ":" + std::to_string(std::count(before.begin(), before.end(), '\n') + 1) + ":" +
                   std::to_string(characters_before(before.substr(line_start), before.size()) + 1);
      }
      write(file, content);
    }
    return expected;
  }
  PipelineResult check() {
    Registry registry(b_, {{path("plugins")}, path("plugins.yaml"), false}, nullptr);
    return registry.pipeline(path("p.yaml"), parse_target(b_, "cpu:+avx2,+fma"));
  }
};

TEST_F(WrongPipelines, AreRefusedWhereTheyAreWrong) {
  std::set<std::string> causes;
  PublishedSchema schema;
  for (const Wrong& w : kWrong) {
    SCOPED_TRACE(w.cause);
    EXPECT_TRUE(causes.insert(w.cause).second) << "the cause is counted twice";
    std::string expected = lay_out(w.text);
    ASSERT_NE(expected, "");
    PipelineResult r = check();
    ASSERT_FALSE(r.complaints.empty()) << w.text;
    std::string said = lines({r.complaints[0]});
    EXPECT_TRUE(said.starts_with(expected + " " + w.message))
        << "expected: " << expected << " " << w.message << "\nsaid:     " << lines(r.complaints);
    if (w.form == kText) continue;
    EXPECT_EQ(schema.accepts(json_of(read_yaml(path("p.yaml")))), w.form == kMeaning) << "the schema disagrees";
  }
  EXPECT_GE(causes.size(), 50u);
  std::printf("%zu wrong pipelines, each refused at its line and column\n", causes.size());
}

TEST_F(WrongPipelines, LinksAndPipesAreNoWayAroundTheRules) {
  namespace fs = std::filesystem;
  auto first = [&](const std::string& text) {
    lay_out(text);
    return lines({check().complaints.at(0)});
  };
  fs::create_symlink("p.yaml", path("link.yaml"));
  fs::create_directory_symlink(".", path("loop"));
  fs::create_symlink("nowhere.yaml", path("dangling.yaml"));
  ASSERT_EQ(mkfifo(path("pipe.yaml").c_str(), 0600), 0);
  EXPECT_TRUE(first("stages: [{include: link.yaml}]\n").starts_with("p.yaml:1:20 the includes go in a circle"));
  EXPECT_TRUE(first("stages: [{include: loop/p.yaml}]\n").starts_with("p.yaml:1:20 the includes go in a circle"));
  EXPECT_TRUE(first("stages: [{include: dangling.yaml}]\n").find("leads to no file to include") != std::string::npos);
  EXPECT_TRUE(first("stages: [{include: pipe.yaml}]\n").find("is no regular file") != std::string::npos);
  Registry registry(b_, {{path("plugins")}, path("plugins.yaml"), false}, nullptr);
  EXPECT_TRUE(
      lines(registry.pipeline(path("pipe.yaml"), parse_target(b_, "cpu")).complaints).find("it is no regular file") !=
      std::string::npos);
}

TEST_F(WrongPipelines, ConfigurationsAreRefusedWhereTheyAreWrong) {
  const std::pair<const char*, const char*> rows[] = {
      {"plugins: [passes-x, @@passes-x]\n", "the plugin 'passes-x' comes twice"},
      {"plugins: [@@./passes-x.so]\n", "'./passes-x.so' is not the id of a plugin"},
      {"plugins: [@@'']\n", "'' is not the id of a plugin"},
      {"pipelines: {@@a.yaml: {stages: []}}\n", "'a.yaml' cannot be the name of a pipeline"},
      {"pipelines: {@@a/b: {stages: []}}\n", "'a/b' cannot be the name of a pipeline"},
      {"pipelines: {@@none: {stages: []}}\n", "'none' cannot be the name of a pipeline"},
      {"pipelines: {@@'': {stages: []}}\n", "'' cannot be the name of a pipeline"},
      {"slots: {? @@[cpu] : {last: []}}\n", "the name of a pipeline is a list"},
      {"slots: {@@last: [passes-x:simplify]}\n", "there is no pipeline 'last'"},
      {"plugins: [passes-x]\n@@plugins: []\n", "the key 'plugins' comes twice"},
      {"pipelines: @@[cpu]\n", "'pipelines' is a map from names to pipelines"},
      {"isolation: @@yes\n", "'isolation' is a map of keys and values"}};
  for (const auto& [text, message] : rows) {
    SCOPED_TRACE(text);
    std::string expected = lay_out(std::string("stages: []\n=== plugins.yaml\n") + text);
    try {
      check();
      ADD_FAILURE() << "it was read";
    } catch (const Error& e) {
      std::string said = lines({e});
      EXPECT_TRUE(said.starts_with(expected + " " + message)) << said;
      EXPECT_NE(e.hint, "");
    }
  }
}

TEST_F(WrongPipelines, GrowAsLittleAsTheyNest) {
  // Sixteen files that include the next one twice: 65,536 stages.
  lay_out("stages: []\n");
  write("p.yaml", "stages: [{include: f0.yaml}]\n");
  for (int i = 0; i < 14; ++i) {
    std::string next = "{include: f" + std::to_string(i + 1) + ".yaml}";
    write("f" + std::to_string(i) + ".yaml", "stages: [" + next + ", " + next + "]\n");
  }
  write("f14.yaml", "stages: [passes-x:simplify]\n");
  EXPECT_TRUE(lines(check().complaints).find("more than 4096 stages") != std::string::npos);
  for (int i = 0; i < 20; ++i)
    write("f" + std::to_string(i) + ".yaml", "stages: [{include: f" + std::to_string(i + 1) + ".yaml}]\n");
  EXPECT_TRUE(lines(check().complaints).find("more than 16 includes") != std::string::npos);
}

}  // namespace
}  // namespace tenon
