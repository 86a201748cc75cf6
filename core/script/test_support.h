// What the tests of core/script share.
#ifndef TENON_CORE_SCRIPT_TEST_SUPPORT_H
#define TENON_CORE_SCRIPT_TEST_SUPPORT_H

#include <gtest/gtest.h>

#include <string>

#include "ir/constant_store.h"
#include "ir/structural_equal.h"
#include "ir/test_support.h"
#include "script/parse.h"
#include "script/print.h"

namespace tenon::test {

inline Node read(std::string_view text) {
  static ConstantStore constants;
  ParseContext context;
  context.make_constant = [](const DLTensor& t) { return Value(constants.add(t)); };
  context.find_constant = [](std::string_view digest) { return Value(constants.find(digest)); };
  return parse(text, "test.py", context);
}

// Reads, prints, reads again: the modules are equal and the text is a fixed point. Returns the text.
inline std::string round_trip(const Node& module) {
  std::string printed = print(Value(module));
  Node again;
  try {
    again = read(printed);
  } catch (const Error& e) {
    ADD_FAILURE() << e.where << ": " << e.message << " (" << e.hint << ")\n" << printed;
    return printed;
  }
  Value a(module), b(again);
  auto difference = first_difference(*a.ptr(), *b.ptr());
  EXPECT_FALSE(difference.has_value()) << *difference << "\n" << printed << "\n" << print(b);
  EXPECT_EQ(print(b), printed);
  return printed;
}
inline std::string round_trip(std::string_view text) { return round_trip(read(text)); }

// The lines of a loop function's body in a module around them.
inline std::string in_function(std::string_view lines, std::string_view params = "A: T.Buffer((16, 16), \"float32\")") {
  std::string text = "@T.prim_func\ndef main(" + std::string(params) + "):\n";
  size_t at = 0;
  while (at < lines.size()) {
    size_t end = std::min(lines.find('\n', at), lines.size());
    text += "    " + std::string(lines.substr(at, end - at)) + "\n";
    at = end + 1;
  }
  return text;
}

}  // namespace tenon::test
#endif
