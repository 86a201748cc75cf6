// Any text is parsed or refused; what was parsed prints, and parses again to an equal module.
#include "fuzz.h"

using namespace tenon;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  CompilerSession& s = fuzz::session();
  Node module;
  try {
    module = s.parse({reinterpret_cast<const char*>(data), size}, "fuzz.py");
  } catch (const Error& e) {
    fuzz::refuse_internal(e);
    return 0;
  }
  try {
    Node again = s.parse(s.print(module), "again.py");
    fuzz::require(fuzz::equal(s.builder(), module, again), "print then parse gives an equal module");
    s.verify(module);
  } catch (const Error& e) {
    fuzz::refuse_internal(e);
    fuzz::require(e.code != TN_ERROR_PARSE, ("what was printed is parsed: " + e.where + " " + e.message).c_str());
  }
  return 0;
}
