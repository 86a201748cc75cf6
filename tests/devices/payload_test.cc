// Payloads for loaders: which device takes them, what they compute, how each thing that is wrong is told.
#include <tenon/cxx/device.h>

#include <algorithm>
#include <cstdlib>

#include "support.h"

namespace tenon::devices {
namespace {

class Payloads : public ::testing::Test {
 protected:
  Payloads() : seed_(std::random_device{}()), random_(seed_) {}
  void TearDown() override {
    if (HasFailure()) std::printf("seed %llu\n", static_cast<unsigned long long>(seed_));
  }
  Stream random_gemm(int64_t k, int64_t n, uint16_t flags, uint32_t lanes = 16) {
    Tensor<int8_t> w({k, n}, random_, -128, 127);
    Tensor<int32_t> bias({n}, random_, -5000, 5000);
    weights_ = w.data;
    bias_ = bias.data;
    return gemm(k, n, w.data, bias.data, flags, lanes);
  }
  // The definition.
  template <class T>
  std::vector<T> expected(const std::vector<int8_t>& x, int64_t m, int64_t k, int64_t n, uint16_t flags) {
    std::vector<T> out;
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        int64_t sum = flags & NPU_BIAS ? bias_[static_cast<size_t>(j)] : 0;
        for (int64_t r = 0; r < k; ++r)
          sum += int64_t{x[static_cast<size_t>(i * k + r)]} * weights_[static_cast<size_t>(r * n + j)];
        if (flags & NPU_RELU) sum = std::max<int64_t>(sum, 0);
        if (flags & NPU_REQUANTISE) sum = std::clamp<int64_t>((sum * 77 + 256) >> 9, -128, 127);
        out.push_back(static_cast<T>(sum));
      }
    return out;
  }
  template <class T>
  void expect_right(const Value& f, int64_t m, int64_t k, int64_t n, uint16_t flags) {
    Tensor<int8_t> x({m, k}, random_, -128, 127);
    Tensor<T> out({m, n});
    TnValue args[] = {x.value(), out.value()};
    call([&](TnValue* ret) { return function(f)->call(function(f), args, 2, ret); });
    EXPECT_EQ(out.data, expected<T>(x.data, m, k, n, flags));
  }
  std::string refusal(Stream& s, const Builder::Entries& options = {}, int32_t code = 0) {
    Error e = error_of([&](TnValue* ret) {
      Value loaded = load(s, options);
      *ret = loaded.release();
      return 0;
    });
    if (code) { EXPECT_EQ(e.code, code) << e.message; }
    return e.message + " | " + e.hint;
  }

