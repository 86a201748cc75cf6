// What the tests of eval-interp share beside tenon/testing.h.
#ifndef TENON_INTERP_TEST_SUPPORT_H
#define TENON_INTERP_TEST_SUPPORT_H

#include <gtest/gtest.h>
#include <tenon/testing.h>

namespace tenon::test {

// A service of the session.
const void* service(const char* id);

// Loads a module into eval-interp: its public functions.
Map load(const Node& module, const Map& imports = {}, const Map& options = {});
// The one function of a module that has one.
Value load_one(const Node& function, const Map& imports = {}, const Map& options = {});

Node range(const Node& min, const Node& extent);
Node iter_var(const Node& var, const Node& extent, int64_t kind);
Node block(const std::string& name, const std::vector<Node>& axes, const std::vector<Node>& values, const Node& body,
           const Value& init = {}, const std::vector<Node>& alloc = {}, const std::vector<Node>& match = {});

}  // namespace tenon::test
#endif
