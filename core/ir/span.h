// Source ranges of nodes.
#ifndef TENON_CORE_IR_SPAN_H
#define TENON_CORE_IR_SPAN_H

#include <string>
#include <string_view>

#include "tenon/cxx/node.h"

namespace tenon {

using Span = Ref<const TnSpan>;

Span make_span(std::string_view source, int32_t line, int32_t column, int32_t end_line, int32_t end_column);

// The same, sharing the text of a TN_STRING value.
Span make_span(const Value& source, int32_t line, int32_t column, int32_t end_line, int32_t end_column);

// "file:line:col", or "" without a span.
std::string location_text(const TnSpan* span);

}  // namespace tenon
#endif
