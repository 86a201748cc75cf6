#include "ir/constant_store.h"

#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <numeric>
#include <thread>
#include <vector>

#include "diag/sha256.h"
#include "ir/test_support.h"

namespace tenon {
namespace {

using test::error_of;

class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& content)
      : path_(::testing::TempDir() + "tenon_constants_" + std::to_string(getpid())) {
    std::ofstream(path_, std::ios::binary) << content;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string_view bytes_of(const Constant& c) { return {static_cast<const char*>(c->data), c->size}; }

TEST(ConstantFile, RefusesWhatIsNotThere) {
  EXPECT_EQ(error_of([] { constant_from_file("/no/such/file", 0, 1); }).code, TN_ERROR_IO);
  EXPECT_EQ(error_of([] { constant_from_file("/tmp", 0, 1); }).message,
            "cannot map the constant data: it is no regular file");
  TemporaryFile f("0123456789");
  Error e = error_of([&] { constant_from_file(f.path(), 5, 6); });
  EXPECT_EQ(e.code, TN_ERROR_ARGUMENT);
  EXPECT_EQ(e.message, "a constant of 6 bytes at offset 5 lies outside of a file of 10 bytes");
  EXPECT_EQ(error_of([&] { constant_from_file(f.path(), UINT64_MAX, 2); }).code, TN_ERROR_ARGUMENT);
  EXPECT_EQ(error_of([&] { constant_from_file(f.path(), 2, UINT64_MAX); }).code, TN_ERROR_ARGUMENT);
  EXPECT_EQ(error_of([&] { constant_from_file(f.path(), 0, 2, "sha256:12"); }).code, TN_ERROR_ARGUMENT);
}

TEST(ConstantFile, MapsARange) {
  std::string content(10000, 'x');
  std::iota(content.begin() + 5000, content.begin() + 5100, 'a');
  TemporaryFile f(content);
  Constant c = constant_from_file(f.path(), 5000, 100);
  EXPECT_EQ(bytes_of(c), content.substr(5000, 100));
  EXPECT_EQ(c->digest, digest_text(sha256(content.substr(5000, 100))));
  EXPECT_EQ(c->store, f.path());
  EXPECT_EQ(c->offset, 5000u);
  EXPECT_EQ(constant_from_file(f.path(), 10000, 0)->size, 0u);
  std::string trusted = "sha256:" + std::string(64, '0');
  EXPECT_EQ(constant_from_file(f.path(), 1, 2, trusted)->digest, trusted);
}

TEST(ConstantStore, StoresTheSameBytesOnce) {
  ConstantStore store;
  Constant a = store.add("hello", 5), b = store.add("hello", 5), c = store.add("world", 5);
  EXPECT_EQ(a.get(), b.get());
  EXPECT_NE(a->data, c->data);
  EXPECT_EQ(store.size(), 10u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(c->data) % 64, 0u);
  EXPECT_EQ(store.find(a->digest).get(), a.get());
  EXPECT_FALSE(store.find("sha256:00"));
}

TEST(ConstantStore, ConstantsOutliveIt) {
  Constant c;
  {
    ConstantStore store;
    c = store.add("bytes that stay", 15);
  }
  EXPECT_EQ(bytes_of(c), "bytes that stay");
}

TEST(ConstantStore, BigAndEmptyOnes) {
  ConstantStore store("weights");
  std::string big(3 << 20, 'b');
  Constant empty = store.add(nullptr, 0), b = store.add(big.data(), big.size()), small = store.add("s", 1);
  EXPECT_EQ(empty->size, 0u);
  EXPECT_EQ(bytes_of(b), big);
  EXPECT_EQ(bytes_of(small), "s");
  EXPECT_EQ(std::string(b->store), "weights:1");
}

TEST(ConstantStore, FromManyThreads) {
  ConstantStore store;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 200; ++i) {
        std::string s = "constant " + std::to_string(i);
        EXPECT_EQ(bytes_of(store.add(s.data(), s.size())), s);
      }
    });
  for (std::thread& t : threads) t.join();
}

TEST(ConstantStore, Tensors) {
  ConstantStore store;
  float data[6] = {1, 2, 3, 4, 5, 6};
  int64_t shape[2] = {2, 3}, strides[2] = {1, 2};
  DLTensor t{data, {kDLCPU, 0}, 2, kFloat32, shape, nullptr, 0};
  EXPECT_EQ(store.add(t)->size, 24u);
  t.strides = strides;
  EXPECT_EQ(error_of([&] { store.add(t); }).message,
            "cannot make a constant of a tensor whose elements are not contiguous");
  t.strides = nullptr;
  t.device.device_type = kDLCUDA;
  EXPECT_EQ(error_of([&] { store.add(t); }).code, TN_ERROR_ARGUMENT);
  t.device.device_type = kDLCPU;
  shape[0] = shape[1] = int64_t{1} << 40;
  EXPECT_EQ(error_of([&] { store.add(t); }).code, TN_ERROR_LIMIT);
  shape[0] = 0;
  t.data = nullptr;
  EXPECT_EQ(store.add(t)->size, 0u);
}

TEST(Constant, NodesComparedByDigest) {
  Builder b = core_builder();
  const TnHostIr& ir = ir_table();
  float data[2] = {1, 2}, other[2] = {1, 3};
  int64_t shape[1] = {2};
  auto node = [&](float* p) {
    DLTensor t{p, {kDLCPU, 0}, 1, kFloat32, shape, nullptr, 0};
    return b.make<ir::Constant>({kFloat32, call([&](TnValue* ret) { return ir.constant(ir.self, &t, ret); })});
  };
  EXPECT_EQ(test::difference(node(data), node(data)), "");
  EXPECT_EQ(node(data).hash(), node(data).hash());
  EXPECT_EQ(test::difference(node(data), node(other)), "data");
}

}  // namespace
}  // namespace tenon
