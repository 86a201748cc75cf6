// The example accelerator, loaded by its path as a program without a compiler does it, and streams for it.
#ifndef TENON_TESTS_DEVICES_SUPPORT_H
#define TENON_TESTS_DEVICES_SUPPORT_H

#include <gtest/gtest.h>
#include <tenon/cxx/builder.h>
#include <tenon/ext/draft/loader.h>

#include <cstring>
#include <random>

#include "../../sdk/examples/npu/stream.h"

namespace tenon::devices {

inline const TnRuntime* rt = tn_runtime();
inline const Builder b(rt, nullptr);

// The error of a slot that must fail.
template <class F>
Error error_of(F&& f) {
  try {
    call(f);
  } catch (const Error& e) { return e; }
  ADD_FAILURE() << "nothing failed";
  return Error(0, "");
}

inline Value plugin() {
  return call([](TnValue* ret) { return rt->plugin_open(NPU_PLUGIN, ret); });
}
inline TnObject* object(const Value& v) { return v.raw().as.object; }
inline TnFunction* function(const Value& v) { return reinterpret_cast<TnFunction*>(object(v)); }

template <class T>
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<T> data;
  DLTensor dl;

  explicit Tensor(std::vector<int64_t> s) : shape(std::move(s)) {
    int64_t n = 1;
    for (int64_t d : shape) n *= d;
    data.assign(static_cast<size_t>(n), T{});
    dl = {data.data(),
          {kDLCPU, 0},
          static_cast<int32_t>(shape.size()),
          {kDLInt, sizeof(T) * 8, 1},
          shape.data(),
          nullptr,
          0};
  }
  Tensor(std::vector<int64_t> s, std::mt19937_64& random, int low, int high) : Tensor(std::move(s)) {
    for (T& v : data) v = static_cast<T>(std::uniform_int_distribution<int>(low, high)(random));
  }
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;
  TnValue value() {
    TnValue v{TN_DLTENSOR, 0, {0}};
    v.as.p = &dl;
    return v;
  }
};

// A payload of one function, "f", of one command.
struct Stream {
  NpuCommand command{};
  int inputs = 1;
  std::vector<NpuTensor> tensors;
  uint32_t lanes = 16;
  std::vector<std::vector<char>> constants;
  std::string format = NPU_FORMAT, device = NPU_KIND, family = NPU_FAMILY, symbol = "f";
  std::vector<char> bytes;
  std::vector<TnBlob> blobs;
  Value requirements, exports;
  TnPayload payload{};

  int add_constant(const void* data, size_t size) {
    constants.emplace_back(static_cast<const char*>(data), static_cast<const char*>(data) + size);
    return static_cast<int>(constants.size()) - 1;
  }
  void write() {
    NpuHeader header{NPU_MAGIC, lanes, 1, 1};
    NpuFunction f{};
    std::strcpy(f.symbol, "f");
    f.inputs = inputs;
    f.outputs = static_cast<int32_t>(tensors.size()) - inputs;
    for (size_t i = 0; i < tensors.size(); ++i) f.tensors[i] = tensors[i];
    f.command_count = 1;
    bytes.clear();
    auto add = [&](const auto& part) {
      auto* p = reinterpret_cast<const char*>(&part);
      bytes.insert(bytes.end(), p, p + sizeof part);
    };
    add(header);
    add(f);
    add(command);
  }
  const TnPayload* get() {
    if (bytes.empty()) write();
    blobs.clear();
    for (const auto& c : constants) blobs.push_back({c.data(), c.size()});
    requirements =
        b.map({{"family", b.string(family)}, {"lanes", Value(int64_t{lanes})}, {"sram_bytes", Value(int64_t{1024})}});
    exports = b.map({{"main", b.string(symbol)}});
    payload = {sizeof payload,     format.c_str(), device.c_str(), "test-codegen", bytes.data(), bytes.size(),
               requirements.ptr(), exports.ptr(),  blobs.data(),   blobs.size(),   nullptr,      0};
    return &payload;
  }
};

// out[m, n] = x[m, k] * w + bias, for any m.
inline Stream gemm(int64_t k, int64_t n, const std::vector<int8_t>& w, const std::vector<int32_t>& bias, uint16_t flags,
                   uint32_t lanes = 16) {
  Stream s;
  s.lanes = lanes;
  std::vector<int8_t> packed(npu_packed_bytes(lanes, k, n));
  npu_pack(lanes, k, n, w.data(), n, 1, packed.data());
  s.command.op = NPU_GEMM;
  s.command.flags = flags;
  s.command.x = 0;
  s.command.out = 1;
  s.command.k = static_cast<int32_t>(k);
  s.command.n = static_cast<int32_t>(n);
  s.command.multiplier = 77;
  s.command.shift = 9;
  s.command.weight = static_cast<uint8_t>(s.add_constant(packed.data(), packed.size()));
  s.command.bias = static_cast<uint8_t>(s.add_constant(bias.data(), bias.size() * 4));
  s.tensors = {{8, 2, {-1, k}}, {flags & NPU_REQUANTISE ? 8 : 32, 2, {-1, n}}};
  return s;
}

// A function of one int8 input and output, of one element, that keeps the device busy in its own way.
inline Stream busy(uint16_t op, int32_t ms = 0) {
  Stream s;
  s.command.op = op;
  s.command.k = ms;
  s.tensors = {{8, 1, {1}}, {8, 1, {1}}};
  return s;
}

inline Value load(Stream& s, const Builder::Entries& more = {}) {
  Builder::Entries entries = more;
  bool given = false;
  for (const auto& [key, value] : more) given = given || key == "plugins";
  if (!given) entries.emplace_back("plugins", b.array({b.string(NPU_PLUGIN)}));
  Value options = b.map(entries);
  return call([&](TnValue* ret) { return rt->payload_load(s.get(), nullptr, options.ptr(), ret); });
}
inline Value main_of(const Value& loaded) { return *loaded.ref<Map>().find("functions")->ref<Map>().find("main"); }
inline std::string text(const Value& loaded, const char* key) {
  const Value* v = loaded.ref<Map>().find(key);
  return v && v->is_string() ? std::string(v->as_string()) : "";
}

inline int64_t now_ns() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

}  // namespace tenon::devices
#endif
