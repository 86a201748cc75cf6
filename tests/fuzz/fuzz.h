// What the fuzz targets share: a session, and a stop on what must not happen.
#ifndef TENON_FUZZ_FUZZ_H
#define TENON_FUZZ_FUZZ_H

#include <tenon/compiler_session.h>

#include <cstdio>
#include <cstdlib>

namespace tenon::fuzz {

inline CompilerSession& session() {
  static CompilerSession s(tn_compiler(), Value());
  return s;
}

// Errors of the input are what the target is about; an error of Tenon's own is a finding.
inline void refuse_internal(const Error& e) {
  if (e.code != TN_ERROR_INTERNAL && e.code != TN_ERROR_PLUGIN) return;
  std::fprintf(stderr, "an internal error: %s\n", e.message.c_str());
  std::abort();
}

inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// Whether two trees are equal, free variables paired in order.
inline bool equal(const Builder& b, const Value& x, const Value& y) {
  return call([&](TnValue* ret) { return b.ir()->structural_equal(b.ir()->self, x.ptr(), y.ptr(), 1, ret); }).is_none();
}

}  // namespace tenon::fuzz
#endif
