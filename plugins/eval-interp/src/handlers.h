// The handlers of instructions, by what they do. Each comment gives the fields: d, a, b, c, e, f of Instr.
#ifndef TENON_INTERP_HANDLERS_H
#define TENON_INTERP_HANDLERS_H

#include "machine.h"

namespace tenon::interp {

// ---- arithmetic.cc: d = a op b on one lane. Null when the operation does not take the dtype.
Handler binary_handler(uint32_t kind, DLDataType operands);
Handler cast_handler(DLDataType to, DLDataType from);                      // d = a
Handler reinterpret_handler(DLDataType to, DLDataType from);               // d = a
const Instr* logical_not(const Instr* i, Scalar* r, Activation& act);      // d = !a
const Instr* select_value(const Instr* i, Scalar* r, Activation& act);     // d = a ? b : c
const Instr* move(const Instr* i, Scalar* r, Activation& act);             // d = a
const Instr* scalar_function(const Instr* i, Scalar* r, Activation& act);  // d = register a's function(b, c, e)

// ---- access.cc: one element of the buffer at a, indices b, c, e, f (`ndim` of them, at most kMaxDirect).
constexpr uint32_t kMaxDirect = 4;
Handler load_handler(DLDataType dtype, uint32_t ndim);   // d = element
Handler store_handler(DLDataType dtype, uint32_t ndim);  // element = d
Handler load_at_handler(DLDataType dtype);               // d = element number b of the buffer at a
Handler store_at_handler(DLDataType dtype);              // element number b of the buffer at a = d
// d = a + b * (stride at c + 1), b checked against the extent at c; dimension number e
const Instr* add_index(const Instr* i, Scalar* r, Activation& act);

// ---- control.cc
const Instr* jump_always(const Instr* i, Scalar* r, Activation& act);
const Instr* jump_if_false(const Instr* i, Scalar* r, Activation& act);   // unless a
const Instr* jump_if_true(const Instr* i, Scalar* r, Activation& act);    // if a
const Instr* jump_if_differ(const Instr* i, Scalar* r, Activation& act);  // if a != b
const Instr* loop_begin(const Instr* i, Scalar* r, Activation& act);      // d = a, c = a + b; out when b <= 0
const Instr* loop_next(const Instr* i, Scalar* r, Activation& act);       // ++d; back while d < a; one step
const Instr* jump_back(const Instr* i, Scalar* r, Activation& act);       // one step
const Instr* fail_assert(const Instr* i, Scalar* r, Activation& act);     // text number a
const Instr* check_domain(const Instr* i, Scalar* r, Activation& act);    // a in [b, b + c)
const Instr* check_equal(const Instr* i, Scalar* r, Activation& act);     // a == b, else text number c
const Instr* end_function(const Instr* i, Scalar* r, Activation& act);

// ---- memory.cc
// d = bytes of the buffer at a with b dimensions (a number) of elements of c bytes (a number); sets row-major strides
const Instr* lay_out(const Instr* i, Scalar* r, Activation& act);
const Instr* measure(const Instr* i, Scalar* r, Activation& act);  // the same with strides that are set already
// d and c = fresh memory of a bytes, allocation number b, float elements when e (both numbers)
const Instr* allocate(const Instr* i, Scalar* r, Activation& act);
// d = a + b elements of f bytes (a number); b elements and e bytes must lie within c bytes
const Instr* view_memory(const Instr* i, Scalar* r, Activation& act);
// d = e + a * (stride at c + 1) for the region [a, a + b) of the dimension at c; dimension number f
const Instr* add_region(const Instr* i, Scalar* r, Activation& act);
const Instr* offset_pointer(const Instr* i, Scalar* r, Activation& act);    // d = a + b * f bytes (f is a number)
const Instr* pointer_distance(const Instr* i, Scalar* r, Activation& act);  // d = (a - b) / f bytes (f is a number)

// ---- calls.cc: call site number a
const Instr* call_function(const Instr* i, Scalar* r, Activation& act);  // d = result, when it has one
const Instr* call_import(const Instr* i, Scalar* r, Activation& act);    // d = result
const Instr* call_builtin(const Instr* i, Scalar* r, Activation& act);   // d = result

// ---- handles.cc: a register of dtype handle holds the address of a TnValue that something else keeps alive
const Instr* set_result(const Instr* i, Scalar* r, Activation& act);     // the function's result is a
const Instr* tensor_memory(const Instr* i, Scalar* r, Activation& act);  // d = data, c = bytes of the tensor a
// Registers: d = address of the element of the buffer at a, indices b, c, e, f (as for loads)
Handler element_handler(uint32_t ndim);
const Instr* store_handle(const Instr* i, Scalar* r, Activation& act);        // *d = a, both handles
const Instr* allocate_registers(const Instr* i, Scalar* r, Activation& act);  // d and c = a bytes of none, allocation b

}  // namespace tenon::interp
#endif
