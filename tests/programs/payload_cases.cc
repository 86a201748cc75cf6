// Program (c): conv2d -> relu goes to a code generator of its own. Each form runs and the numbers agree; the payload
// survives text, bytes and the artifact, and what is wrong with it is told.
#include <algorithm>
#include <filesystem>

#include "harness.h"

namespace tenon::programs {
namespace {

const std::string kPartition =
    "passes-graph:partition{codegen: codegen-conv, patterns: [{name: conv2d_relu, "
    "pattern: 'R.nn.relu(R.nn.conv2d(x, w))', where: ['x.dtype == \"float32\"', static(w)]}]}";
const std::string kGenerate = "passes-graph:external-codegen";

const DLTensor& tensor_of(const Value& v) { return reinterpret_cast<const TnTensor*>(v.raw().as.object)->tensor; }

struct Shape {
  int64_t batch, channels, height, width;
  size_t at(int64_t b, int64_t c, int64_t i, int64_t j) const {
    return static_cast<size_t>(((b * channels + c) * height + i) * width + j);
  }
};

// relu(conv2d) in double precision, by the definition.
std::vector<double> conv_relu(const std::vector<double>& x, Shape in, const std::vector<double>& w, Shape filter,
                              Shape out, const int64_t stride[2], const int64_t pad[2]) {
  std::vector<double> result(out.at(out.batch, 0, 0, 0));
  const int64_t groups = in.channels / filter.channels, share = out.channels / groups;
  for (int64_t b = 0; b < out.batch; ++b)
    for (int64_t f = 0; f < out.channels; ++f)
      for (int64_t i = 0; i < out.height; ++i)
        for (int64_t j = 0; j < out.width; ++j) {
          double sum = 0;
          for (int64_t c = 0; c < filter.channels; ++c)
            for (int64_t p = 0; p < filter.height; ++p)
              for (int64_t q = 0; q < filter.width; ++q) {
                const int64_t y = i * stride[0] + p - pad[0], z = j * stride[1] + q - pad[1];
                if (y >= 0 && y < in.height && z >= 0 && z < in.width)
                  sum += x[in.at(b, f / share * filter.channels + c, y, z)] * w[filter.at(f, c, p, q)];
              }
          result[out.at(b, f, i, j)] = std::max(sum, 0.0);
        }
  return result;
}

class PayloadPrograms : public ::testing::Test {
 protected:
  PayloadPrograms() : seed_(std::random_device{}()), random_(seed_) {}
  void TearDown() override {
    if (HasFailure()) std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  }
  Node before() { return session_.transform(session_.parse("graph/conv2d_relu.py"), {"passes-graph:normalize"}); }
  Node partitioned() { return session_.transform(before(), {kPartition}); }
  Node generated() { return session_.transform(partitioned(), {kGenerate}); }

  void expect_right(const Map& functions) {
    for (int64_t batch : {1, 3}) {
      Tensor<float> x({batch, 3, 9, 8}, random_, -1, 1), w({4, 3, 3, 3}, random_, -1, 1),
          v({4, 2, 1, 1}, random_, -1, 1);
      const Value y = invoke(functions, "main", {x.value(), w.value(), v.value()});
      auto doubles = [](const Tensor<float>& t) { return std::vector<double>(t.data().begin(), t.data().end()); };
      const Shape middle{batch, 4, 5, 8};
      const int64_t strides[] = {2, 1}, pads[] = {1, 0}, ones[] = {1, 1}, zeros[] = {0, 0};
      std::vector<double> first =
          conv_relu(doubles(x), {batch, 3, 9, 8}, doubles(w), {4, 3, 3, 3}, middle, strides, pads);
      std::vector<double> second = conv_relu(first, middle, doubles(v), {4, 2, 1, 1}, middle, ones, zeros);
      const DLTensor& got = tensor_of(y);
      ASSERT_EQ(got.ndim, 4);
      ASSERT_EQ(got.shape[0], batch);
      const auto* data = reinterpret_cast<const float*>(static_cast<const char*>(got.data) + got.byte_offset);
      for (int64_t b = 0; b < batch; ++b)
        for (int64_t c = 0; c < 4; ++c) {
          double sum = 0;
          for (int64_t i = 0; i < 5; ++i)
            for (int64_t j = 0; j < 8; ++j) sum += second[middle.at(b, c, i, j)];
          ASSERT_NEAR(data[b * 4 + c], sum / 40, 1e-5) << "batch " << b << ", channel " << c;
        }
    }
  }

