// Jumps, loops and checks.
#include "handlers.h"

namespace tenon::interp {

const Instr* jump_always(const Instr* i, Scalar*, Activation&) { return jump(i); }

const Instr* jump_if_false(const Instr* i, Scalar* r, Activation&) { return r[i->a].i == 0 ? jump(i) : i + 1; }

const Instr* jump_if_true(const Instr* i, Scalar* r, Activation&) { return r[i->a].i != 0 ? jump(i) : i + 1; }

const Instr* jump_if_differ(const Instr* i, Scalar* r, Activation&) { return r[i->a].i != r[i->b].i ? jump(i) : i + 1; }

const Instr* loop_begin(const Instr* i, Scalar* r, Activation& act) {
  const int64_t first = r[i->a].i, extent = r[i->b].i;
  if (extent <= 0) return jump(i);
  r[i->d].i = first;
  if (__builtin_add_overflow(first, extent, &r[i->c].i))
    fail(
        act, i, TN_ERROR_CHECK_FAILED,
        "the loop over " + subject_name(act, i) + " from " + std::to_string(first) + " ends beyond the range of int64");
  return i + 1;
}

const Instr* loop_next(const Instr* i, Scalar* r, Activation& act) {
  count_step(act, i);
  return ++r[i->d].i < r[i->a].i ? jump(i) : i + 1;
}

const Instr* jump_back(const Instr* i, Scalar*, Activation& act) {
  count_step(act, i);
  return jump(i);
}

const Instr* fail_assert(const Instr* i, Scalar*, Activation& act) {
  fail(act, i, TN_ERROR_CHECK_FAILED, "an assertion of the program failed: " + act.code.texts[i->a]);
}

const Instr* check_domain(const Instr* i, Scalar* r, Activation& act) {
  const int64_t value = r[i->a].i, first = r[i->b].i, extent = r[i->c].i;
  if (value < first || static_cast<uint64_t>(value) - static_cast<uint64_t>(first) >= static_cast<uint64_t>(extent))
    fail(act, i, TN_ERROR_CHECK_FAILED,
         "block axis " + subject_name(act, i) + " is bound to " + std::to_string(value) +
             ", outside of its domain of " + std::to_string(extent) + " from " + std::to_string(first),
         "add a predicate (T.where) to the block, or correct the binding or the domain");
  return i + 1;
}

const Instr* check_equal(const Instr* i, Scalar* r, Activation& act) {
  if (r[i->a].i != r[i->b].i)
    fail(act, i, TN_ERROR_CHECK_FAILED,
         act.code.texts[i->c] + " of buffer " + subject_name(act, i) + " is " + std::to_string(r[i->a].i) +
             ", but it is declared as " + std::to_string(r[i->b].i));
  return i + 1;
}

const Instr* end_function(const Instr*, Scalar*, Activation&) { return nullptr; }

}  // namespace tenon::interp