  uint64_t seed_;
  std::mt19937_64 random_;
  std::vector<int8_t> weights_;
  std::vector<int32_t> bias_;
};

TEST_F(Payloads, NamesOfDevicesHaveNumbersInThisProcessAlone) {
  auto number = [](const char* name) {
    DLDevice d{};
    call([&](TnValue* ret) { return rt->device_number(name, &d, ret); });
    return d;
  };
  EXPECT_EQ(device_type(number("cpu")), kDLCPU);
  EXPECT_EQ(number("cpu:0").device_id, 0);
  DLDevice npu = number("com.example.npu:1"), other = number("com.example.other:1");
  EXPECT_EQ(device_type(npu), device_type(number("com.example.npu")));
  EXPECT_NE(device_type(npu), device_type(other));
  EXPECT_EQ(npu.device_id, 1);
  EXPECT_EQ(call([&](TnValue* ret) { return rt->device_name(npu, ret); }).as_string(), "com.example.npu:1");
  for (const char* wrong : {"", "NPU:0", "npu:", "npu:x", "npu:0:1", "npu:-1", "npu 0", ":1", "npu:1000000"}) {
    DLDevice d;
    Error e = error_of([&](TnValue* ret) { return rt->device_number(wrong, &d, ret); });
    EXPECT_EQ(e.code, TN_ERROR_ARGUMENT) << wrong;
    EXPECT_NE(e.message.find("is no name of a device"), std::string::npos) << e.message;
  }
  Error e = error_of([&](TnValue* ret) { return rt->device_name({static_cast<DLDeviceType>(60000), 0}, ret); });
  EXPECT_EQ(e.code, TN_ERROR_ARGUMENT);
}

TEST_F(Payloads, WhatIsNoRuntimePluginIsRefused) {
  auto opening = [](const char* path) { return error_of([&](TnValue* ret) { return rt->plugin_open(path, ret); }); };
  EXPECT_EQ(opening("/nowhere/x.so").code, TN_ERROR_NOT_FOUND);
  EXPECT_NE(opening(TENON_RT).message.find("exports no symbol 'tenon_plugin'"), std::string::npos);
  Error e = opening(OTHER_PLUGIN);
  EXPECT_NE(e.message.find("it provides neither tenon.device/1 nor tenon.loader/1"), std::string::npos) << e.message;
  Value p = plugin();
  e = error_of([&](TnValue* ret) { return rt->device_open(object(p), "com.example.npu:7", ret); });
  EXPECT_EQ(e.code, TN_ERROR_NOT_FOUND);
  EXPECT_NE(e.hint.find("com.example.npu:0, com.example.npu:1"), std::string::npos) << e.hint;
  Value no = b.map({});
  e = error_of([&](TnValue* ret) { return rt->device_open(object(no), "com.example.npu:0", ret); });
  EXPECT_EQ(e.code, TN_ERROR_ARGUMENT);
}

TEST_F(Payloads, ProductsAreThoseOfTheDefinition) {
  const int64_t sizes[][3] = {{1, 1, 1}, {3, 5, 7}, {4, 64, 16}, {2, 33, 17}, {9, 16, 40}};
  for (const auto& [m, k, n] : sizes)
    for (int bits : {0, 0 | NPU_BIAS, NPU_BIAS | NPU_RELU, NPU_BIAS | NPU_RELU | NPU_REQUANTISE, 0 | NPU_REQUANTISE})
      for (uint32_t lanes : {8u, 16u}) {
        const auto flags = static_cast<uint16_t>(bits);
        SCOPED_TRACE(testing::Message() << m << " " << k << " " << n << " flags " << flags << " lanes " << lanes);
        Stream s = random_gemm(k, n, flags, lanes);
        Value f = main_of(load(s));
        for (int64_t rows : {m, int64_t{0}, m + 2}) {
          if (flags & NPU_REQUANTISE)
            expect_right<int8_t>(f, rows, k, n, flags);
          else
            expect_right<int32_t>(f, rows, k, n, flags);
        }
      }
}

TEST_F(Payloads, ConvolutionsAreThoseOfTheDefinition) {
  constexpr int64_t kBatch = 2, kIn = 3, kH = 7, kW = 6, kOut = 5, kKernel = 3, kOutH = 4, kOutW = 6;
  Tensor<int8_t> x({kBatch, kIn, kH, kW}, random_, -128, 127), w({kOut, kIn, kKernel, kKernel}, random_, -128, 127);
  Tensor<int32_t> bias({kOut}, random_, -99, 99), out({kBatch, kOut, kOutH, kOutW});
  constexpr int64_t k = kIn * kKernel * kKernel;
  Stream s = gemm(k, kOut, std::vector<int8_t>(static_cast<size_t>(k * kOut)), bias.data, NPU_BIAS | NPU_RELU);
  npu_pack(16, k, kOut, w.data.data(), 1, k, reinterpret_cast<int8_t*>(s.constants[0].data()));
  NpuCommand& c = s.command;
  c.op = NPU_CONV;
  c.channels = kIn, c.height = kH, c.width = kW, c.kernel_h = c.kernel_w = kKernel;
  c.stride_h = 2, c.stride_w = 1, c.pad_top = c.pad_left = 1, c.out_h = kOutH, c.out_w = kOutW;
  s.tensors = {{8, 4, {-1, kIn, kH, kW}}, {32, 4, {-1, kOut, kOutH, kOutW}}};
  Value f = main_of(load(s));
  TnValue args[] = {x.value(), out.value()};
  call([&](TnValue* ret) { return function(f)->call(function(f), args, 2, ret); });
  size_t at = 0;
  for (int64_t n = 0; n < kBatch; ++n)
    for (int64_t o = 0; o < kOut; ++o)
      for (int64_t i = 0; i < kOutH; ++i)
        for (int64_t j = 0; j < kOutW; ++j) {
          int32_t sum = bias.data[static_cast<size_t>(o)];
          for (int64_t ch = 0; ch < kIn; ++ch)
            for (int64_t p = 0; p < kKernel; ++p)
              for (int64_t q = 0; q < kKernel; ++q) {
                const int64_t y = 2 * i + p - 1, z = j + q - 1;
                if (y >= 0 && y < kH && z >= 0 && z < kW)
                  sum += x.data[static_cast<size_t>(((n * kIn + ch) * kH + y) * kW + z)] *
                         w.data[static_cast<size_t>(((o * kIn + ch) * kKernel + p) * kKernel + q)];
              }
          ASSERT_EQ(out.data[at++], std::max(sum, 0)) << n << " " << o << " " << i << " " << j;
        }
}

TEST_F(Payloads, TheLoaderSaysWhatFitsBeforeAnythingIsLoaded) {
  const Builder::Entries check{{"check_only", Value(true)}};
  auto on = [](const char* device) {
    return Builder::Entries{{"check_only", Value(true)}, {"devices", Value(b.map({{NPU_KIND, b.string(device)}}))}};
  };
  Stream best = random_gemm(8, 8, 0, 16), less = random_gemm(8, 8, 0, 8), alien = random_gemm(8, 8, 0, 16);
  alien.family = "z";
  EXPECT_EQ(text(load(best, check), "answer"), "best");
  EXPECT_EQ(text(load(less, on("com.example.npu:0")), "answer"), "works");
  EXPECT_EQ(text(load(less, check), "device"), "com.example.npu:1") << "of two devices, the one that fits best";
  EXPECT_EQ(text(load(best, on("com.example.npu:1")), "answer"), "recompile");
  Value no = load(alien, check);
  EXPECT_EQ(text(no, "answer"), "no");
  EXPECT_EQ(text(no, "reason"), "it was compiled for another family of accelerators");
  EXPECT_TRUE(no.ref<Map>().find("functions")->is_none());
  EXPECT_NE(
      refusal(alien, {}, TN_ERROR_UNSUPPORTED)
          .find("cannot run on 'com.example.npu:0': the loader 'com.example.npu' says: it was compiled for another"),
      std::string::npos);
  std::string again =
      refusal(best, {{"devices", Value(b.map({{NPU_KIND, b.string("com.example.npu:1")}}))}}, TN_ERROR_UNSUPPORTED);
  EXPECT_NE(again.find("must be compiled again for 'com.example.npu:1'"), std::string::npos) << again;
  EXPECT_NE(again.find("packed for 16 lanes, and this accelerator has 8"), std::string::npos) << again;
  EXPECT_NE(again.find("compile the model for this device"), std::string::npos) << again;
}

TEST_F(Payloads, APayloadGoesToTheDeviceThatItIsGiven) {
  Stream s = random_gemm(8, 8, NPU_BIAS, 8);
  for (const char* name : {"com.example.npu:0", "com.example.npu:1"}) {
    Value loaded = load(s, {{"devices", Value(b.map({{NPU_KIND, b.string(name)}}))}});
    EXPECT_EQ(text(loaded, "device"), name);
    expect_right<int32_t>(main_of(loaded), 3, 8, 8, NPU_BIAS);
  }
  Value p = plugin();
  Value device = call([&](TnValue* ret) { return rt->device_open(object(p), "com.example.npu:1", ret); });
  Value loaded = load(s, {{"plugins", b.array({p})}, {"devices", Value(b.map({{NPU_KIND, device}}))}});
  EXPECT_EQ(text(loaded, "device"), "com.example.npu:1");
  expect_right<int32_t>(main_of(loaded), 3, 8, 8, NPU_BIAS);
}

TEST_F(Payloads, WhatCannotBeLoadedIsToldWithItsRemedy) {
  Stream s = random_gemm(8, 8, 0);
  auto has = [](const std::string& said, const char* part) { EXPECT_NE(said.find(part), std::string::npos) << said; };
  has(refusal(s, {{"plugins", b.array({})}}, TN_ERROR_NOT_FOUND),
      "nothing loads payloads of the format 'com.example.npu-stream/1'");
  has(refusal(s, {{"plugins", b.array({b.string("/nowhere.so")})}}, TN_ERROR_NOT_FOUND), "/nowhere.so");
  has(refusal(s, {{"plugin", b.array({})}}, TN_ERROR_ARGUMENT), "an instance has no option 'plugin'");
  has(refusal(s, {{"threads", b.string("4 of them")}}, TN_ERROR_TYPE),
      "the option 'threads' of an instance is a number");
  has(refusal(s, {{"devices", Value(b.map({{NPU_KIND, b.string("com.example.npu:9")}}))}}, TN_ERROR_NOT_FOUND),
      "there are: com.example.npu:0, com.example.npu:1");
  has(refusal(s, {{"devices", Value(b.map({{NPU_KIND, Value(3)}}))}}, TN_ERROR_TYPE), "neither a name nor a device");
  Stream newer = random_gemm(8, 8, 0);
  newer.format = "com.example.npu-stream/2";
  has(refusal(newer, {}, TN_ERROR_ABI_MISMATCH), "the plugin 'com.example.npu' reads com.example.npu-stream/1");
  Stream elsewhere = random_gemm(8, 8, 0);
  elsewhere.device = "com.example.gpu";
  has(refusal(elsewhere, {}, TN_ERROR_NOT_FOUND), "runs on the device 'com.example.gpu', which is not here");
  elsewhere.device = "GPU 1";
  has(refusal(elsewhere, {}, TN_ERROR_ARGUMENT), "'GPU 1' is no name of a device");
  setenv("NPU_DEVICES", "", 1);
  Stream none = random_gemm(8, 8, 0);
  has(refusal(none, {}, TN_ERROR_NOT_FOUND), "no plugin that was given finds a device on this machine");
  unsetenv("NPU_DEVICES");
}

TEST_F(Payloads, ADamagedStreamIsRefusedWhateverIsDamaged) {
  Stream good = random_gemm(8, 8, NPU_BIAS);
  good.write();
  const std::vector<char> bytes = good.bytes;
  auto loading = [&](const std::vector<char>& changed) {
    good.bytes = changed;
    return error_of([&](TnValue* ret) {
      Value loaded = load(good);
      *ret = loaded.release();
      return 0;
    });
  };
  for (size_t size : {size_t{1}, size_t{15}, size_t{16}, bytes.size() - 1}) {
    Error e = loading(std::vector<char>(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)));
    EXPECT_EQ(e.code, TN_ERROR_CORRUPT);
    EXPECT_NE(
        e.message.find("the loader 'com.example.npu' cannot load the payload of the code generator 'test-codegen'"),
        std::string::npos)
        << e.message;
  }
  good.bytes = bytes;
  good.symbol = "g";
  EXPECT_NE(refusal(good, {}, TN_ERROR_NOT_FOUND).find("the command stream has no function 'g'"), std::string::npos);
  good.symbol = "f";
  // Any bit: it is refused, or what is loaded runs without harm.
  for (int round = 0; round < 400; ++round) {
    std::vector<char> changed = bytes;
    changed[random_() % changed.size()] ^= static_cast<char>(1 << random_() % 8);
    good.bytes = changed;
    try {
      Value f = main_of(load(good));
      Tensor<int8_t> x({2, 8}, random_, -9, 9);
      Tensor<int32_t> out({2, 8});
      TnValue args[] = {x.value(), out.value()};
      call([&](TnValue* ret) { return function(f)->call(function(f), args, 2, ret); });
    } catch (const Error&) {}
  }
}

