// Tiles a reduction: a tile of rows x columns is kept in registers while the reduction runs, then what follows is
// computed on the tile and stored.
//
//   for i, j, k: C[i, j] += A[i, k] * B[k, j]      for tile of j: for tile of i:
//   for i, j: D[i, j] = max(C[i, j], 0)              acc[0:6, 0:32] = 0
//                                                    for k: acc[r, 0:32] += A[i * 6 + r, k] * B[k, j * 32 + 0:32]
//                                                    D[i * 6 + r, j * 32 + 0:32] = max(acc[r, 0:32], 0)
//
// Each element is summed in the order of its definition.
#include <algorithm>
#include <cmath>

#include "schedule.h"

namespace tenon::cpu {
namespace {

// Tiles along other axes than the rows that keep many threads busy.
constexpr int64_t kEnoughUnits = 32;
// Cycles to read an element on its own and put it into a panel, and the rows that make that worth while.
constexpr double kScattered = 2, kUnknown = 1.1;
constexpr int64_t kFewRows = 4, kManyRows = 64, kManyScatteredRows = 256;
// Steps of a reduction that make several sums at a time worth while, where there are no vectors.
constexpr int64_t kLongRun = 16;

// An axis cut into tiles: how many are full, and what is left.
struct Cut {
  Node extent;
  int64_t tile;
  std::optional<int64_t> constant;
};

class Tiler {
 public:
  Tiler(const Context& c, const Compute& compute, const std::vector<Stage>& stages)
      : c_(c), b_(c.b), compute_(compute), stages_(stages) {}

  // Whether there is a tile, and what an element of the result costs for each step of the reduction.
  bool choose();
  double cost() const { return cost_; }

  Node run() {
    std::vector<Unit> units;
    for (const Axis& a : compute_.nest.spatial) {
      if (&a == column_ || &a == row_) continue;
      units.push_back(unit(a.extent, a.var));
      outer_from_.push_back(a.var);
      outer_to_.push_back(units.back().at);
    }
    columns_ = {column_->extent, shape_.width(), column_->constant};
    units.push_back(unit(tiles(columns_), b_.var("jt")));
    Node column_tile = units.back().at, row_tile;
    if (row_) {
      rows_ = {row_->extent, shape_.rows, row_->constant};
      chunk_ = rows_per_unit(units);
      if (chunk_ > 0) {
        units.push_back(unit(chunks(), b_.var(chunk_ == 1 ? "it" : "ic")));
        row_tile = units.back().at;
        // Ranges of rows take the same time, the last columns less than others: threads share the rows.
        if (chunk_ > 1) std::swap(units.back(), units[units.size() - 2]);
      }
    }
    Node body = columns_at(column_tile, row_tile);
    return around(units, body, row_tile);
  }

 private:
  struct Unit {
    Node count, at;  // `at` is a variable, or 0 when there is one step only
  };
  Unit unit(const Node& count, const Node& var) const {
    if (constant_of(count) == 1) return {count, b_.imm(0)};
    return {count, b_.var(var.to<ir::Var>().name())};
  }
  bool enough(const std::vector<Unit>& units) const {
    int64_t product = 1;
    for (const Unit& u : units) {
      std::optional<int64_t> n = constant_of(u.count);
      if (!n) return true;
      if (__builtin_mul_overflow(product, *n, &product)) return true;
    }
    return product >= kEnoughUnits;
  }
  // How many tiles of rows are one unit of the outer loops; 0 when all are. Panels are laid out for each unit.
  int64_t rows_per_unit(const std::vector<Unit>& units) const {
    if (enough(units)) return 0;
    if (panels_.empty()) return 1;
    if (!rows_.constant) return 0;
    int64_t all = (*rows_.constant + rows_.tile - 1) / rows_.tile, product = 1;
    for (const Unit& u : units) product *= constant_of(u.count).value_or(1);
    int64_t wanted = std::max<int64_t>(1, (kEnoughUnits + product - 1) / product);
    int64_t least = kManyRows;
    for (const Panel& p : panels_) least = p.is_vector ? least : kManyScatteredRows;
    least = (least + rows_.tile - 1) / rows_.tile;
    int64_t each = std::max(least, (all + wanted - 1) / wanted);
    return each >= all ? 0 : each;
  }
  Node chunks() const {
    if (chunk_ == 1) return tiles(rows_);
    return b_.imm(((*rows_.constant + rows_.tile - 1) / rows_.tile + chunk_ - 1) / chunk_);
  }
  Node tiles(const Cut& cut) const {
    if (cut.constant) return b_.imm((*cut.constant + cut.tile - 1) / cut.tile);
    if (cut.tile == 1) return cut.extent;
    return b_.floordiv(b_.add(cut.extent, b_.imm(cut.tile - 1)), b_.imm(cut.tile));
  }

