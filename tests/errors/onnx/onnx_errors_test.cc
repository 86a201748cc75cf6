// Every refusal of a model, compared with the golden file expected.txt beside this one: one thing is wrong in each.
// With TENON_BLESS=1 in the environment the file is written anew.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <tenon/compiler_session.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "onnx_model.h"

namespace tenon {
namespace {

using test::Message;
using test::OnnxModel;

struct Row {
  const char* title;
  void (*change)(OnnxModel&);
};

void external(OnnxModel& m, const std::vector<std::pair<std::string, std::string>>& entries) {
  m.conv_weight = OnnxModel::external("w", {2, 1, 3, 3}, entries);
}

const Row kRows[] = {
    {"nothing is wrong", [](OnnxModel&) {}},
    // The file
    {"no graph", [](OnnxModel& m) { m.has_graph = false; }},
    {"no version of the operators", [](OnnxModel& m) { m.has_opset = false; }},
    {"operators that are too new", [](OnnxModel& m) { m.opset = 99; }},
    {"local functions", [](OnnxModel& m) { m.has_functions = true; }},
    // Operators
    {"an operator that ONNX has not",
     [](OnnxModel& m) { m.activation = OnnxModel::node("Reluu", {"c"}, {"r"}, "act1", {}); }},
    {"an operator that is not converted",
     [](OnnxModel& m) { m.activation = OnnxModel::node("StringNormalizer", {"c"}, {"r"}, "act1", {}); }},
    {"an operator of a vendor",
     [](OnnxModel& m) { m.activation = OnnxModel::node("FusedRelu", {"c"}, {"r"}, "act1", {}, "com.vendor"); }},
    {"a nameless operator of a vendor",
     [](OnnxModel& m) { m.activation = OnnxModel::node("FusedRelu", {"c"}, {"r"}, "", {}, "com.vendor"); }},
    // Converters of plugins: tests/plugins/contract-probe
    {"an operator that a plugin converts",
     [](OnnxModel& m) { m.activation = OnnxModel::node("AddTwice", {"c", "c"}, {"r"}, "twice", {}, "com.example"); }},
    {"an operator that it does not convert",
     [](OnnxModel& m) { m.activation = OnnxModel::node("AddThrice", {"c", "c"}, {"r"}, "thrice", {}, "com.example"); }},
    {"a converter that returns too much",
     [](OnnxModel& m) { m.activation = OnnxModel::node("TwoOutputs", {"c"}, {"r"}, "two", {}, "com.example"); }},
    {"a converter that returns no expression",
     [](OnnxModel& m) { m.activation = OnnxModel::node("NoExpression", {"c"}, {"r"}, "none", {}, "com.example"); }},
    {"a converter that misses an input",
     [](OnnxModel& m) { m.activation = OnnxModel::node("AddTwice", {"c"}, {"r"}, "twice", {}, "com.example"); }},
    // The graph
    {"an input that nothing computes",
     [](OnnxModel& m) { m.activation = OnnxModel::node("Relu", {"cc"}, {"r"}, "relu0", {}); }},
    {"nodes in the wrong order", [](OnnxModel& m) { std::swap(m.conv, m.activation); }},
    {"two inputs of one name", [](OnnxModel& m) { m.more_inputs = {m.input}; }},
    {"two weights of one name", [](OnnxModel& m) { m.more_weights = {m.bias}; }},
    {"two results of one name", [](OnnxModel& m) { m.pool = OnnxModel::node("Relu", {"r"}, {"r"}, "relu1", {}); }},
    {"a result named like a weight",
     [](OnnxModel& m) { m.activation = OnnxModel::node("Relu", {"c"}, {"w"}, "relu0", {}); }},
    {"two results of one node with one name",
     [](OnnxModel& m) { m.pool = OnnxModel::node("MaxPool", {"r"}, {"p", "p"}, "pool0", {{"kernel_shape", {2, 2}}}); }},
    {"a node without a result", [](OnnxModel& m) { m.activation = OnnxModel::node("Relu", {"c"}, {}, "relu0", {}); }},
    {"a node whose result has no name",
     [](OnnxModel& m) { m.activation = OnnxModel::node("Mean", {"c", "c"}, {""}, "mean0", {}); }},
    {"a node with too many inputs",
     [](OnnxModel& m) { m.activation = OnnxModel::node("Relu", {"c", "c"}, {"r"}, "relu0", {}); }},
    {"an attribute of another type",
     [](OnnxModel& m) { m.softmax = OnnxModel::node("Softmax", {"y"}, {"out"}, "softmax0", {{"axis", {1}}}); }},
    {"sparse weights", [](OnnxModel& m) { m.has_sparse = true; }},
    {"a name that drives a terminal",
     [](OnnxModel& m) { m.activation = OnnxModel::node("Re\x1b[31mlu\n", {"c"}, {"r"}, "relu0", {}); }},
    {"a node without its input", [](OnnxModel& m) { m.activation = OnnxModel::node("Relu", {}, {"r"}, "relu0", {}); }},
    {"an output that nothing computes", [](OnnxModel& m) { m.output = "outt"; }},
    {"an input that is no tensor",
     [](OnnxModel& m) { m.input = Message().text(1, "x").message(2, Message().text(4, "")); }},
    {"an input without a shape",
     [](OnnxModel& m) {
       m.input = Message().text(1, "x").message(2, Message().message(1, Message().number(1, test::kFloatType)));
     }},
    {"an input of strings", [](OnnxModel& m) { m.input = OnnxModel::value_info("x", 8, {-1, 1, 4, 4}); }},
    // Shapes and types
    {"channels that do not fit",
     [](OnnxModel& m) { m.input = OnnxModel::value_info("x", test::kFloatType, {-1, 3, 4, 4}); }},
    {"an input of the wrong rank", [](OnnxModel& m) { m.input = OnnxModel::value_info("x", test::kFloatType, {4}); }},
    {"inputs of two element types",
     [](OnnxModel& m) { m.input = OnnxModel::value_info("x", test::kInt64Type, {-1, 1, 4, 4}); }},
    {"a window that does not fit",
     [](OnnxModel& m) { m.pool = OnnxModel::node("MaxPool", {"r"}, {"p"}, "pool0", {{"kernel_shape", {9, 9}}}); }},
    {"a stride of zero",
     [](OnnxModel& m) {
       m.pool = OnnxModel::node("MaxPool", {"r"}, {"p"}, "pool0", {{"kernel_shape", {2, 2}}, {"strides", {0, 0}}});
     }},
    {"a stride of zero with padding that follows from it",
     [](OnnxModel& m) {
       m.pool = OnnxModel::node("MaxPool", {"r"}, {"p"}, "pool0",
                                {{"kernel_shape", {2, 2}}, {"strides", {0, 0}}, {"auto_pad", {}, true, "SAME_UPPER"}});
     }},
    {"padding on two sides of four",
     [](OnnxModel& m) {
       m.pool = OnnxModel::node("MaxPool", {"r"}, {"p"}, "pool0", {{"kernel_shape", {2, 2}}, {"pads", {1, 1}}});
     }},
    {"padding larger than any tensor",
     [](OnnxModel& m) {
       m.pool = OnnxModel::node("MaxPool", {"r"}, {"p"}, "pool0",
                                {{"kernel_shape", {2, 2}}, {"pads", {INT64_MAX, 1, 1, 1}}});
     }},
    {"arithmetic on truth values",
     [](OnnxModel& m) {
       m.activation = OnnxModel::node("Equal", {"c", "c"}, {"t"}, "equal0", {});
       m.pool = OnnxModel::node("Mul", {"t", "t"}, {"p"}, "mul0", {});
     }},
    {"a function of floating numbers on integers",
     [](OnnxModel& m) {
       m.activation = OnnxModel::node("Cast", {"c"}, {"i"}, "cast0", {{"to", {7}, false}});
       m.pool = OnnxModel::node("Exp", {"i"}, {"p"}, "exp0", {});
     }},
    {"an input of a rank that no tensor has",
     [](OnnxModel& m) { m.input = OnnxModel::value_info("x", test::kFloatType, std::vector<int64_t>(100000, 1)); }},
    {"an input larger than any memory",
     [](OnnxModel& m) { m.input = OnnxModel::value_info("x", test::kFloatType, {-1, 1, 1 << 30, 1 << 30}); }},
    {"a reshape that leaves a remainder",
     [](OnnxModel& m) {
       m.input = OnnxModel::value_info("x", test::kFloatType, {1, 1, 4, 4});
       m.reshape_to = OnnxModel::tensor("to", {2}, test::kInt64Type, std::vector<int64_t>{-1, 7});
     }},
    {"a reshape to a negative dimension",
     [](OnnxModel& m) { m.reshape_to = OnnxModel::tensor("to", {2}, test::kInt64Type, std::vector<int64_t>{-2, -4}); }},
    {"a reshape that leaves everything open",
     [](OnnxModel& m) { m.input = OnnxModel::value_info("x", test::kFloatType, {0, 1, 4, 4}); }},
    {"an axis that is added twice",
     [](OnnxModel& m) {
       m.reshape_to = OnnxModel::tensor("to", {2}, test::kInt64Type, std::vector<int64_t>{0, 0});
       m.reshape = OnnxModel::node("Unsqueeze", {"p", "to"}, {"f"}, "unsqueeze0", {});
     }},
    {"an addend that the product does not have the shape of",
     [](OnnxModel& m) {
       m.bias = OnnxModel::tensor("bias", {1, 1, 3}, test::kFloatType, std::vector<float>{1, 2, 3});
     }},
    {"a reshape to another number of elements",
     [](OnnxModel& m) { m.reshape_to = OnnxModel::tensor("to", {2}, test::kInt64Type, std::vector<int64_t>{0, 7}); }},
    {"factors that do not fit",
     [](OnnxModel& m) { m.gemm_weight = OnnxModel::typed("g", {3, 7}, std::vector<float>(21)); }},
    {"an axis outside of the tensor",
     [](OnnxModel& m) { m.softmax = OnnxModel::node("Softmax", {"y"}, {"out"}, "softmax0", {{"axis", {5}, false}}); }},
    // Weights
    {"a weight with too few bytes",
     [](OnnxModel& m) {
       m.conv_weight = OnnxModel::tensor("w", {2, 1, 3, 3}, test::kFloatType, std::vector<float>(17));
     }},
    {"a weight with too few numbers",
     [](OnnxModel& m) { m.gemm_weight = OnnxModel::typed("g", {3, 8}, std::vector<float>(23)); }},
    {"a weight with a negative dimension",
     [](OnnxModel& m) {
       m.conv_weight = OnnxModel::tensor("w", {2, -1, 3, 3}, test::kFloatType, std::vector<float>(18));
     }},
    {"a weight larger than any memory",
     [](OnnxModel& m) {
       m.conv_weight = OnnxModel::tensor("w", {INT64_MAX, INT64_MAX}, test::kFloatType, std::vector<float>(18));
     }},
    {"a weight of an unknown element type",
     [](OnnxModel& m) { m.conv_weight = OnnxModel::tensor("w", {2, 1, 3, 3}, 77, std::vector<float>(18)); }},
    // Weights in other files; `weights.bin` beside the model has 72 bytes, `outside.bin` lies in the folder above.
    {"a weight in the right file", [](OnnxModel& m) { external(m, {{"location", "weights.bin"}}); }},
    {"a weight in a file with an absolute name", [](OnnxModel& m) { external(m, {{"location", "/etc/hostname"}}); }},
    {"a weight in the folder above", [](OnnxModel& m) { external(m, {{"location", "../outside.bin"}}); }},
    {"a weight in the folder above, by way of one below",
     [](OnnxModel& m) { external(m, {{"location", "below/../../outside.bin"}}); }},
    {"a weight behind a symbolic link", [](OnnxModel& m) { external(m, {{"location", "link.bin"}}); }},
    {"a weight behind a folder that is a symbolic link",
     [](OnnxModel& m) { external(m, {{"location", "up/outside.bin"}}); }},
    {"a weight in a folder", [](OnnxModel& m) { external(m, {{"location", "below"}}); }},
    {"a weight in a file that is not there", [](OnnxModel& m) { external(m, {{"location", "gone.bin"}}); }},
    {"a weight in a file without a name", [](OnnxModel& m) { external(m, {{"location", ""}}); }},
    {"a weight in no file", [](OnnxModel& m) { external(m, {}); }},
    {"a weight beyond the end of its file",
     [](OnnxModel& m) { external(m, {{"location", "weights.bin"}, {"offset", "8"}}); }},
    {"a weight far beyond the end of its file",
     [](OnnxModel& m) { external(m, {{"location", "weights.bin"}, {"offset", "18446744073709551600"}}); }},
    {"a weight at an offset that is no number",
     [](OnnxModel& m) { external(m, {{"location", "weights.bin"}, {"offset", "8k"}}); }},
    {"a weight of another length than its shape",
     [](OnnxModel& m) { external(m, {{"location", "weights.bin"}, {"length", "64"}}); }},
};

class Folder {
 public:
  Folder() {
    std::string pattern = testing::TempDir() + "onnx_errors_XXXXXX";
    if (!mkdtemp(pattern.data())) std::abort();
    above_ = pattern;
    path_ = above_ + "/model";
    mkdir(path_.c_str(), 0700);
    mkdir((path_ + "/below").c_str(), 0700);
    write("weights.bin", std::string(72, '\0'));
    write("../outside.bin", std::string(72, '\0'));
    if (symlink("../outside.bin", (path_ + "/link.bin").c_str()) != 0) std::abort();
    if (symlink("..", (path_ + "/up").c_str()) != 0) std::abort();
  }
  ~Folder() {
    for (const char* name : {"weights.bin", "link.bin", "up", "model.onnx"}) unlink((path_ + "/" + name).c_str());
    rmdir((path_ + "/below").c_str());
    rmdir(path_.c_str());
    unlink((above_ + "/outside.bin").c_str());
    rmdir(above_.c_str());
  }
  void write(const std::string& name, const std::string& bytes) const {
    std::ofstream(path_ + "/" + name, std::ios::binary) << bytes;
  }
  const std::string& path() const { return path_; }