TEST_F(Payloads, ArgumentsAreChecked) {
  Stream s = random_gemm(8, 4, 0);
  Value f = main_of(load(s));
  Tensor<int8_t> x({2, 8}, random_, -9, 9), narrow({2, 7}, random_, -9, 9);
  Tensor<int32_t> out({2, 4}), wide({3, 4});
  auto refused = [&](std::initializer_list<TnValue> args) {
    return error_of([&](TnValue* ret) {
      return function(f)->call(function(f), args.begin(), static_cast<int32_t>(args.size()), ret);
    });
  };
  EXPECT_NE(refused({x.value()}).message.find("main takes 1 arguments and 1 results to write, and was given 1"),
            std::string::npos);
  EXPECT_EQ(refused({narrow.value(), out.value()}).code, TN_ERROR_SHAPE);
  EXPECT_EQ(refused({x.value(), wide.value()}).code, TN_ERROR_SHAPE);
  EXPECT_EQ(refused({out.value(), x.value()}).code, TN_ERROR_SHAPE);
  EXPECT_EQ(refused({x.value(), TnValue{TN_INT, 0, {3}}}).code, TN_ERROR_TYPE);
  int64_t strides[] = {1, 2};
  x.dl.strides = strides;
  EXPECT_NE(refused({x.value(), out.value()}).message.find("is not contiguous"), std::string::npos);
}

