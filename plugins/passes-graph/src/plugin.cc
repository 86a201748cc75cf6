// Which pass has which name. The manifest says what each does and what options it takes.
#include "passes.h"

namespace tenon::graph {
namespace {

constexpr FunctionPass<PassesGraph> function_rows[] = {
    {"normalize", &normalize},
    {"decompose-batch-norm", &decompose_batch_norm},
    {"eliminate-dead", &eliminate_dead},
};

constexpr ModulePass<PassesGraph> module_rows[] = {
    {"legalize", &legalize},
    {"lift-layout", &lift_layout},
    {"fold-constants", &fold_constants},
    {"fuse", &fuse},
    {"merge-fused", &merge_fused},
    {"partition", &partition},
    {"external-codegen", &external_codegen},
    {"remove-unused-functions", &remove_unused_functions},
    {"lower-to-host", &lower_to_host},
    {"plan-memory", &plan_memory},
};

constexpr TnPass table = all_passes<PassesGraph, module_rows, function_rows>();

}  // namespace
}  // namespace tenon::graph

TENON_PLUGIN(tenon::graph::PassesGraph, tenon::graph::table)
