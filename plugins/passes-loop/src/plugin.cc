// passes-loop: the table of its passes.
#include "rewriter.h"

namespace tenon::loop {
namespace {

constexpr FunctionPass<PassesLoop> kPasses[] = {
    {"inline-elementwise", &inline_elementwise},
    {"sink-spatial", &sink_spatial},
    {"decompose-reduction", &decompose_reduction},
    {"lower-match-buffers", &lower_match_buffers},
    {"lower-blocks", &lower_blocks},
    {"simplify", &simplify},
    {"vectorize-loops", &vectorize_loops},
    {"unroll-loops", &unroll_loops},
    {"flatten-buffers", &flatten_buffers},
};
constexpr TnPass kTable = function_passes<PassesLoop, kPasses>();

}  // namespace
}  // namespace tenon::loop

TENON_PLUGIN(tenon::loop::PassesLoop, tenon::loop::kTable)
