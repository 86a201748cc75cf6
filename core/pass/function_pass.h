// Maps a function pass over the functions of its level, and puts the functions that it made into the module.
#ifndef TENON_PASS_FUNCTION_PASS_H
#define TENON_PASS_FUNCTION_PASS_H

#include <functional>
#include <string>

#include "pass/pipeline.h"

namespace tenon {

// The result of the pass for one function: the function, or an array {function, map from name hint to new function}.
using RunOnFunction = std::function<Value(const std::string& name, const Node& function)>;

// The module after the pass, the same node when nothing changed. New functions are named in the order of the module's
// functions: the hint when it is free, else hint_1, hint_2, ...; references to a hint in the returned functions follow.
// Throws TN_ERROR_PLUGIN for results that are not what TnPass.run_function may return.
Node map_functions(const Builder& b, const PassInfo& pass, const Node& module, const RunOnFunction& run);

// What a value is, for messages: the id of a node's kind, or "an integer".
std::string kind_text(const Builder& b, const Value& v);

// Whether passes of this level are run on the function.
bool is_of_level(Level level, const Node& function);

}  // namespace tenon
#endif
