// Program (d): what a library computes better is called by name; before and after the pass the numbers agree.
#include <algorithm>

#include "harness.h"

namespace tenon::programs {
namespace {

const std::string kDispatch =
    "dispatch-library:dispatch{patterns: [{pattern: 'R.matmul(x, w)', function: mylib.matmul, "
    "where: ['x.dtype == \"float32\"', w.ndim == 2, contiguous(x) and contiguous(w)]}]}";

const DLTensor& tensor_of(const TnValue& v) {
  return v.type_index == TN_DLTENSOR ? *static_cast<const DLTensor*>(v.as.p)
                                     : reinterpret_cast<const TnTensor*>(v.as.object)->tensor;
}
const float* floats(const DLTensor& t) {
  return reinterpret_cast<const float*>(static_cast<const char*>(t.data) + t.byte_offset);
}

// x (b, i, k), w (k, j), out (b, i, j)
void library_matmul(const DLTensor& x, const DLTensor& w, const DLTensor& out) {
  const int64_t rows = x.shape[0] * x.shape[1], inner = x.shape[2], columns = w.shape[1];
  auto* result = const_cast<float*>(floats(out));
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) {
      float sum = 0;
      for (int64_t k = 0; k < inner; ++k) sum += floats(x)[i * inner + k] * floats(w)[k * columns + j];
      result[i * columns + j] = sum;
    }
}

class LibraryPrograms : public ::testing::Test {
 protected:
  LibraryPrograms() : seed_(std::random_device{}()), random_(seed_) {}
  void TearDown() override {
    if (HasFailure()) std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  }
  void provide_library() {
    session_.provide("mylib.matmul", [this](const TnValue* args, int32_t n) {
      if (n != 3) throw Error(TN_ERROR_ARGUMENT, "mylib.matmul takes x, w and the result");
      library_matmul(tensor_of(args[0]), tensor_of(args[1]), tensor_of(args[2]));
      ++library_calls_;
      return Value();
    });
  }
  // Runs main for several batches against plain C++.
  void expect_right(const Map& functions, bool through_library) {
    for (int64_t batch : {1, 2, 7}) {
      Tensor<float> x({batch, 6, 16}, random_, -1, 1), w({16, 10}, random_, -1, 1), bias({10}, random_, -1, 1);
      const int calls = library_calls_;
      const Value y = invoke(functions, "main", {x.value(), w.value(), bias.value()});
      EXPECT_EQ(library_calls_ - calls, through_library ? 1 : 0);
      const DLTensor& got = tensor_of(y.raw());
      ASSERT_EQ(got.ndim, 3);
      ASSERT_EQ(got.shape[0], batch);
      for (int64_t i = 0; i < batch * 6; ++i)
        for (int64_t j = 0; j < 10; ++j) {
          double sum = 0;
          for (int64_t k = 0; k < 16; ++k)
            sum += double{x[static_cast<size_t>(i * 16 + k)]} * double{w[static_cast<size_t>(k * 10 + j)]};
          ASSERT_NEAR(floats(got)[i * 10 + j], std::max(sum, 0.0) + double{bias[static_cast<size_t>(j)]}, 1e-5);
        }
    }
  }

  Session session_;
  uint64_t seed_;
  std::mt19937_64 random_;
  int library_calls_ = 0;
};

TEST_F(LibraryPrograms, TheFormAfterThePassIsTheOneOnFile) {
  const Node before = session_.transform(session_.parse("graph/library_matmul.py"), {"passes-graph:normalize"});
  const Node after = session_.transform(session_.parse("graph/library_matmul_after.py"), {"passes-graph:normalize"});
  const Node made = session_.transform(before, {kDispatch});
  session_.verify(made);
  EXPECT_EQ(session_.difference(made, after), "") << session_.print(made);
  EXPECT_NE(session_.difference(made, before), "");
}

TEST_F(LibraryPrograms, NumbersAgreeBeforeAndAfter) {
  provide_library();
  for (bool dispatched : {false, true}) {
    SCOPED_TRACE(dispatched ? "after" : "before");
    Node module = session_.transform(session_.parse("graph/library_matmul.py"), {"passes-graph:normalize"});
    if (dispatched) module = session_.transform(module, {kDispatch});
    expect_right(session_.load_module(module, "eval-interp"), dispatched);
    const Node lowered = session_.transform(module, {"cpu"});
    expect_right(session_.load_module(lowered, "eval-interp"), dispatched);
    expect_right(session_.load_module(lowered, "codegen-llvm"), dispatched);
    expect_right(session_.load_artifact(lowered), dispatched);
  }
}

TEST_F(LibraryPrograms, AFunctionThatIsNotRegisteredIsNamed) {
  const Node lowered = session_.transform(session_.parse("graph/library_matmul_after.py"), {"cpu"});
  auto message = [](auto&& f) {
    try {
      f();
    } catch (const Error& e) {
      EXPECT_EQ(e.code, TN_ERROR_NOT_FOUND);
      EXPECT_NE(e.hint, "") << e.message;
      return e.message;
    }
    return std::string("nothing failed");
  };
  EXPECT_NE(message([&] { session_.load_module(lowered, "codegen-llvm"); }).find("'mylib.matmul'"), std::string::npos);
  EXPECT_NE(message([&] { session_.load_artifact(lowered); }).find("'mylib.matmul'"), std::string::npos);
  EXPECT_NE(message([&] {
              Tensor<float> x({1, 6, 16}), w({16, 10}), bias({10});
              invoke(session_.load_module(lowered, "eval-interp"), "main", {x.value(), w.value(), bias.value()});
            }).find("'mylib.matmul'"),
            std::string::npos);
}

}  // namespace
}  // namespace tenon::programs
