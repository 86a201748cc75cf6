// Every refusal of a call: the same words from every executor, compared with the golden file expected.txt beside this
// one. With TENON_BLESS=1 in the environment the file is written anew.
#include <gtest/gtest.h>
#include <tenon/compiler_session.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace tenon {
namespace {

std::string read(const std::string& file) {
  std::ostringstream text;
  text << std::ifstream(std::string(CALL_ERRORS_DIR) + "/" + file).rdbuf();
  return text.str();
}

// A call that is right, to be changed in one thing: (2, 3) x (3, 4).
struct Call {
  std::vector<float> memory = std::vector<float>(400);
  struct Buffer {
    std::vector<int64_t> shape, strides;
    size_t first = 0;  // its place in `memory`
    DLDataType dtype = kFloat32;
    DLDeviceType device = kDLCPU;
    uint64_t byte_offset = 0;
    DLTensor tensor{};
  };
  Buffer a{{2, 3}, {}, 0}, b{{3, 4}, {}, 100}, flat{{8}, {}, 200}, c{{2, 4}, {}, 300};
  Value b_instead;  // when it is something
  Value scale{0.5}, rows{2};
  bool without_rows = false;

  Value value(Buffer& t) {
    t.tensor = {memory.data() + t.first,
                {t.device, 0},
                static_cast<int32_t>(t.shape.size()),
                t.dtype,
                t.shape.data(),
                t.strides.empty() ? nullptr : t.strides.data(),
                t.byte_offset};
    return Value(&t.tensor);
  }
  std::string run(const Value& function) {
    std::vector<Value> args = {value(a), b_instead.is_none() ? value(b) : b_instead, value(flat), value(c), scale};
    if (!without_rows) args.push_back(rows);
    try {
      call_function(function, args);
      return "accepted\n";
    } catch (const Error& e) {
      return "error " + std::to_string(e.code) + ": " + e.message + "\n" +
             (e.hint.empty() ? "" : "hint: " + e.hint + "\n");
    }
  }
};

struct Row {
  const char* title;
  void (*change)(Call&);
};
constexpr Row kRows[] = {
    {"nothing is wrong", [](Call&) {}},
    {"too few arguments", [](Call& c) { c.without_rows = true; }},
    {"a number for a tensor", [](Call& c) { c.b_instead = Value(1); }},
    {"a tensor for a number", [](Call& c) { c.scale = c.value(c.a); }},
    {"an integer for a float", [](Call& c) { c.scale = Value(1); }},
    {"a float for an integer", [](Call& c) { c.rows = Value(2.0); }},
    {"an integer that is too large", [](Call& c) { c.rows = Value(int64_t{1} << 40); }},
    {"wrong dtype", [](Call& c) { c.b.dtype = kFloat64; }},
    {"wrong rank", [](Call& c) { c.b.shape = {12}; }},
    {"wrong shape", [](Call& c) { c.b.shape = {4, 4}; }},
    {"wrong composed shape", [](Call& c) { c.flat.shape = {7}; }},
    {"wrong device", [](Call& c) { c.b.device = kDLCUDA; }},
    {"not contiguous", [](Call& c) { c.b.strides = {1, 3}; }},
    {"not aligned", [](Call& c) { c.b.byte_offset = 1; }},
    {"output overlaps an input", [](Call& c) { c.c.first = 102; }},
};

// With a pipeline, of the module that it makes.
std::string refusals(const char* executor, const char* pipeline) {
  const CompilerSession session(tn_compiler(), Value());
  Node module = session.parse(read("scaled_matmul.py"), "scaled_matmul.py");
  if (*pipeline) module = as_node(*session.run_pipeline(module, Value(pipeline), Value()).find("module"));
  const Map functions = session.load(module, executor, Value());
  const Value* main = functions.find("main");
  if (!main) throw Error(TN_ERROR_NOT_FOUND, "the module has no function main");
  std::string out;
  for (const Row& row : kRows) {
    Call c;
    row.change(c);
    out += std::string("== ") + row.title + "\n" + c.run(*main);
  }
  return out;
}

TEST(CallErrors, AreAsRecordedInTheInterpreter) {
  const std::string said = refusals("eval-interp", "");
  if (std::getenv("TENON_BLESS")) std::ofstream(std::string(CALL_ERRORS_DIR) + "/expected.txt") << said;
  EXPECT_EQ(said, read("expected.txt"));
}

TEST(CallErrors, AreTheSameWhenLowered) { EXPECT_EQ(refusals("eval-interp", "cpu"), read("expected.txt")); }

TEST(CallErrors, AreTheSameInGeneratedCode) { EXPECT_EQ(refusals("codegen-llvm", "cpu"), read("expected.txt")); }

}  // namespace
}  // namespace tenon
