// The regions that a block reads and writes, for blocks whose text does not say.
#ifndef TENON_CORE_SCRIPT_REGIONS_H
#define TENON_CORE_SCRIPT_REGIONS_H

#include <vector>

#include "tenon/cxx/builder.h"

namespace tenon::script {

struct BlockRegions {
  std::vector<Value> reads, writes;  // tir.BufferRegion, in the order of first use
};

// A dimension is the index itself where all accesses agree on one that only block variables and outer names decide,
// else the whole extent. What a reduction block writes does not count as read.
BlockRegions block_regions(const Builder& b, const Node& body, const Node& init, const std::vector<Value>& allocated,
                           const std::vector<Value>& matched, const TnSpan* span);

}  // namespace tenon::script
#endif
