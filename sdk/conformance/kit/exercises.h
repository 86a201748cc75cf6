// For each capability, ways to call its slots that a plugin must stand: what the checks of all plugins repeat, run at
// once, watch and compare.
#ifndef TENON_CONFORMANCE_EXERCISES_H
#define TENON_CONFORMANCE_EXERCISES_H

#include "corpus.h"

namespace tenon::conformance {

struct Exercise {
  std::string name;
  bool concurrent;  // may run at the same time as others on one instance
  // Throws Error when the plugin refuses, Violation when it breaks a rule.
  std::function<Value(Instance&)> run;
  // What it borrows: their references are counted.
  std::vector<Value> arguments;
};

// `few`: for checks that run each many times.
std::vector<Exercise> exercises(const Subject& subject, bool few);
// Calls with what no host should give, but a plugin must refuse with an error: other kinds of nodes, empty modules,
// unknown names, options that are missing.
std::vector<Exercise> wrong_calls(const Subject& subject);
// The same of partitioners, kinds, instruments and converters (exercises_extension.cc), and of devices and loaders
// (exercises_device.cc).
void add_extension_exercises(std::vector<Exercise>& out, const Subject& subject, bool few);
void add_extension_wrong_calls(std::vector<Exercise>& out, const Subject& subject);
void add_device_exercises(std::vector<Exercise>& out, const Subject& subject, bool few);
void add_device_wrong_calls(std::vector<Exercise>& out, const Subject& subject);
// A slot of a table, or the violation that it is missing.
template <class Table, class Slot>
auto need(const Table* t, Slot Table::* slot, const char* name) {
  if (t->size < sizeof(size_t) + sizeof(void*))
    throw Violation{"E5", "its table says a size of " + std::to_string(t->size)};
  if (!(t->*slot)) throw Violation{"E2", std::string("its table has no slot ") + name};
  return t->*slot;
}

// The legal calls again, with every option at values that its schema allows and nobody expects.
std::vector<Exercise> wild_options(const Subject& subject);

// Whether the manifest's row of an operator lists a function of it.
bool has_function(const Map& op, const char* name);
// Calls of an operator that its own infer_type accepts, by dtype.
struct OpCall {
  Node call;                 // typed
  std::vector<Node> params;  // its variables
};
// Throws the last refusal when there is none.
// `all`: what every argument is, in the words of its rows ("T4x6"); null: what it takes first.
OpCall make_op_call(Instance& instance, const Map& op, DLDataType dtype, const char* all = nullptr);

// The options of a schema at their defaults, one of them replaced.
Map default_options(const Builder& b, const Value* schemas, const std::string& name = "", const Value& value = {});

}  // namespace tenon::conformance
#endif
