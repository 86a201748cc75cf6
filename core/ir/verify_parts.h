// What the rules of the loop level are written with.
#ifndef TENON_CORE_IR_VERIFY_PARTS_H
#define TENON_CORE_IR_VERIFY_PARTS_H

#include "ir/kind_table.h"
#include "ir/make.h"
#include "ir/verify_loop.h"

namespace tenon::verify_parts {

// Where the rows of a kind lie in a table of what each slot holds, whose rows are in the order of the kinds.
struct RowTable {
  struct Range {
    uint8_t first = 0, last = 0;
  };
  Range of[kMaxCoreKinds];
};
template <class Row, size_t n>
constexpr RowTable make_row_table(const Row (&rows)[n]) {
  static_assert(n < 255);
  RowTable t{};
  for (size_t i = 0; i < n; ++i) {
    if (i > 0 && rows[i].kind < rows[i - 1].kind) throw "the rows are not in the order of the kinds";
    RowTable::Range& r = t.of[rows[i].kind];
    if (r.last == 0) r.first = static_cast<uint8_t>(i);
    r.last = static_cast<uint8_t>(i + 1);
  }
  return t;
}

// A node without counting, for the length of a call.
inline const Node& borrowed(const TnNode* const& n) { return reinterpret_cast<const Node&>(n); }

inline uint32_t flags_of_kind(const Node& n) { return kind_info(n.kind())->schema.flags; }
inline bool has_dtype(const Node& n) { return n.dtype().bits != 0; }
inline bool is_scalar(DLDataType t) { return t.lanes == 1; }
inline bool is_integer_scalar(const Node& n) { return is_integer(n.dtype()) && is_scalar(n.dtype()); }

// A node as messages call it: its name or kind, and its dtype.
inline std::string what(const Node& n) {
  if (n.is<ir::Var>() || n.is<tir::Buffer>()) return name_of(n.get());
  return describe(Value(n).raw()) + (has_dtype(n) ? " of dtype " + dtype_text(n.dtype()) : "");
}

// The rule dtype-result.
inline void require_result(const Node& n, DLDataType expected) {
  if (!same_dtype(n.dtype(), expected))
    throw Violation{"dtype-result", name_of(n.get()) +
                                        (has_dtype(n) ? " has the dtype " + dtype_text(n.dtype()) : " has no dtype") +
                                        ", but its operands give " + dtype_text(expected)};
}

inline void check_equal_dtype(const char* rule, const std::string& a, DLDataType ta, const std::string& b,
                              DLDataType tb) {
  if (!same_dtype(ta, tb)) throw Violation{rule, a + " is " + dtype_text(ta) + ", but " + b + " is " + dtype_text(tb)};
}

// Why the bytes of a constant do not fit its type; nothing when they do.
std::optional<std::string> constant_mismatch(const ir::Constant& constant);
// The same for what takes all of its bytes, or some of them; extents that are known at run time only fit.
std::optional<std::string> constant_mismatch(const ir::Constant& constant, DLDataType dtype, const Array& shape,
                                             bool exactly);

}  // namespace tenon::verify_parts
#endif
