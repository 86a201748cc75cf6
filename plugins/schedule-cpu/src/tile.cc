// Chooses register tiles: rows of vectors that are kept in registers while a reduction runs.
#include <algorithm>
#include <cmath>

#include "schedule.h"

namespace tenon::cpu {
namespace {

// Per cycle, as on the processors of the last ten years: two operations, two reads; an operation takes four cycles.
constexpr double kOperations = 2, kReads = 2, kLatency = 4;
// A read costs a little even where operations are the bound, for it may miss the first cache: a vector more than an
// element.
constexpr double kVectorPressure = 0.2, kElementPressure = 0.05;
// What a symbolic extent is taken to be.
constexpr int64_t kTypicalRows = 60, kTypicalColumns = 240;
constexpr int64_t kMaxRows = 24, kMaxVectors = 8;

double step_cycles(const std::vector<Operand>& operands, int64_t rows, int64_t vectors) {
  double reads = 0, pressure = 0;
  for (const Operand& o : operands) {
    auto n = static_cast<double>((o.rows ? rows : 1) * (o.columns ? vectors : 1));
    reads += n;
    pressure += n * (o.columns ? kVectorPressure : kElementPressure);
  }
  double operations = static_cast<double>(rows * vectors);
  return std::max({operations / kOperations, reads / kReads, kLatency}) + pressure;
}

// The pieces that a rest of columns is cut into; each costs about as much as a vector.
int64_t pieces(int64_t rest, int64_t lanes) {
  int64_t n = rest / lanes;
  for (rest %= lanes; lanes > 4 && rest > 0;) {
    lanes /= 2;
    if (rest >= lanes) ++n, rest -= lanes;
  }
  return n + rest;
}

}  // namespace

Machine machine_of(const Map& target) {
  Machine m;
  std::set<std::string> features;
  if (const Value* list = target.find("features"); list && list->is_array())
    for (const Value& f : list->ref<Array>()) features.emplace(f.as_string());
  const Value* arch = target.find("arch");
  bool arm = arch && arch->is_string() && arch->as_string() == "aarch64";
  if (features.count("+avx512f"))
    m.vector_bits = 512, m.registers = 32;
  else if (features.count("+avx") || features.count("+avx2"))
    m.vector_bits = 256;
  if (arm) m.registers = 32;
  return m;
}

TileShape choose_tile(const Machine& machine, const Options& options, const std::vector<Operand>& operands,
                      std::optional<int64_t> rows, std::optional<int64_t> columns, int64_t lanes, double* cost) {
  int64_t m = rows.value_or(kTypicalRows), n = columns.value_or(kTypicalColumns);
  TileShape best;
  best.lanes = lanes;
  *cost = INFINITY;
  for (int64_t v = 1; v <= std::min(kMaxVectors, std::max<int64_t>(1, n / lanes)); ++v) {
    if (options.tile_vectors > 0 && v != std::min(options.tile_vectors, std::max<int64_t>(1, n / lanes))) continue;
    for (int64_t r = 1; r <= std::min(kMaxRows, m); ++r) {
      if (options.tile_rows > 0 && r != std::min(options.tile_rows, m)) continue;
      // Accumulators, one row of vectors of the operands that rows share, and one for what is spread over a vector.
      int64_t shared = 0;
      for (const Operand& o : operands) shared += o.columns && !o.rows ? v : 0;
      if (r * v + shared + 1 > machine.registers && r * v > 1 && options.tile_rows == 0) continue;
      double column_tiles = static_cast<double>(n / (v * lanes)), row_tiles = static_cast<double>(m / r);
      int64_t row_rest = m % r, column_rest = n % (v * lanes);
      double total = column_tiles * row_tiles * step_cycles(operands, r, v);
      if (row_rest) total += column_tiles * step_cycles(operands, row_rest, v);
      double parts = static_cast<double>(pieces(column_rest, lanes));
      total += parts * row_tiles * step_cycles(operands, r, 1);
      if (row_rest) total += parts * step_cycles(operands, row_rest, 1);
      total /= static_cast<double>(m * n);
      if (total < *cost * 0.999) {
        *cost = total;
        best = {r, v, lanes, step_cycles(operands, r, v)};
      }
    }
  }
  return best;
}

}  // namespace tenon::cpu
