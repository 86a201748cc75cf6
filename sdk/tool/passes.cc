#include "passes.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "diag/files.h"
#include "diag/utf8.h"

namespace tenon::tool {

namespace {

// The number at the start of a dump's file name ("003-passes-loop-simplify.py"), or -1.
long dump_number(const std::string& path) {
  std::string name = path.substr(path.rfind('/') + 1);
  size_t digits = name.find_first_not_of("0123456789");
  if (digits == 0 || digits == std::string::npos || digits > 9 || name[digits] != '-') return -1;
  return std::stol(name);
}

void show_records(const Value& records) {
  for (const Value& v : records.ref<Array>()) {
    const Map& r = v.ref<Map>();
    const char* what = r.find("disabled")->as_bool()  ? "left out"
                       : r.find("changed")->as_bool() ? "changed"
                                                      : "changed nothing";
    std::fprintf(stderr, "%03d %-36s %10.3f ms  %s\n", static_cast<int>(r.find("number")->as_int()),
                 std::string(r.find("pass")->as_string()).c_str(), r.find("milliseconds")->as_float(), what);
  }
}

// What --check-each ran, and what it could not.
void show_check(const Map& check) {
  auto number = [&](const char* key) { return static_cast<long long>(check.find(key)->as_int()); };
  const Array& not_checked = check.find("not_checked")->ref<Array>();
  for (const Value& v : not_checked)
    std::fprintf(stderr, "not checked: %s, %s\n", std::string(v.ref<Map>().find("pass")->as_string()).c_str(),
                 std::string(v.ref<Map>().find("kind")->as_string()).c_str());
  size_t inputs = check.find("inputs")->ref<Array>().size();
  std::fprintf(stderr, "checked %lld of %lld states on %zu set%s of inputs%s; not checked: %zu\n", number("checked"),
               number("states"), inputs, inputs == 1 ? "" : "s", inputs ? ": they compute the same" : "",
               not_checked.size());
}

}  // namespace

namespace {

// main.lv: relax.nn.conv2d -> com.vendor.npu as conv_choice when n <= 64, else host: why
void show_report(const Value& facts) {
  for (const Value& v : facts.ref<Array>()) {
    const Map& fact = v.ref<Map>();
    if (fact.find("topic")->as_string() != "placement") continue;
    const Map& data = fact.find("data")->ref<Map>();
    auto text = [&](const char* key) {
      const Value* t = data.find(key);
      return t && t->is_string() ? std::string(t->as_string()) : std::string();
    };
    std::string to = text("to").empty() ? "host" : text("to");
    if (!text("as").empty()) to += " as " + text("as");
    if (!text("when").empty()) to += " when " + text("when") + ", else host";
    std::string at = text("where").empty() ? text("function") + "." + text("value") : text("where");
    const std::string line = at + ": " + text("operator") + " -> " + to;
    std::fprintf(stderr, "%s\n", printable(line + (text("reason").empty() ? "" : ": " + text("reason"))).c_str());
  }
}

}  // namespace

void PassOptions::add_to(Command& app) {
  app.add_option("--constant", constants, "an input of the model that is a constant; repeatable")
      .type_name("NAME=FILE.npy");
  app.add_option("--pass", passes, "a pass PLUGIN:PASS or PLUGIN:PASS{option: value}; repeatable").type_name("PASS");
  app.add_option("--pipeline", pipeline, "a pipeline by name or file; 'none' for no pass").type_name("NAME|FILE");
  app.add_option("--dump-dir", dump_dir, "write the text of every state there").type_name("DIR");
  app.add_option("--stop-after", stop_after, "the last stage: PLUGIN:PASS, PLUGIN:PASS#2 or its number")
      .type_name("STAGE");
  app.add_option("--start-from", start_from, "the first stage, or the file of a dump to go on from")
      .type_name("STAGE|FILE");
  app.add_option("--disable", disable, "leave a pass out; repeatable").type_name("PASS");
  app.add_flag("--no-verify", no_verify, "do not verify after every pass");
  app.add_flag("--check-each", check_each, "run every state on generated inputs and compare it with the first");
  app.add_flag("--report", report, "list where each operator went, and why");
  app.add_flag("--no-fallback", no_fallback, "refuse what would stay on the host where the pipeline places operators");
  app.add_option("--instrument", instruments, "a plugin that looks on while passes run; repeatable")
      .type_name("PLUGIN");
  app.add_flag("-v,--verbose", verbose, "list the passes with their times on standard error");
}

std::string PassOptions::given() const {
  const std::pair<const char*, bool> rows[] = {{"--pass", !passes.empty()},
                                               {"--pipeline", !pipeline.empty()},
                                               {"--dump-dir", !dump_dir.empty()},
                                               {"--stop-after", !stop_after.empty()},
                                               {"--start-from", !start_from.empty()},
                                               {"--disable", !disable.empty()},
                                               {"--constant", !constants.empty()},
                                               {"--no-verify", no_verify},
                                               {"--check-each", check_each},
                                               {"--no-fallback", no_fallback},
                                               {"--report", report},
                                               {"--instrument", !instruments.empty()}};
  for (const auto& [name, is_given] : rows)
    if (is_given) return name;
  return "";
}

Json with_check(Json report, const PassesResult& result) {
  if (result.facts.is_array() && !result.facts.ref<Array>().empty()) report["facts"] = to_json(result.facts);
  if (!result.check.is_none()) report["check"] = to_json(result.check);
  return report;
}

PassesResult run_passes(const CompilerSession& session, const Common& common, const PassOptions& o,
                        const std::string& path, const std::string& default_pipeline) {
  const Builder& b = session.builder();
  if (!o.passes.empty() && !o.pipeline.empty())
    throw UsageError("--pass and --pipeline exclude each other", "put the passes into the pipeline's file");
  std::string source = path, start_from = o.start_from;
  std::string pipeline = !o.pipeline.empty() ? o.pipeline : o.passes.empty() ? default_pipeline : "";
  std::vector<Value> stages, disabled;
  for (const std::string& pass : o.passes) stages.push_back(b.string(pass));
  for (const std::string& pass : o.disable) disabled.push_back(b.string(pass));
  bool named = o.locked.is_none() && !pipeline.empty() && pipeline != "none";
  Value plan = !o.locked.is_none() ? o.locked : named ? b.string(pipeline) : Value(b.array(stages));
  bool nothing_left = false;
  if (is_regular_file(o.start_from)) {
    long number = dump_number(o.start_from);
    if (number < 0)
      throw UsageError("the name of '" + o.start_from + "' does not begin with the number of a stage",
                       "name a file that --dump-dir wrote, such as 003-passes-loop-simplify.py");
    source = o.start_from;
    start_from = std::to_string(number + 1);
    Array all = named ? session.pipeline(pipeline).find("stages")->ref<Array>() : plan.ref<Array>();
    nothing_left = static_cast<size_t>(number) >= all.size();
  }
  Node module = read_module(session, source, o.constants);
  if (nothing_left || (plan.is_array() && plan.ref<Array>().empty())) {
    if (!o.no_verify) session.verify(module);
    return {module, module, b.array({}), plan, Value(), Value()};
  }
  Builder::Entries options{{"verify", Value(!o.no_verify)}, {"disable", b.array(disabled)}};
  if (!o.dump_dir.empty()) options.emplace_back("dump_dir", b.string(o.dump_dir));
  if (!o.stop_after.empty()) options.emplace_back("stop_after", b.string(o.stop_after));
  if (!start_from.empty()) options.emplace_back("start_from", b.string(start_from));
  if (o.no_fallback) options.emplace_back("fallback", Value(false));
  if (!o.instruments.empty()) {
    std::vector<Value> ids;
    for (const std::string& id : o.instruments) ids.push_back(b.string(id));
    options.emplace_back("instruments", b.array(ids));
  }
  if (o.check_each) options.emplace_back("check_each", Value(true));
  try {
    Map result = session.run_pipeline(module, plan, b.map(options));
    show_diagnostics(session.diagnostics(), common.json);
    if (o.verbose) show_records(*result.find("passes"));
    const Value& facts = *result.find("facts");
    if (o.report && !common.json) show_report(facts);
    const Value* check = result.find("check");
    if (check && !common.json) show_check(check->ref<Map>());
    return {module, as_node(*result.find("module")), *result.find("passes"), plan, facts, check ? *check : Value()};
  } catch (const Error&) {
    show_diagnostics(session.diagnostics(), common.json);
    throw;
  }
}

}  // namespace tenon::tool
