// Functions of the graph level.
#include "script/elaborate.h"

namespace tenon::script {

Node Elaborator::graph_function(const Stmt& s, const Expr&) { source_.refuse(s.begin, "a graph function"); }
Node Elaborator::graph_expr(const Expr& e, const Node*) { expected(e, "an expression of the loop level"); }

}  // namespace tenon::script