 private:
  std::string above_, path_;
};

// The text with the folder's name left out.
std::string plain(std::string text, const Folder& folder) {
  for (size_t at; (at = text.find(folder.path())) != std::string::npos;)
    text.replace(at, folder.path().size(), "FOLDER");
  return text;
}

std::string outcome(const CompilerSession& session, const Folder& folder, const std::string& bytes) {
  folder.write("model.onnx", bytes);
  try {
    session.import_model(folder.path() + "/model.onnx", Value());
    return "accepted\n";
  } catch (const Error& e) {
    return plain("error " + std::to_string(e.code) + ": " + e.message + "\n" +
                     (e.where.empty() ? "" : "at " + e.where + "\n") + (e.hint.empty() ? "" : "hint: " + e.hint + "\n"),
                 folder);
  }
}

TEST(OnnxErrors, AreAsRecorded) {
  const CompilerSession session(tn_compiler(), Value());
  const Folder folder;
  std::string said;
  for (const Row& row : kRows) {
    OnnxModel model;
    row.change(model);
    said += std::string("== ") + row.title + "\n" + outcome(session, folder, model.bytes());
  }
  // Cut off: in the header, in a name, in the bytes of a weight.
  const std::string whole = OnnxModel().bytes();
  for (size_t length : {size_t{0}, size_t{1}, size_t{3}, whole.find("conv0") + 2, whole.size() - 60, whole.size() - 1})
    said += "== the first " + std::to_string(length) + " bytes\n" + outcome(session, folder, whole.substr(0, length));
  std::string other = whole;
  other[0] = static_cast<char>(other[0] | 7);  // a wire type that there is not
  said += "== a field of no known form\n" + outcome(session, folder, other);
  const std::string golden = std::string(ONNX_ERRORS_DIR) + "/expected.txt";
  if (std::getenv("TENON_BLESS")) std::ofstream(golden) << said;
  std::ostringstream expected;
  expected << std::ifstream(golden).rdbuf();
  EXPECT_EQ(said, expected.str());
}

}  // namespace
}  // namespace tenon