  // ---- Which axes, which tile
  // The panels that pay; nothing when without them, or even with them, there are no vectors.
  std::vector<Panel> worth(const Axis& row, const Axis& column) const {
    std::vector<Panel> out;
    for (const Panel& p : find_panels(b_, c_.accesses, compute_, row, column))
      if (p.pays) out.push_back(p);
    if (out.empty()) return out;
    Value rest = b_.rewrite(Value(compute_.store.value()), [&](const Node& original, const Node&) -> Value {
      for (const Panel& p : out)
        if (p.value.same_as(original)) return b_.var("panel", p.value.dtype());
      return Value();
    });
    if (!c_.accesses.is_vector_along(as_node(rest), column.var)) out.clear();
    return out;
  }
  // Whether the innermost reduction walks along memory: several sums at a time, no vectors.
  bool runs_along_memory() const {
    if (compute_.nest.reduce.back().constant.value_or(kManyRows) < kLongRun) return false;
    return reads_along(compute_.store.value(), compute_.nest.reduce.back().var);
  }
  bool stores_vectors(const Node& column) const {
    for (const Stage& s : stages_) {
      const Array& at = s.store.indices();
      if (c_.accesses.step(s.store.buffer(), at, column) != Step::kUnit) return false;
      if (!s.store.same_as(compute_.store) && !c_.accesses.is_vector_along(s.store.value(), column)) return false;
    }
    return true;
  }
  std::vector<Operand> operands(const Axis* row, const Axis& column) const {
    std::vector<Operand> out;
    std::vector<Node> seen;
    b_.walk(Value(compute_.store.value()), [&](const Node& n) {
      const auto* load = n.as<tir::BufferLoad>();
      if (!load || load->buffer().same_as(compute_.store.buffer())) return;
      for (const Node& s : seen)
        if (same(b_, Value(s), Value(n))) return;
      seen.push_back(n);
      out.push_back({row && uses(b_, n, row->var), uses(b_, n, column.var)});
    });
    return out;
  }

  // ---- The loops around tiles
  Node around(const std::vector<Unit>& units, const Node& inner, const Node& row_tile) const {
    Node count = b_.imm(1), cycles = b_.imm(std::max<int64_t>(1, static_cast<int64_t>(std::ceil(shape_.cycles))));
    auto times = [&](const Node& x, const Node& y) {
      auto cx = constant_of(x), cy = constant_of(y);
      if (cx == 1) return y;
      if (cy == 1) return x;
      return cx && cy ? b_.imm(*cx * *cy) : b_.mul(x, y);
    };
    for (const Unit& u : units) count = times(count, u.count);
    for (const Axis& a : compute_.nest.reduce) cycles = times(cycles, a.extent);
    if (row_) cycles = times(cycles, row_tile ? b_.imm(chunk_) : tiles(rows_));
    std::optional<Map> parallel = parallel_annotations(c_, count, cycles);
    Node body = inner;
    if (!parallel) {
      for (size_t i = units.size(); i-- > 0;)
        if (units[i].at.is<ir::Var>()) body = b_.loop(units[i].at, units[i].count, body);
      return body;
    }
    std::vector<const Unit*> moving;
    for (const Unit& u : units)
      if (u.at.is<ir::Var>()) moving.push_back(&u);
    if (moving.size() == 1)
      return b_.make<tir::For>({b_.imm(0), count, int64_t{TN_FOR_PARALLEL}, "", *parallel, moving[0]->at, body});
    Node fused = b_.var("tile"), rest = fused;
    std::vector<Node> stmts(moving.size());
    for (size_t i = moving.size(); i-- > 0;) {
      Node at = i == 0 ? rest : b_.floormod(rest, moving[i]->count);
      stmts[i] = b_.make<tir::Bind>({at, moving[i]->at});
      rest = b_.floordiv(rest, moving[i]->count);
    }
    stmts.push_back(body);
    return b_.make<tir::For>({b_.imm(0), count, int64_t{TN_FOR_PARALLEL}, "", *parallel, fused, b_.seq(stmts)});
  }

