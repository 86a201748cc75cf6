#include "meaning.h"

namespace tenon::conformance {

bool needs_interpreter(const Subject& s, Findings& f) {
  if (s.has_plugin(kInterpreter)) return true;
  f.skip("the interpreter, the plugin eval-interp, is not installed");
  return false;
}

// The pipeline of the session's target.
Node lowered(const Subject& s, const Node& module) {
  std::string kind(s.session().target().find("kind")->as_string());
  return as_node(*s.session().run_pipeline(module, s.b().string(kind), Value()).find("module"));
}

Node through(const Subject& s, const Node& module, const std::vector<std::string>& passes) {
  std::vector<Value> stages;
  for (const std::string& p : passes) stages.push_back(s.b().string(p));
  return as_node(*s.session().run_pipeline(module, s.b().array(stages), Value()).find("module"));
}

std::vector<Value> outcome_in(const Subject& s, const std::string& executor, const Node& module,
                              const std::vector<Value>& inputs) {
  Map functions = s.session().load(module, executor, Value());
  const Value* main = functions.find("main");
  if (!main) throw Error(TN_ERROR_PLUGIN, "the executor did not make main callable");
  return outcome_of(s.b(), *main, inputs);
}

bool is_bug(const Error& e) {
  return e.code == TN_ERROR_PLUGIN || e.code == TN_ERROR_INTERNAL || e.code == TN_ERROR_VERIFY ||
         e.code == TN_ERROR_CORRUPT;
}

std::string counts(size_t right, size_t refused) {
  return std::to_string(right) + " right, " + std::to_string(refused) + " refused";
}

}  // namespace tenon::conformance
