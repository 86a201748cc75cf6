// Running modules: what the checks of meaning compare.
#ifndef TENON_CONFORMANCE_MEANING_H
#define TENON_CONFORMANCE_MEANING_H

#include "corpus.h"

namespace tenon::conformance {

constexpr const char* kInterpreter = "eval-interp";

// Skips the check where the interpreter is not installed.
bool needs_interpreter(const Subject& s, Findings& f);
// The module after the pipeline of the session's target.
Node lowered(const Subject& s, const Node& module);
Node through(const Subject& s, const Node& module, const std::vector<std::string>& passes);
std::vector<Value> outcome_in(const Subject& s, const std::string& executor, const Node& module,
                              const std::vector<Value>& inputs);
// An error that no input of the kit's explains.
bool is_bug(const Error& e);
std::string counts(size_t right, size_t refused);

}  // namespace tenon::conformance
#endif