  using Emit = std::function<Node(const Node& start, int64_t lanes, int64_t vectors)>;

  Node columns_at(const Node& tile, const Node& row_tile) {
    Emit emit = [&](const Node& start, int64_t lanes, int64_t vectors) {
      std::vector<Node> stmts;
      lay_out_panels(start, lanes, vectors, stmts);
      Node rows = rows_at(row_tile, start, lanes, vectors);
      if (stmts.empty()) return rows;
      if (const auto* seq = rows.as<tir::Seq>())
        for (const Node& s : nodes(seq->stmts())) stmts.push_back(s);
      else
        stmts.push_back(rows);
      return b_.seq(stmts);
    };
    int64_t width = shape_.width();
    Node start = scaled(tile, width);
    if (columns_.constant) {
      int64_t full = *columns_.constant / width, rest = *columns_.constant % width;
      if (!rest) return emit(start, shape_.lanes, shape_.vectors);
      Node last = rest_of_columns(full * width, rest, emit);
      if (!full) return last;
      Node first = emit(start, shape_.lanes, shape_.vectors);
      return b_.make<tir::IfThenElse>({b_.lt(tile, b_.imm(full)), first, Value(last)});
    }
    Node full = width == 1 ? columns_.extent : b_.floordiv(columns_.extent, b_.imm(width));
    Node first = emit(start, shape_.lanes, shape_.vectors);
    if (width == 1) return first;
    std::vector<Node> last;
    Node begin = b_.mul(full, b_.imm(width));
    if (shape_.vectors > 1 && shape_.lanes > 1) {
      Node v = b_.var("jv");
      Node vectors = b_.floordiv(b_.sub(columns_.extent, begin), b_.imm(shape_.lanes));
      last.push_back(b_.loop(v, vectors, emit(b_.add(begin, scaled(v, shape_.lanes)), shape_.lanes, 1)));
    }
    Node c = b_.var("jc");
    Node done = b_.mul(b_.floordiv(columns_.extent, b_.imm(shape_.lanes)), b_.imm(shape_.lanes));
    if (shape_.lanes == 1) done = begin;
    last.push_back(b_.loop(c, b_.sub(columns_.extent, done), emit(b_.add(done, c), 1, 1)));
    return b_.make<tir::IfThenElse>({b_.lt(tile, full), first, Value(b_.seq(last))});
  }
  // Whole vectors, halves of vectors, single columns.
  Node rest_of_columns(int64_t start, int64_t rest, const Emit& emit) {
    std::vector<Node> stmts;
    auto take = [&](int64_t lanes, int64_t vectors) {
      stmts.push_back(emit(b_.imm(start), lanes, vectors));
      start += lanes * vectors;
      rest -= lanes * vectors;
    };
    int64_t lanes = shape_.lanes;
    if (rest >= lanes) take(lanes, rest / lanes);
    while (lanes > 4 && rest > 0) {
      lanes /= 2;
      if (rest >= lanes) take(lanes, 1);
    }
    if (rest > 0) take(1, rest);
    return b_.seq(stmts);
  }

  // The panels of a range of columns, filled.
  void lay_out_panels(const Node& start, int64_t lanes, int64_t vectors, std::vector<Node>& stmts) {
    laid_out_.clear();
    for (const Panel& p : panels_) {
      std::vector<Node> shape, at, from = outer_from_, to = outer_to_;
      for (const Axis* a : p.axes) {
        shape.push_back(a->extent);
        at.push_back(b_.var(a->var.to<ir::Var>().name()));
        from.push_back(a->var);
        to.push_back(at.back());
      }
      std::vector<Node> steps = at;
      shape.push_back(b_.imm(lanes * vectors));
      Node buffer = b_.buffer("panel", p.value.dtype(), b_.array(shape));
      laid_out_.push_back(buffer);
      Node v = vectors > 1 ? b_.var("v") : b_.imm(0), c = b_.var("c");
      bool vector = p.is_vector && lanes > 1;
      Node column = vector ? plus(scaled(v, lanes), c) : c;
      at.push_back(column);
      from.push_back(column_->var);
      to.push_back(plus(start, column));
      Node body = b_.store(buffer, b_.array(at), substituted(b_, p.value, from, to));
      auto along_columns = [&] {
        if (!vector) {
          body = b_.loop(c, b_.imm(lanes * vectors), body);
          return;
        }
        body = b_.loop(c, b_.imm(lanes), body, TN_FOR_VECTORIZED);
        if (vectors > 1) body = b_.loop(v, b_.imm(vectors), body, TN_FOR_UNROLLED);
      };
      // What is read along the reduction is read so, as long as what is stored stays near.
      bool turned = !vector && reads_along(p.value, p.axes.back()->var);
      size_t around = turned ? std::min<size_t>(1, p.axes.size() - 1) : p.axes.size();
      for (size_t i = steps.size(); i-- > around;) body = b_.loop(steps[i], p.axes[i]->extent, body);
      along_columns();
      for (size_t i = around; i-- > 0;) body = b_.loop(steps[i], p.axes[i]->extent, body);
      stmts.push_back(b_.make<tir::AllocBuffer>({b_.map({}), buffer}));
      stmts.push_back(body);
    }
  }
  bool reads_along(const Node& value, const Node& axis) const {
    bool found = false;
    b_.walk(Value(value), [&](const Node& n) {
      const auto* load = n.as<tir::BufferLoad>();
      found = found || (load && c_.accesses.step(load->buffer(), load->indices(), axis) == Step::kUnit);
    });
    return found;
  }

