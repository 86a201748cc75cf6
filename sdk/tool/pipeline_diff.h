// What is different between two pipelines or locks, given as JSON.
#ifndef TENON_TOOL_PIPELINE_DIFF_H
#define TENON_TOOL_PIPELINE_DIFF_H

#include "tool.h"

namespace tenon::tool {

// Rows {what, left, right}: a stage, a plugin, or another part of a lock; `left` or `right` is null where it is on one
// side alone. Stages are {pass, options}; their order is that of the pipelines, aligned so that few rows are needed.
Json differences(const Json& left, const Json& right);

// One row as lines of text that begin with '-', '+' or '~'.
std::string difference_text(const Json& row);

}  // namespace tenon::tool
#endif
