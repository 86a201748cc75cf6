// The slots that can be called in another process: for each, the call as the worker makes it, and the table that stands
// in for the plugin's in the host. A capability that is not here runs in the process that uses it.
#ifndef TENON_REGISTRY_WORKER_SLOTS_H
#define TENON_REGISTRY_WORKER_SLOTS_H

#include <functional>
#include <string_view>
#include <vector>

#include "tenon/cxx/builder.h"
#include "tenon/ext/context.h"

namespace tenon::worker {

// Asks whoever made the call: {question, arguments...}. Throws what they throw.
using Ask = std::function<Value(const Array& question)>;

struct Invocation {
  const void* table;
  void* instance;
  const TnContext* context;
  const Array& args;
  const Builder& b;
  const Ask& ask;
};

struct SlotRow {
  const char* capability;
  const char* name;
  Value (*invoke)(const Invocation&);
};
// Null when there is none of the number.
const SlotRow* slot_row(int64_t number);

// A call as the host's stand-in makes it.
struct Request {
  int64_t slot;
  std::vector<Value> args;
  std::string what;  // the pass, the operator, the function: for messages
  const TnContext* context;
  Ask answer;  // what the slot may ask besides what every context offers; may be empty
};

// What the tables that stand in take as their instance.
class Forwarder {
 public:
  virtual ~Forwarder() = default;
  virtual Value forward(Request request) = 0;
  virtual const Builder& builder() const = 0;
  virtual Value pack(const Value& value) = 0;  // a tensor becomes something that can be sent
};

// The table of a capability whose instances are Forwarders; null for one that cannot be isolated.
const void* forwarding_table(std::string_view capability);

}  // namespace tenon::worker
#endif
