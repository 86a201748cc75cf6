// The graph level.
#include "script/printer.h"

namespace tenon::script {

bool Printer::type_is_plain(const Node&) const { return false; }
void Printer::type(const Node& n) { generic(n); }
bool Printer::is_plain(const relax::Function&) const { return false; }
void Printer::graph_function(std::string_view, const relax::Function& f) { generic(f); }
bool Printer::graph_body(const Node&) { return false; }
void Printer::graph_value(const Node& n, const Value*) { generic(n); }

}  // namespace tenon::script
