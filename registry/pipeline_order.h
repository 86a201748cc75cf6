// Whether the passes of a pipeline fit together: levels, and what they require, provide, invalidate, follow and
// precede.
#ifndef TENON_REGISTRY_PIPELINE_ORDER_H
#define TENON_REGISTRY_PIPELINE_ORDER_H

#include "build/plugin_info.h"

namespace tenon {

// Every module may hold these properties at the beginning: functions of either level, and blocks in loop functions. A
// pass of level graph requires `graph`, one of level loop requires `loop`.
const std::vector<std::string>& initial_properties();

// `assumed`: further properties that hold at the beginning.
void check_order(const Pipeline& pipeline, const std::vector<std::string>& assumed, PluginProvider& provider,
                 std::vector<Error>& complaints);

// The order in which passes that fill one slot run: as given, moved only as far as `after` and `before` ask. Indices
// into `passes`, whose elements may be null for what has no constraints. `stuck` gets the passes that ask for a circle.
std::vector<size_t> constrained_order(const std::vector<PassRef>& passes, std::vector<size_t>& stuck);

}  // namespace tenon
#endif
