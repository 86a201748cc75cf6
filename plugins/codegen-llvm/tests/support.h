// What the tests of codegen-llvm share beside tenon/testing.h.
#ifndef TENON_CODEGEN_LLVM_TEST_SUPPORT_H
#define TENON_CODEGEN_LLVM_TEST_SUPPORT_H

#include <gtest/gtest.h>
#include <tenon/testing.h>

namespace tenon::test {

// Loads a module into an executor: its public functions. Imports are registered for the session.
Map load(const Node& module, const char* executor = "codegen-llvm", const Builder::Entries& imports = {},
         const Builder::Entries& options = {});
Value load_one(const Node& function, const char* executor = "codegen-llvm", const Builder::Entries& imports = {},
               const Builder::Entries& options = {});
// The module after a pipeline, verified after every pass.
Node run_pipeline(const Node& module, const char* pipeline);
// The payload for this machine, or for another target.
Map generate(const Node& module, const Builder::Entries& options = {}, const std::string& target = "cpu");

Node private_func(const std::vector<Node>& params, const Node& body);
Node load_at(const Node& buffer, const std::vector<Node>& at);
Node store_at(const Node& buffer, const std::vector<Node>& at, const Node& value);
Node call_packed(Value type, const std::string& name, const std::vector<Node>& args);
Node call_function(const std::string& name, const std::vector<Node>& args);

}  // namespace tenon::test
#endif
