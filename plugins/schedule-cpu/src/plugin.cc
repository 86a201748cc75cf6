// schedule-cpu: the table of its passes.
#include "schedule.h"

namespace tenon::cpu {
namespace {

constexpr FunctionPass<ScheduleCpu> kPasses[] = {{"schedule", &schedule}};
constexpr TnPass kTable = function_passes<ScheduleCpu, kPasses>();

}  // namespace
}  // namespace tenon::cpu

TENON_PLUGIN(tenon::cpu::ScheduleCpu, tenon::cpu::kTable)