  // The rows of one range of columns: one tile of them, or all in a loop.
  Node rows_at(const Node& tile, const Node& column, int64_t lanes, int64_t vectors) {
    auto kernel = [&](const Node& row, int64_t rows) { return this->kernel(row, rows, column, lanes, vectors); };
    if (!row_) return kernel(b_.imm(0), 1);
    int64_t rows = rows_.tile;
    if (rows_.constant) {
      int64_t full = *rows_.constant / rows, rest = *rows_.constant % rows;
      if (tile && chunk_ > 1) {
        Node it = b_.var("it"), begin = scaled(tile, chunk_);
        Node count = full % chunk_ || rest ? b_.min(b_.imm(chunk_), b_.sub(b_.imm(full), begin)) : b_.imm(chunk_);
        Node first = b_.loop(it, count, kernel(scaled(plus(begin, it), rows), rows));
        if (!rest) return first;
        Node last = kernel(b_.imm(full * rows), rest);
        return b_.seq({first, b_.make<tir::IfThenElse>({b_.eq(tile, b_.imm(full / chunk_)), last, Value()})});
      }
      if (tile) {
        Node first = kernel(scaled(tile, rows), rows);
        if (!rest) return first;
        return b_.make<tir::IfThenElse>({b_.lt(tile, b_.imm(full)), first, Value(kernel(b_.imm(full * rows), rest))});
      }
      std::vector<Node> stmts;
      if (full == 1) {
        stmts.push_back(kernel(b_.imm(0), rows));
      } else {
        Node it = b_.var("it");
        stmts.push_back(b_.loop(it, b_.imm(full), kernel(scaled(it, rows), rows)));
      }
      if (rest) stmts.push_back(kernel(b_.imm(full * rows), rest));
      return b_.seq(stmts);
    }
    Node full = rows == 1 ? rows_.extent : b_.floordiv(rows_.extent, b_.imm(rows));
    Node begin = scaled(full, rows);
    auto single = [&] {
      Node r = b_.var("ir");
      return b_.loop(r, b_.sub(rows_.extent, begin), kernel(b_.add(begin, r), 1));
    };
    if (tile) {
      Node first = kernel(scaled(tile, rows), rows);
      return rows == 1 ? first : b_.make<tir::IfThenElse>({b_.lt(tile, full), first, Value(single())});
    }
    Node it = b_.var("it");
    Node first = b_.loop(it, full, kernel(scaled(it, rows), rows));
    return rows == 1 ? first : b_.seq({first, single()});
  }
  Node scaled(const Node& e, int64_t by) const {
    if (by == 1) return e;
    auto c = constant_of(e);
    return c ? b_.imm(*c * by) : b_.mul(e, b_.imm(by));
  }

