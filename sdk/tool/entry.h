// A function of a module as something to call: its parameters, and the values for them.
#ifndef TENON_TOOL_ENTRY_H
#define TENON_TOOL_ENTRY_H

#include <tenon/compiler_session.h>

#include <map>
#include <string>
#include <vector>

namespace tenon::tool {

struct EntryParam {
  std::string name;
  bool is_tensor = false;
  DLDataType dtype{0, 0, 0};
  std::vector<Node> shape;  // of a tensor; expressions over the function's symbols
  Node symbol;              // of a scalar that is a symbol of shapes
  bool written = false;     // by a loop function: an output, unless it is given as an input
};

struct Entry {
  std::string name;
  bool returns = false;  // a graph function; a loop function writes into its parameters
  std::vector<EntryParam> params;
};

// The public function of this name; for "", the one called main or the only one there is.
Entry find_entry(const Builder& b, const Node& module, const std::string& name);

// The same of an artifact, from its index (TnRuntime.artifact_open).
Entry find_artifact_entry(const CompilerSession& session, const Map& index, const std::string& name);

// What a command line says about the parameters.
struct EntryInputs {
  std::map<std::string, std::string>
      values;                           // NAME -> FILE.npy, random:SEED[:LOW:HIGH], or a number; "" for all others
  std::map<std::string, int64_t> dims;  // symbol -> extent
};
EntryInputs parse_inputs(const std::vector<std::string>& inputs, const std::vector<std::string>& dims);

// One value per parameter. Tensors that are written and not given are made, filled with zero.
struct EntryArguments {
  std::vector<Value> values;
  std::vector<size_t> outputs;  // the parameters that are written
};
EntryArguments make_arguments(const Builder& b, const Entry& entry, const EntryInputs& inputs);

}  // namespace tenon::tool
#endif
