// What plan-memory knows of the buffers of one host function: when each is used, which lie in the memory of another,
// and the slots of one arena that the others share.
//
// Time is the position of a statement when the function is read from its beginning, branches one after the other: two
// buffers whose ranges do not meet are never alive together.
#ifndef PASSES_GRAPH_MEMORY_PLAN_H
#define PASSES_GRAPH_MEMORY_PLAN_H

#include <signature/signature.h>
#include <tenon/cxx/arith.h>

#include <map>
#include <optional>
#include <set>

#include "passes.h"

namespace tenon::graph {

constexpr int64_t kArenaAlign = 64;  // bytes; of the arena and of every slot in it

struct PlannedBuffer {
  Node buffer;
  bool can_move = false;  // an allocation of the function that may lie elsewhere
  bool is_param = false;
  int scope = 0;  // the sequence that defines it
  int first = -1, last = -1;
  std::vector<int> writes;  // when it may be written
  int lies_in = -1;         // the buffer whose memory it is a view of
  Node own_offset;          // in elements from the start of that memory; null for none
  int copy_at = -1;         // the copy that becomes the declaration of this view; -1 when it is declared where it stood
  int slot = -1;            // of the arena
};

struct ArenaSlot {
  std::vector<Node> bytes;  // the size is the greatest of these
  int free_after = -1;
};

struct PlanOptions {
  bool reuse;  // buffers that are not alive together share memory
  bool views;  // copies that change the shape alone become views
};

class MemoryPlan {
 public:
  MemoryPlan(PassesGraph& self, const ir::Module& module, const WrittenParams& written, PlanOptions options)
      : b_(self.builder()),
        module_(module),
        written_(written),
        options_(options),
        table_(&self.service<TnHostArith>().required()) {}

  // Of a host function. Later calls begin anew.
  void make(const tir::PrimFunc& f);

  const std::vector<PlannedBuffer>& buffers() const { return buffers_; }
  const std::vector<ArenaSlot>& slots() const { return slots_; }
  // The number of a buffer; -1 for one that the function does not define.
  int find(const Node& buffer) const;
  int root_of(int i) const;
  // The distinct sizes in bytes of all allocations that can move, and how often each comes.
  const std::vector<std::pair<Node, int64_t>>& sizes() const { return sizes_; }
  // Units of kArenaAlign bytes that a size takes.
  Node units(const Node& bytes);
  Node slot_bytes(const ArenaSlot& slot);
  bool is_negative_possible(const Node& e) { return arith_->bounds(e).min < 0; }
  Node simplify(const Node& e) { return arith_->simplify(e); }
  // Counts statements in the order that make() did.
  static bool is_branching(const Node& stmt) { return stmt.is<tir::Seq>() || stmt.is<tir::IfThenElse>(); }

 private:
  struct Copy {
    int at, scope, from, to;
  };
  void scan(const Node& stmt, int scope);
  void leaf(const Node& stmt, int scope);
  void note_call(const ir::Call& call, int time, int scope, bool is_statement);
  void note_write(const Node& buffer_or_region, int time);
  int add(const Node& buffer, int scope);
  void use(const Node& buffer, int time);
  void view_copies();
  bool view_of_source(const Copy& c);
  bool view_of_result(const Copy& c);
  void merge(int inner, int outer, int without_write);
  // Whether a function copies its first parameter into its second, element by element in row-major order.
  bool is_reshape(std::string_view callee);
  Node reshape_target(const Node& stmt, const Node& from);
  void assign_slots();
  Node bytes_of(const tir::Buffer& buffer);
  bool at_most(const Node& a, const Node& b);

  const Builder& b_;
  const ir::Module& module_;
  const WrittenParams& written_;
  PlanOptions options_;
  const TnHostArith* table_;
  std::optional<Arith> arith_;
  std::vector<PlannedBuffer> buffers_;
  std::map<const TnNode*, int> index_;
  std::set<const TnNode*> known_at_start_;  // variables that the parameters give
  std::vector<ArenaSlot> slots_;
  std::vector<Copy> copies_;
  std::vector<std::pair<Node, int64_t>> sizes_;
  std::map<std::string, bool, std::less<>> reshapes_;
  int time_ = 0, scopes_ = 0;
};

}  // namespace tenon::graph
#endif
