// The modules that plugins are run on: small programs of both levels, random arithmetic, and the states that the
// installed default pipeline takes them through.
#ifndef TENON_CONFORMANCE_CORPUS_H
#define TENON_CONFORMANCE_CORPUS_H

#include <map>

#include "subject.h"

namespace tenon::conformance {

struct Program {
  std::string name;
  Node module;
};

std::vector<Program> graph_programs(const Subject& subject);
std::vector<Program> loop_programs(const Subject& subject);
// Functions of float32 tensors of one shape over add, subtract, multiply and maximum; `rich` uses other operators too.
Program random_program(const Subject& subject, uint64_t seed, bool rich);
// Those samples of the user's that are modules (.py).
std::vector<Program> sample_programs(const Subject& subject);

// The module after each pass of the pipeline for the session's target, by the name of the pass; empty when there is
// none.
std::vector<Program> states_of(const Subject& subject, const Program& program);

// One value a parameter of a function, written ones included. The same arguments give the same values everywhere.
std::vector<Value> make_inputs(const Builder& b, const Node& function, int64_t symbol_size = 5);
// Calls it on copies of the inputs: the result, then every parameter.
std::vector<Value> outcome_of(const Builder& b, const Value& function, const std::vector<Value>& inputs);
// What differs first; "" when two outcomes agree within the rounding of their dtypes.
std::string difference(const std::vector<Value>& due, const std::vector<Value>& got);

Node main_of(const Node& module);
Value copy_of(const Builder& b, const Value& v);

}  // namespace tenon::conformance
#endif
