// Integer reasoning about loop-level expressions: bounds, congruence, simplification, proofs.
// tenon/ext/arith.h says what it promises, about overflow above all. An analyzer belongs to one thread at a time.
#ifndef TENON_ARITH_ANALYZER_H
#define TENON_ARITH_ANALYZER_H

#include <memory>

#include "tenon/cxx/builder.h"
#include "tenon/ext/arith.h"

namespace tenon {

namespace arith {
class Engine;
}

class Analyzer {
 public:
  Analyzer();  // makes nodes through core's own tables
  explicit Analyzer(const Builder& b);
  ~Analyzer();
  Analyzer(Analyzer&&) noexcept;
  Analyzer& operator=(Analyzer&&) noexcept;

  // var is in [min, min + extent). Throws TN_ERROR_ARGUMENT when var is no variable.
  void bind_range(const Node& var, const Node& min, const Node& extent);
  void bind_value(const Node& var, const Node& value);

  // What is assumed or bound from here on is forgotten at the matching leave.
  void enter_constraint(const Node& condition);
  void leave_constraint();
  class Scope {
   public:
    Scope(Analyzer& analyzer, const Node& condition) : analyzer_(analyzer) { analyzer.enter_constraint(condition); }
    ~Scope() { analyzer_.leave_constraint(); }
    Scope(const Scope&) = delete;

   private:
    Analyzer& analyzer_;
  };

  Node simplify(const Node& expr);
  bool can_prove(const Node& condition);
  bool can_prove_equal(const Node& a, const Node& b);

  struct Bounds {
    int64_t min, max;  // inclusive; INT64_MIN and INT64_MAX stand for none
  };
  Bounds bounds(const Node& expr);
  struct Modular {
    int64_t coefficient, base;  // coefficient * k + base for some integer k
  };
  Modular modular(const Node& expr);

 private:
  Builder b_;
  std::unique_ptr<arith::Engine> engine_;
};

// "tenon.host.arith/1" over this class.
const TnHostArith& arith_table();

}  // namespace tenon
#endif