TEST_F(Payloads, TensorsLieOnTheDeviceAndStayThere) {
  Stream s = random_gemm(8, 8, NPU_BIAS | NPU_RELU | NPU_REQUANTISE);
  Value p = plugin();
  Value device = call([&](TnValue* ret) { return rt->device_open(object(p), "com.example.npu:0", ret); });
  Value f = main_of(load(s, {{"plugins", b.array({p})}, {"devices", Value(b.map({{NPU_KIND, device}}))}}));
  const int64_t shape[] = {5, 8};
  auto on_device = [&](const Value& where) {
    return call([&](TnValue* ret) { return rt->device_tensor(object(where), {kDLInt, 8, 1}, 2, shape, ret); });
  };
  auto copy = [](const TnValue& from, const TnValue& to) {
    call([&](TnValue* ret) { return rt->copy(&from, &to, ret); });
  };
  Tensor<int8_t> x({5, 8}, random_, -128, 127), back({5, 8});
  Value first = on_device(device), second = on_device(device), third = on_device(device);
  copy(x.value(), first.raw());
  for (const auto& [from, to] : {std::pair{&first, &second}, std::pair{&second, &third}}) {
    TnValue args[] = {from->raw(), to->raw()};
    call([&](TnValue* ret) { return function(f)->call(function(f), args, 2, ret); });
  }
  copy(third.raw(), back.value());
  const uint16_t flags = NPU_BIAS | NPU_RELU | NPU_REQUANTISE;
  EXPECT_EQ(back.data, expected<int8_t>(expected<int8_t>(x.data, 5, 8, 8, flags), 5, 8, 8, flags));
  copy(first.raw(), second.raw());  // within the device
  copy(second.raw(), back.value());
  EXPECT_EQ(back.data, x.data);
  // One argument here and one there.
  TnValue args[] = {first.raw(), back.value()};
  call([&](TnValue* ret) { return function(f)->call(function(f), args, 2, ret); });
  EXPECT_EQ(back.data, expected<int8_t>(x.data, 5, 8, 8, flags));

  Value other = call([&](TnValue* ret) { return rt->device_open(object(p), "com.example.npu:1", ret); });
  Value twin = call([&](TnValue* ret) { return rt->device_open(object(p), "com.example.npu:0", ret); });
  for (const Value& where : {other, twin}) {
    Value strange = on_device(where);
    TnValue wrong[] = {strange.raw(), back.value()};
    Error e = error_of([&](TnValue* ret) { return function(f)->call(function(f), wrong, 2, ret); });
    EXPECT_EQ(e.code, TN_ERROR_DEVICE);
    EXPECT_EQ(e.where, "com.example.npu:0");
    e = error_of([&](TnValue* ret) { return rt->copy(first.ptr(), strange.ptr(), ret); });
    EXPECT_NE(e.hint.find("copy it to the host first"), std::string::npos);
  }
  Tensor<int8_t> small({1}, random_, 0, 1);
  TnValue few = small.value();
  EXPECT_EQ(error_of([&](TnValue* ret) { return rt->copy(&few, first.ptr(), ret); }).code, TN_ERROR_SHAPE);
  const int64_t huge[] = {1 << 20, 1 << 10};
  EXPECT_EQ(
      error_of([&](TnValue* ret) { return rt->device_tensor(object(device), {kDLInt, 8, 1}, 2, huge, ret); }).code,
      TN_ERROR_OUT_OF_MEMORY);
}

}  // namespace
}  // namespace tenon::devices
