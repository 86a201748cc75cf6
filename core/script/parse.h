// What lives in core/script: the text form of the IR, a subset of TVMScript. parse.h reads it, print.h writes it;
// sdk/docs/script.md tables what is accepted.
//
// Reading goes text -> tokens (lexer.h) -> syntax (syntax.h) -> IR (elaborate.h). No pass and no verifier runs here.
#ifndef TENON_CORE_SCRIPT_PARSE_H
#define TENON_CORE_SCRIPT_PARSE_H

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "script/limits.h"
#include "tenon/cxx/builder.h"

namespace tenon {

struct ParseContext {
  // The record of an op ("tir.exp"), a map as TnHostOps.find gives it, or none when there is no such op.
  // Without this callback every op is accepted, with the dtype of its first argument.
  std::function<Value(std::string_view id)> find_op;
  // Every known op, for suggestions.
  std::function<std::vector<std::string>()> op_names;
  // The TnConstant with this digest ("sha256:..."), or none. Without it I.data("sha256:...") is refused.
  std::function<Value(std::string_view digest)> find_constant;
  // A constant with these bytes, for what the text holds inline. Without it TnHostIr.constant makes it.
  std::function<Value(const DLTensor& tensor)> make_constant;
  ScriptLimits limits;
};

// The ir.Module that the text describes. Every node has a span in `file`. Works on a stack of 256 KiB: deeply nested
// text is read on a thread of its own. Throws TN_ERROR_PARSE with "file:line:col", or TN_ERROR_LIMIT.
Node parse(std::string_view text, std::string_view file, const ParseContext& context);

}  // namespace tenon
#endif
