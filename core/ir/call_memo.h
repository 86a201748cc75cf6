// Calls of operators and functions that nothing can tell apart but by the names of the variables in them: what was
// found out about one holds for all.
#ifndef TENON_CORE_IR_CALL_MEMO_H
#define TENON_CORE_IR_CALL_MEMO_H

#include <utility>
#include <vector>

#include "tenon/cxx/node.h"

namespace tenon {

// Two calls are alike when operator or callee, attributes, stated types and arguments are equal, where variables may be
// replaced one to one by others of equal types; a variable inside of a type or of another expression is equal to itself
// alone.
class CallMemo {
 public:
  // `with_type` makes the type that a call states a part of it.
  explicit CallMemo(bool with_type, size_t limit = size_t{1} << 16) : with_type_(with_type), limit_(limit) {}

  // What is kept for a call like this; null when there is nothing. Valid until the next `keep`.
  const Value* find(const Node& call);
  void keep(const Node& call, Value result);
  void clear();

 private:
  struct Entry {
    Node call;
    Value result;
    uint64_t hash;
    uint32_t next;  // with the same place in `heads_`, + 1
  };
  uint64_t hash_of(const ir::Call& call) const;
  bool is_like(const ir::Call& a, const ir::Call& b) const;

  bool with_type_;
  size_t limit_;
  std::vector<Entry> entries_;
  std::vector<uint32_t> heads_;  // entry + 1
};

}  // namespace tenon
#endif