  // ---- One tile
  Node kernel(const Node& row, int64_t rows, const Node& column, int64_t lanes, int64_t vectors) {
    DLDataType type = compute_.store.buffer().to<tir::Buffer>().dtype();
    Array extents = b_.array({b_.imm(rows), b_.imm(lanes * vectors)});
    auto local = [&](std::string_view name, DLDataType t) { return b_.buffer(name, t, extents, "local"); };
    auto alloc = [&](const Node& buffer) { return b_.make<tir::AllocBuffer>({b_.map({}), buffer}); };
    Node acc = local("acc", type);
    std::vector<Node> stmts{alloc(acc)};
    // body(r, c) for every element of the tile; one statement on vectors unless `plain`.
    auto each = [&](bool plain, const std::function<Node(const Node&, const Node&)>& body) {
      Node r = rows > 1 ? b_.var("r") : b_.imm(0), v = vectors > 1 ? b_.var("v") : b_.imm(0),
           c = lanes > 1 ? b_.var("c") : b_.imm(0);
      Node at = vectors > 1 ? scaled(v, lanes) : Node();
      at = !at ? c : lanes > 1 ? b_.add(at, c) : at;
      Node stmt = body(r, at);
      if (lanes > 1) stmt = b_.loop(c, b_.imm(lanes), stmt, plain ? TN_FOR_SERIAL : TN_FOR_VECTORIZED);
      if (vectors > 1) stmt = b_.loop(v, b_.imm(vectors), stmt, plain ? TN_FOR_SERIAL : TN_FOR_UNROLLED);
      if (rows > 1) stmt = b_.loop(r, b_.imm(rows), stmt, plain ? TN_FOR_SERIAL : TN_FOR_UNROLLED);
      return stmt;
    };
    // An expression of the nest at one element of the tile; what stages have computed comes from their locals.
    std::map<const TnNode*, Node> locals{{compute_.store.buffer().get(), acc}};
    auto at_element = [&](const Value& tree, const Node& r, const Node& c, const std::vector<Node>& from,
                          const std::vector<Node>& to) {
      std::vector<Node> all_from = outer_from_, all_to = outer_to_;
      all_from.insert(all_from.end(), from.begin(), from.end());
      all_to.insert(all_to.end(), to.begin(), to.end());
      if (row_) all_from.push_back(row_->var), all_to.push_back(plus(row, r));
      all_from.push_back(column_->var), all_to.push_back(plus(column, c));
      Value loaded = b_.rewrite(tree, [&](const Node& original, const Node& n) -> Value {
        for (size_t i = 0; i < panels_.size(); ++i) {
          if (!panels_[i].value.same_as(original)) continue;
          std::vector<Node> at;
          for (const Axis* a : panels_[i].axes) at.push_back(a->var);
          at.push_back(c);
          return b_.load(laid_out_[i], b_.array(at));
        }
        const auto* load = n.as<tir::BufferLoad>();
        auto it = load ? locals.find(load->buffer().get()) : locals.end();
        return it == locals.end() ? Value() : Value(b_.load(it->second, b_.array({r, c})));
      });
      // What a T.Let binds is bound anew in each copy.
      return b_.renew(b_.substitute(loaded, b_.array(all_from), b_.array(all_to)));
    };
    auto value_at = [&](const Node& e, const Node& r, const Node& c, const std::vector<Node>& from = {},
                        const std::vector<Node>& to = {}) {
      Value v = at_element(Value(e), r, c, from, to);
      return as_node(v);
    };

    stmts.push_back(each(false, [&](const Node& r, const Node& c) {
      return b_.store(acc, b_.array({r, c}), value_at(compute_.init, r, c));
    }));
    std::vector<Node> from, to;
    for (const Axis& a : compute_.nest.reduce) {
      from.push_back(a.var);
      to.push_back(b_.var(a.var.to<ir::Var>().name()));
    }
    Node body = each(false, [&](const Node& r, const Node& c) {
      return b_.store(acc, b_.array({r, c}), value_at(compute_.store.value(), r, c, from, to));
    });
    for (size_t i = to.size(); i-- > 0;) body = b_.loop(to[i], compute_.nest.reduce[i].extent, body);
    stmts.push_back(body);

    // What has no vector form reads a copy, so that the sums stay in registers.
    bool plain = !direct_ && lanes > 1;
    if (plain) {
      Node copy = local("tile", type);
      stmts.push_back(alloc(copy));
      stmts.push_back(each(false, [&](const Node& r, const Node& c) {
        return b_.store(copy, b_.array({r, c}), b_.load(acc, b_.array({r, c})));
      }));
      locals[compute_.store.buffer().get()] = copy;
    }
    for (size_t i = 0; i < stages_.size(); ++i) {
      const tir::BufferStore& s = stages_[i].store;
      bool last = i + 1 == stages_.size();
      Node result;
      if (i > 0 && !last) {
        result = local(s.buffer().to<tir::Buffer>().name(), s.buffer().to<tir::Buffer>().dtype());
        stmts.push_back(alloc(result));
        stmts.push_back(each(plain, [&](const Node& r, const Node& c) {
          return b_.store(result, b_.array({r, c}), value_at(s.value(), r, c));
        }));
        locals[s.buffer().get()] = result;
      }
      if (!last && !stages_[i].keep) continue;
      bool computed = i == 0 || !last;  // the value lies in a local
      stmts.push_back(each(plain, [&](const Node& r, const Node& c) {
        Node value = computed ? b_.load(locals.at(s.buffer().get()), b_.array({r, c})) : value_at(s.value(), r, c);
        Value indices = at_element(b_.array_value(s.indices()), r, c, {}, {});
        return b_.store(s.buffer(), indices.ref<Array>(), value);
      }));
    }
    return b_.make<tir::Seq>({b_.array(stmts)});
  }
  Node plus(const Node& a, const Node& c) const {
    if (constant_of(a) == 0) return c;
    return constant_of(c) == 0 ? a : b_.add(a, c);
  }

