// Runs the programs of this folder through every executor and compares with plain C++.
#ifndef TENON_TESTS_PROGRAMS_HARNESS_H
#define TENON_TESTS_PROGRAMS_HARNESS_H

#include <gtest/gtest.h>
#include <tenon/testing.h>

#include <functional>
#include <random>
#include <string>
#include <vector>

namespace tenon::programs {

// An executor ("" for an artifact), and the pipeline that brings a module into the form that it takes ("" for none).
struct Executor {
  const char* name;
  const char* plugin;
  const char* pipeline;
};
// One line each; a module is run by all of them.
inline constexpr Executor kExecutors[] = {
    {"interp", "eval-interp", ""},
    {"lowered", "eval-interp", "cpu"},
    {"llvm", "codegen-llvm", "cpu"},
    {"artifact", "", "cpu"},
};

// The text of a program of this folder ("loop/matmul.py").
std::string read_program(const std::string& file);
// The files of all programs, such as "loop/matmul.py", and a test's name for one.
std::vector<std::string> program_files();
std::string program_name(const ::testing::TestParamInfo<std::string>& info);

// A session with its services; external functions are registered before a module is loaded.
class Session {
 public:
  Session();
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  const Builder& builder() const { return builder_; }
  void provide(const char* name, std::function<Value(const TnValue* args, int32_t n)> function);
  // The functions of a program.
  Map load(const std::string& file, const Executor& executor);
  // The module after stages "PLUGIN:PASS" or "PLUGIN:PASS{options}", or after the stages of one pipeline by name.
  Node transform(const Node& module, const std::vector<std::string>& stages);
  Map load_module(const Node& module, const char* plugin);
  // Writes the module's text into a file, and the bytes that it refers to beside it.
  void save(const Node& module, const std::string& path);
  // The functions of the artifact that a lowered module becomes; what was provided serves its imports.
  Map load_artifact(const Node& module);
  // Runs a pipeline on the module with check_each; what it reports (TnCompiler.run_pipeline). Throws for a wrong pass.
  Map check_each(const Node& module, const std::vector<std::string>& stages);
  // The text of a program, parsed.
  Node parse(const std::string& file) { return parse_text(read_program(file), file); }
  Node parse_text(const std::string& text, const std::string& name);
  // A text outside of this folder.
  Node parse_file(const std::string& path);
  std::string print(const Node& module);
  void verify(const Node& module);
  // The path to the first difference of two modules; "" when they are equal.
  std::string difference(const Node& a, const Node& b);

 private:
  Value pipeline_of(const std::vector<std::string>& stages) const;

  const TnCompiler* compiler_;
  TnSession* session_ = nullptr;
  Builder builder_;
  Builder::Entries provided_;
};

using test::dtype_for;
using test::Tensor;

// Calls a function of a loaded module; throws its error.
Value invoke(const Map& functions, const char* name, std::vector<Value> args);
// The float32 elements of each tensor in a result, tuples flattened.
using Results = std::vector<std::vector<float>>;
void append_floats(const Value& result, Results& out);

template <class T>
void expect_equal(const Tensor<T>& got, const Tensor<T>& expected) {
  for (size_t i = 0; i < expected.size(); ++i) ASSERT_EQ(got[i], expected[i]) << "element " << i;
}
// |got - expected| <= absolute + relative * |expected|
template <class T>
void expect_close(const Tensor<T>& got, const Tensor<T>& expected, double relative, double absolute) {
  for (size_t i = 0; i < expected.size(); ++i)
    ASSERT_NEAR(got[i], expected[i], absolute + relative * std::abs(static_cast<double>(expected[i])))
        << "element " << i;
}

}  // namespace tenon::programs
#endif
