#include "ir/span.h"

namespace tenon {

Span make_span(std::string_view source, int32_t line, int32_t column, int32_t end_line, int32_t end_column) {
  if (line < 0 || column < 0 || end_line < 0 || end_column < 0)
    throw Error(TN_ERROR_ARGUMENT,
                "cannot make a source range of " + std::string(source) + ": a line or column is negative");
  Value v = call(
      [&](TnValue* ret) { return tn_runtime()->object(sizeof(TnSpan) + source.size() + 1, TN_SPAN, nullptr, ret); });
  auto* span = reinterpret_cast<TnSpan*>(v.raw().as.object);
  char* text = reinterpret_cast<char*>(span + 1);
  std::memcpy(text, source.data(), source.size());
  text[source.size()] = 0;
  span->source = text;
  span->line = line;
  span->column = column;
  span->end_line = end_line;
  span->end_column = end_column;
  return Span::adopt(reinterpret_cast<const TnSpan*>(v.release().as.object));
}

std::string location_text(const TnSpan* span) {
  if (!span) return {};
  std::string s = span->source && *span->source ? span->source : "<text>";
  if (span->line > 0) s += ":" + std::to_string(span->line);
  if (span->line > 0 && span->column > 0) s += ":" + std::to_string(span->column);
  return s;
}

}  // namespace tenon