  // What the action refuses, as "CODE message".
  template <class F>
  static std::string refusal(F&& f) {
    try {
      f();
    } catch (const Error& e) { return e.message; }
    return "nothing failed";
  }

  Session session_;
  uint64_t seed_;
  std::mt19937_64 random_;
};

TEST_F(PayloadPrograms, TheFormsAreTheOnesOnFile) {
  auto on_file = [&](const char* file) { return session_.transform(session_.parse(file), {"passes-graph:normalize"}); };
  const Node middle = partitioned(), after = generated();
  session_.verify(middle);
  session_.verify(after);
  EXPECT_EQ(session_.difference(middle, on_file("graph/conv2d_relu_partitioned.py")), "") << session_.print(middle);
  ASSERT_EQ(after.to<ir::Module>().payloads().size(), 1u);
  const Builder& b = session_.builder();
  const Node bare = b.with(after, ir::Module::Slot::payloads, Value(b.array({})));
  EXPECT_EQ(session_.difference(bare, on_file("graph/conv2d_relu_after.py")), "") << session_.print(bare);
  const Map& payload = after.to<ir::Module>().payloads()[0].ref<Map>();
  EXPECT_EQ(payload.find("codegen")->as_string(), "codegen-conv");
  EXPECT_EQ(payload.find("exports")->ref<Map>().size(), 2u);
}

TEST_F(PayloadPrograms, NumbersAgreeInEveryForm) {
  for (const Node& module : {before(), partitioned(), generated()}) {
    SCOPED_TRACE(session_.print(module));
    expect_right(session_.load_module(module, "eval-interp"));
    const Node lowered = session_.transform(module, {"cpu"});
    expect_right(session_.load_module(lowered, "eval-interp"));
    expect_right(session_.load_module(lowered, "codegen-llvm"));
    expect_right(session_.load_artifact(lowered));
  }
}

TEST_F(PayloadPrograms, EachPassIsCheckedByRunningIt) {
  std::vector<std::string> stages = {kPartition, kGenerate, "passes-graph:legalize", "passes-graph:lower-to-host"};
  const Map check = session_.check_each(before(), stages);
  EXPECT_EQ(check.find("not_checked")->ref<Array>().size(), 0u);
  EXPECT_EQ(check.find("states")->as_int(), 5);
}

TEST_F(PayloadPrograms, ThePayloadSurvivesTextAndBytes) {
  const Node module = generated();
  const std::string folder = ::testing::TempDir() + "payload_text_" + std::to_string(getpid());
  std::filesystem::create_directory(folder);
  session_.save(module, folder + "/after.py");
  {
    Session other;  // knows none of the bytes: they are read from beside the text
    const Node again = other.parse_file(folder + "/after.py");
    EXPECT_EQ(other.print(again), session_.print(module));
    expect_right(other.load_module(again, "eval-interp"));
  }
  std::filesystem::remove_all(folder);
  const TnHostIr* ir = session_.builder().ir();
  const Value tree(module);
  const Value bytes = call([&](TnValue* ret) { return ir->encode(ir->self, tree.ptr(), ret); });
  const Value decoded = call([&](TnValue* ret) {
    return ir->decode(ir->self, string_view_of(bytes.raw()).data(), string_view_of(bytes.raw()).size(), ret);
  });
  EXPECT_EQ(session_.difference(as_node(decoded), module), "");
  expect_right(session_.load_module(as_node(decoded), "eval-interp"));
}

TEST_F(PayloadPrograms, AWeightThatIsAConstantTravelsInThePayload) {
  const Builder& b = session_.builder();
  Tensor<float> w({4, 3, 3, 3}, random_, -1, 1), v({4, 2, 1, 1}, random_, -1, 1);
  auto constant = [&](Tensor<float>& t, const Node& param) {
    const Value tensor = t.value();
    const auto* dl = static_cast<const DLTensor*>(tensor.raw().as.p);
    const Value data = call([&](TnValue* ret) { return b.ir()->constant(b.ir()->self, dl, ret); });
    return Value(b.make<ir::Constant>({param.to<ir::Var>().type(), data}));
  };
  const Node module = session_.transform(session_.parse("graph/conv2d_relu.py"), {"passes-graph:normalize"});
  const auto& main = as_node(*module.to<ir::Module>().functions().find("main")).to<relax::Function>();
  const NodeRange params = nodes(main.params());
  const std::map<const TnNode*, Value> weights = {{params[1].get(), constant(w, params[1])},
                                                  {params[2].get(), constant(v, params[2])}};
  Value body = b.rewrite(Value(main.body()), [&](const Node& n, const Node&) {
    auto it = weights.find(n.get());
    return it == weights.end() ? Value() : it->second;
  });
  Node f = b.with(b.with(main, relax::Function::Slot::params, Value(b.array({params[0]}))), relax::Function::Slot::body,
                  body);
  const Node folded = b.with(module, ir::Module::Slot::functions, Value(b.map({{"main", f}})));
  const std::string partition =
      "passes-graph:partition{codegen: codegen-conv, patterns: [{name: conv, pattern: "
      "'R.nn.relu(R.nn.conv2d(x, const(w)))'}]}";
  const Node external = session_.transform(folded, {partition, kGenerate});
  EXPECT_EQ(external.to<ir::Module>().payloads()[0].ref<Map>().find("constants")->ref<Array>().size(), 3u);
  const Node lowered = session_.transform(external, {"cpu"}), plain = session_.transform(folded, {"cpu"});
  Tensor<float> x({2, 3, 9, 8}, random_, -1, 1);
  const Value expected = invoke(session_.load_module(plain, "eval-interp"), "main", {x.value()});
  for (const Map& functions : {session_.load_module(external, "eval-interp"),
                               session_.load_module(lowered, "codegen-llvm"), session_.load_artifact(lowered)}) {
    const Value got = invoke(functions, "main", {x.value()});
    for (int64_t i = 0; i < 8; ++i)
      EXPECT_NEAR(static_cast<const float*>(tensor_of(got).data)[i],
                  static_cast<const float*>(tensor_of(expected).data)[i], 1e-5);
  }
}

TEST_F(PayloadPrograms, WhatIsWrongWithAPayloadIsTold) {
  const Node module = generated();
  const Builder& b = session_.builder();
  const Map payload = module.to<ir::Module>().payloads()[0].ref<Map>();
  auto with = [&](std::initializer_list<Value> payloads) {
    return b.with(module, ir::Module::Slot::payloads, Value(b.array(payloads)));
  };
  auto changed = [&](const char* key, Value value) { return with({Value(b.with(payload, key, std::move(value)))}); };
  auto loading = [&](const Node& m) { return refusal([&] { session_.load_module(m, "eval-interp"); }); };
  EXPECT_NE(loading(with({Value(3)})).find("payload 0 of the module cannot be used: it is no map"), std::string::npos);
  EXPECT_NE(loading(changed("size", 7)).find("not of the size that it says"), std::string::npos);
  EXPECT_NE(loading(changed("format", b.string("com.vendor.image/1"))).find("format 'com.vendor.image/1'"),
            std::string::npos);
  EXPECT_NE(loading(with({Value(payload), Value(payload)})).find("is implemented by two payloads"), std::string::npos);
  const Map moved = b.map({{"conv2d_relu", b.string("conv_relu_77")}});
  EXPECT_NE(loading(changed("exports", Value(moved))).find("'conv_relu_77', which its object does not define"),
            std::string::npos);
  const Map twin = b.with(payload, "exports", Value(b.map({{"other", b.string("conv_relu_3")}})));
  EXPECT_NE(loading(with({Value(payload), Value(twin)})).find("the symbol 'conv_relu_0' is defined by"),
            std::string::npos);
  session_.provide("conv2d_relu", [](const TnValue*, int32_t) { return Value(); });
  EXPECT_NE(loading(module).find("'conv2d_relu' is registered"), std::string::npos);
}

}  // namespace
}  // namespace tenon::programs
