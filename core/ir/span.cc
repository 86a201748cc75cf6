#include "ir/span.h"

namespace tenon {

namespace {

// A range and the string that its source points into.
struct SpanObject {
  TnSpan base;
  TnValue source;
};

}  // namespace

Span make_span(const Value& source, int32_t line, int32_t column, int32_t end_line, int32_t end_column) {
  if (source.type_index() != TN_STRING) throw Error(TN_ERROR_ARGUMENT, "the source of a range must be a string");
  if (line < 0 || column < 0 || end_line < 0 || end_column < 0)
    throw Error(TN_ERROR_ARGUMENT,
                "cannot make a source range of " + std::string(source.as_string()) + ": a line or column is negative");
  Value v = call([&](TnValue* ret) {
    return tn_runtime()->object(
        sizeof(SpanObject), TN_SPAN, [](void* self) { tn_value_release(&static_cast<SpanObject*>(self)->source); },
        ret);
  });
  auto* span = reinterpret_cast<SpanObject*>(v.raw().as.object);
  span->source = Value(source).release();
  span->base.source = source.as_string().data();
  span->base.line = line;
  span->base.column = column;
  span->base.end_line = end_line;
  span->base.end_column = end_column;
  return Span::adopt(reinterpret_cast<const TnSpan*>(v.release().as.object));
}

Span make_span(std::string_view source, int32_t line, int32_t column, int32_t end_line, int32_t end_column) {
  Value text = call([&](TnValue* ret) { return tn_runtime()->string(source.data(), source.size(), ret); });
  return make_span(text, line, column, end_line, end_column);
}

std::string location_text(const TnSpan* span) {
  if (!span) return {};
  std::string s = span->source && *span->source ? span->source : "<text>";
  if (span->line > 0) s += ":" + std::to_string(span->line);
  if (span->line > 0 && span->column > 0) s += ":" + std::to_string(span->column);
  return s;
}

}  // namespace tenon
