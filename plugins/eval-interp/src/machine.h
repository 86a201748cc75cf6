// Running a program: the state of one call from outside, and the errors that instructions raise.
#ifndef TENON_INTERP_MACHINE_H
#define TENON_INTERP_MACHINE_H

#include "program.h"

namespace tenon::interp {

// The state of one call from outside and of all that it calls; belongs to one thread.
struct Machine {
  const Program& program;
  int64_t steps_left;
  int64_t bytes_left;
  int32_t depth;
};

struct Allocation {
  void* memory;
  int64_t bytes;
  int64_t values;  // how many TnValues lie in it, which it owns
};

// One running function.
struct Activation {
  Machine& machine;
  const Code& code;
  Allocation* allocations;
  Value* slots;
  Value* result;
};

// Checks the arguments against the signature and runs the function; its result is none unless it returns one. Throws
// what went wrong.
Value enter(Machine& machine, const Code& code, const TnValue* args, int32_t n);

// The tensor of an argument that check_arguments has accepted.
const DLTensor& tensor_of(const TnValue& value);

// Fails at an instruction: the error names the place and the function.
[[noreturn]] void fail(const Activation& act, const Instr* i, int32_t code, const std::string& message,
                       const std::string& hint = {});
[[noreturn]] void fail_index(const Activation& act, const Instr* i, uint32_t dim, int64_t index, int64_t extent);
[[noreturn]] void fail_steps(const Activation& act, const Instr* i);
// The name of what an instruction is about, in quotes.
std::string subject_name(const Activation& act, const Instr* i);

inline void count_step(const Activation& act, const Instr* i) {
  if (--act.machine.steps_left < 0) fail_steps(act, i);
}

inline const Instr* jump(const Instr* i) { return i + static_cast<int32_t>(i->f); }

}  // namespace tenon::interp
#endif
