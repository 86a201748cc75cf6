// IR for readers who know less of it: what came after a vocabulary is written with what was there before, where that
// says the same.
#ifndef TENON_CORE_IR_VOCABULARY_H
#define TENON_CORE_IR_VOCABULARY_H

#include <string>

#include "ir/make.h"

namespace tenon {

// The tree for a reader of `vocabulary`: the same tree when it holds nothing newer. Throws TN_ERROR_UNSUPPORTED, naming
// kind and slot, for what cannot be written in the older words; `reader` ("the pass com.vendor.thing:fold") leads the
// message.
Value convert_down(const Value& tree, int64_t vocabulary, const std::string& reader);

}  // namespace tenon
#endif