  const Context& c_;
  const Builder& b_;
  const Compute& compute_;
  const std::vector<Stage>& stages_;
  const Axis *row_ = nullptr, *column_ = nullptr;
  TileShape shape_;
  double cost_ = 0;
  bool direct_ = true;  // every store of the tile is one of vectors
  Cut rows_, columns_;
  int64_t chunk_ = 0;  // tiles of rows of one unit
  std::vector<Panel> panels_;
  std::vector<Node> laid_out_;  // their buffers, for the columns at hand
  std::vector<Node> outer_from_, outer_to_;
};

bool Tiler::choose() {
  const Nest& nest = compute_.nest;
  DLDataType type = compute_.store.buffer().to<tir::Buffer>().dtype();
  cost_ = INFINITY;
  for (const Axis& column : nest.spatial) {
    int64_t lanes = c_.machine.lanes(type);
    if (column.constant)
      while (lanes > *column.constant) lanes /= 2;
    bool stored = stores_vectors(column.var);
    bool init = c_.accesses.is_vector_along(compute_.init, column.var);
    bool vector = lanes > 1 && init && c_.accesses.is_vector_along(compute_.store.value(), column.var);
    for (size_t i = 0; i <= nest.spatial.size(); ++i) {
      const Axis* row = i < nest.spatial.size() ? &nest.spatial[i] : nullptr;
      if (row == &column) continue;
      std::vector<Panel> panels;
      if (c_.options.pack && row && lanes > 1 && init && row->constant.value_or(kFewRows) >= kFewRows)
        panels = worth(*row, column);
      bool packed = !panels.empty();
      if (!vector && !packed && !runs_along_memory()) continue;
      double cost = 0;
      std::optional<int64_t> rows = row ? row->constant : std::optional<int64_t>(1);
      int64_t width = vector || packed ? lanes : 1;
      TileShape shape = choose_tile(c_.machine, c_.options, operands(row, column), rows, column.constant, width, &cost);
      if (!stored) cost *= 1.2;
      // One artifact serves few rows too: where extents are not known, a tile may not fill.
      if ((row && !row->constant) || !column.constant) cost *= kUnknown;
      // What is laid out anew is computed once for all rows.
      for (const Panel& p : panels)
        if (!p.is_vector) cost += kScattered / static_cast<double>(rows.value_or(kManyRows));
      if (cost >= cost_) continue;
      cost_ = cost;
      shape_ = shape;
      row_ = row;
      column_ = &column;
      direct_ = stored;
      panels_ = panels;
    }
  }
  return column_ != nullptr;
}

}  // namespace

Node schedule_reduction(const Context& c, const Compute& compute, const std::vector<Stage>& stages) {
  Tiler as_it_is(c, compute, stages);
  bool found = as_it_is.choose();
  if (std::optional<Merged> merged = merge_last_axes(c.b, compute, stages)) {
    Tiler tiler(c, merged->compute, merged->stages);
    constexpr double kClearly = 0.95;
    if (tiler.choose() && (!found || tiler.cost() < kClearly * as_it_is.cost())) {
      std::vector<Node> stmts = merged->views;
      stmts.push_back(tiler.run());
      return c.b.seq(stmts);
    }
  }
  return found ? as_it_is.run() : Node();
}

}  // namespace tenon::cpu
