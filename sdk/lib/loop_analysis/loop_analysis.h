// What a loop function does, read from its blocks: which stages it has, how each reads its inputs, and how the whole
// may be fused with others. Nothing is believed that a name or an attribute says; in doubt a function is opaque.
//
//   LoopAnalysis analysis(b, arith, ops);
//   LoopSummary s = analysis.function(f);       // {kBroadcast, "", {kIdentity, kRepeated, kUnused}, ...}
#ifndef TENON_LIB_LOOP_ANALYSIS_LOOP_ANALYSIS_H
#define TENON_LIB_LOOP_ANALYSIS_LOOP_ANALYSIS_H

#include <tenon/cxx/arith.h>
#include <tenon/ext/op.h>

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace tenon {

// In the order of how much may be fused with it.
enum class LoopPattern {
  kElementwise,  // out[i, j] from x[i, j]
  kBroadcast,    // and from y[j], z[i, 0]
  kInjective,    // each element is computed by itself, from any elements
  kReduction,    // a reduction that reads each element of its inputs at most once: sum, max
  kOutFusable,   // any other reductions whose output is written once, element by element: matmul, conv, softmax
  kOpaque        // everything else
};
const char* name_of(LoopPattern pattern);

// How the elements of a buffer are read.
enum class LoopAccess {
  kUnused,
  kIdentity,  // element i for element i of the result
  kOnce,      // no element is read twice, or there are no more steps than elements: no more work either way
  kRepeated
};

// A perfect nest of serial loops around one block that stores one element:
//   for i, j, k:  with block: init: C[vi, vj] = 0;  C[vi, vj] = C[vi, vj] + A[vi, vk] * B[vk, vj]
// Each axis is the variable of one loop over all of its domain (from 0), the stored indices are distinct spatial axes
// (or 0 where the extent is 1) and cover the whole buffer, so that each element is written once, or reduced once.
struct LoopStage {
  struct Axis {
    Node var, extent;
    bool reduces;
  };
  Node statement;
  std::vector<tir::For> loops;  // the outermost first
  tir::Block block;
  std::vector<Axis> axes;   // of the block, in its order
  Node output;              // the buffer
  std::vector<Node> index;  // of the stored element
  // What is stored; in a reduction what is combined with the element: A[vi, vk] * B[vk, vj] above.
  Node value;
  uint32_t combine =
      0;  // the kind of the combining operation (tir::Add::kKind, Mul, Min, Max, And, Or); 0: no reduction
  bool reduces() const { return combine != 0; }
};

// The statements of a function: its allocations, and the others in order. A root block counts as a list.
struct LoopBody {
  std::vector<Node> buffers;
  std::vector<Node> statements;
};

struct LoopSummary {
  LoopPattern pattern = LoopPattern::kOpaque;
  std::string why;                 // an opaque function: what stands in the way
  std::vector<LoopAccess> inputs;  // one for each parameter; kUnused for what is no input
  bool is_free = false;            // only an index map, a cast or a constant: computing it again costs nothing
  bool is_spatial() const { return pattern <= LoopPattern::kInjective; }
};

class LoopAnalysis {
 public:
  // `ops` says which intrinsics are pure. The tables must outlive the object; it belongs to one thread at a time.
  LoopAnalysis(const Builder& b, const TnHostArith* arith, const TnHostOps* ops) : b_(b), arith_(b, arith), ops_(ops) {}

  static LoopBody body_of(const Node& body);
  LoopSummary function(const tir::PrimFunc& f);
  // Nothing when the statement is no such nest; `why` says what stands in the way.
  std::optional<LoopStage> stage(const Node& statement, std::string* why = nullptr);
  // How a stage reads a buffer that it does not write.
  LoopAccess access(const LoopStage& stage, const Node& buffer);
  // Without effects: loads, arithmetic, pure intrinsics.
  bool is_pure(const Node& expression);
  // A load through a cheap index map, a cast of it, or a constant.
  static bool is_free(const Node& value);
  bool equal(const Node& a, const Node& b);
  bool equal_indices(const Array& a, const Array& b);
  // The loads of a buffer in a tree, in order of appearance.
  std::vector<Node> loads(const Node& tree, const Node& buffer) const;

 private:
  bool covers(const LoopStage& stage, std::string* why);
  bool reduction_form(LoopStage& stage, const Node& init, const Node& stored, std::string* why);
  bool reads_at_most_once(const LoopStage& stage, const Array& indices, const Node& buffer);
  bool is_projection(const LoopStage& stage, const Node& buffer) const;
  std::string summarize(const tir::PrimFunc& f, LoopSummary& out);

  const Builder& b_;
  Arith arith_;
  const TnHostOps* ops_;
  std::map<std::string, bool, std::less<>> pure_;  // by the id of the intrinsic
};

}  // namespace tenon
#endif
