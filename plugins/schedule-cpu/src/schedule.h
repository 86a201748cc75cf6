// What the files of this plugin share: nests of loops around one block, questions about their accesses, register tiles.
#ifndef TENON_SCHEDULE_CPU_SCHEDULE_H
#define TENON_SCHEDULE_CPU_SCHEDULE_H

#include <tenon/cxx/arith.h>
#include <tenon/pass_plugin.h>

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace tenon::cpu {

struct ScheduleCpu : PluginInstance {
  using PluginInstance::PluginInstance;
  const TnHostArith* arith() const { return &service<TnHostArith>().required(); }
  const TnHostOps* ops() const { return &service<TnHostOps>().required(); }
};

// ---- The machine, as far as a register tile goes
struct Machine {
  int64_t vector_bits = 128;
  int64_t registers = 16;
  int64_t lanes(DLDataType t) const { return std::max<int64_t>(1, vector_bits / std::max<int64_t>(8, t.bits)); }
};
Machine machine_of(const Map& target);

struct Options {
  bool parallel = true;
  int64_t grain = 0;  // estimated cycles that a thread is worth
  int64_t tile_rows = 0, tile_vectors = 0;
  bool fuse_epilogues = true, pack = true;
};

// ---- Nests (nest.cc)
struct Axis {
  Node var;  // of the block
  Node extent;
  std::optional<int64_t> constant;
};
// for ... for ...: one block whose axes are the loops, each from 0 to its extent, nothing scheduled yet.
struct Nest {
  Node stmt;
  std::vector<tir::For> loops;
  tir::BlockRealize realize;
  tir::Block block;
  std::vector<Axis> spatial, reduce;  // in the order of the loops
};
// A nest whose block is one store to one element per step of its spatial axes: what it reads of that buffer is that
// element, and the values are free of effects. The axes of extent 1 that the block binds to constants are replaced.
struct Compute {
  Nest nest;
  tir::BufferStore store;
  Node init;  // value of the first step; null without a reduction
};

class Reader {
 public:
  Reader(const Builder& b, const TnHostOps* ops) : b_(b), ops_(ops) {}
  std::optional<Nest> nest(const Node& stmt) const;
  std::optional<Compute> compute(const Nest& nest) const;
  // Whether the steps of spatial axes may run in any order and at the same time.
  bool is_parallel(const Nest& nest, const Axis& axis) const;

 private:
  bool is_pure(const Node& value) const;
  bool is_pure_op(std::string_view id) const;
  const Builder& b_;
  const TnHostOps* ops_;
  mutable std::map<std::string, bool, std::less<>> pure_;
};

// ---- Small questions (nest.cc)
using Vars = std::set<const TnNode*>;
std::optional<int64_t> constant_of(const Node& e);
bool uses_any(const Builder& b, const Value& tree, const Vars& vars);
bool uses(const Builder& b, const Node& tree, const Node& var);
bool same(const Builder& b, const Value& x, const Value& y);
Node substituted(const Builder& b, const Node& tree, const std::vector<Node>& from, const std::vector<Node>& to);

// ---- Accesses (accesses.cc)
enum class Step { kNone, kUnit, kOther };  // how an access moves when an axis does: along memory is kUnit
class Accesses {
 public:
  Accesses(const Builder& b, const TnHostArith* arith) : b_(b), arith_(arith) {}
  Step step(const Node& buffer, const Array& indices, const Node& axis) const;
  // Whether the value of every step of the axis can be computed as one vector.
  bool is_vector_along(const Node& value, const Node& axis) const;
  const TnHostArith* arith() const { return arith_; }

 private:
  const Builder& b_;
  const TnHostArith* arith_;
};

// ---- Panels (panels.cc): a part of a reduction's value that no row changes, computed once for a range of columns and
// laid out in the order of its use.
struct Panel {
  Node value;
  std::vector<const Axis*> axes;  // of the reduction that it depends on
  bool is_vector;                 // along the columns, as it stands
  bool pays;
};
std::vector<Panel> find_panels(const Builder& b, const Accesses& accesses, const Compute& compute, const Axis& row,
                               const Axis& column);

// ---- Register tiles (tile.cc)
// One read of the body: which axes of the tile it depends on.
struct Operand {
  bool rows, columns;
};
struct TileShape {
  int64_t rows = 1, vectors = 1, lanes = 1;
  double cycles = 1;  // of one step of the reduction on a full tile
  int64_t width() const { return vectors * lanes; }
};
// The extents are nothing when symbolic.
TileShape choose_tile(const Machine& machine, const Options& options, const std::vector<Operand>& operands,
                      std::optional<int64_t> rows, std::optional<int64_t> columns, int64_t lanes, double* cost);

// ---- Schedules
// A value computed on each finished tile (stage 0 is the reduction itself), in terms of the reduction's spatial axes.
struct Stage {
  tir::BufferStore store;
  bool keep;  // its buffer is read elsewhere
};
// The same with the last two axes of what is stored as one, and the views that it needs; nothing when the stores do not
// allow it. (merge.cc)
struct Merged {
  Compute compute;
  std::vector<Stage> stages;
  std::vector<Node> views;
};
std::optional<Merged> merge_last_axes(const Builder& b, const Compute& compute, const std::vector<Stage>& stages);

struct Context {
  const Builder& b;
  const Accesses& accesses;
  const Machine& machine;
  const Options& options;
};
// The nest tiled; null when it is better left to others. (reduction.cc)
Node schedule_reduction(const Context& c, const Compute& compute, const std::vector<Stage>& stages);
// The nest with parallel outer loops; null when it stays. (spatial.cc)
Node schedule_outer(const Context& c, const Reader& reader, const Nest& nest);
// The annotations of a parallel loop whose iterations take `cycles` each; nothing when it is not worth it.
std::optional<Map> parallel_annotations(const Context& c, const Node& count, const Node& cycles);
inline constexpr const char* kGrain = "tenon.grain";

Value schedule(ScheduleCpu& self, const PassArgs& args, const Node& function);

}  // namespace tenon::cpu
#endif
