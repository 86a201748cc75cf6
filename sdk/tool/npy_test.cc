#include "npy.h"

#include <gtest/gtest.h>
#include <tenon/cxx/numbers.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <limits>

#include "diag/files.h"
#include "tenon/compiler.h"

namespace tenon::tool {
namespace {

class Npy : public testing::Test {
 protected:
  // As numpy.save writes them: the header is padded to 64 bytes.
  std::string save(const std::string& dict, const std::string& data, char version = 1) {
    std::string header = dict;
    size_t start = version == 1 ? 10 : 12;
    header.append(63 - (start + header.size()) % 64, ' ');
    header += '\n';
    std::string file("\x93NUMPY", 6);
    file += {version, 0, static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
    if (version > 1) file += std::string(2, '\0');
    file += header + data;
    std::string path = testing::TempDir() + "tenon_npy_test.npy";
    write_file(path, file);
    return path;
  }
  std::string failure(const std::string& path) {
    try {
      read_npy(b_, path);
      return "no failure";
    } catch (const Error& e) { return e.message; }
  }
  Builder b_{tn_compiler()->runtime, nullptr};
};

const std::string kTwoFloats("\0\0\x80\x3f\0\0\0\x40", 8);  // 1, 2

TEST_F(Npy, RefusesWhatIsNoArray) {
  const char* good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";
  std::string path = save(good, kTwoFloats);
  std::string bytes = read_file(path);
  for (size_t n : {size_t{0}, size_t{5}, size_t{9}, size_t{40}}) {
    write_file(path, bytes.substr(0, n));
    EXPECT_NE(failure(path), "no failure") << n;
  }
  EXPECT_EQ(failure(save(good, kTwoFloats.substr(0, 7))),
            "cannot read the array: its shape needs 8 bytes, the file has 7");
  EXPECT_EQ(failure(save(good, kTwoFloats + "x")), "cannot read the array: its shape needs 8 bytes, the file has 9");
  EXPECT_EQ(failure(save("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }", kTwoFloats)),
            "cannot read the array: its type '>f4' is not known here");
  EXPECT_EQ(failure(save("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }", kTwoFloats)),
            "cannot read the array: it is in Fortran order");
  EXPECT_EQ(failure(save("{'descr': '<f4', 'shape': (2,), }", kTwoFloats)),
            "cannot read the array: its header lacks 'fortran_order'");
  EXPECT_NE(
      failure(save("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999, 9999999999999), }", kTwoFloats)),
      "no failure");
  for (const char* shape : {"(-2,)", "(2.,)", "((2,))", "(2, x)"})
    EXPECT_EQ(
        failure(save("{'descr': '<f4', 'fortran_order': False, 'shape': " + std::string(shape) + ", }", kTwoFloats)),
        "cannot read the array: its shape " + std::string(shape).substr(0, std::string(shape).find(')') + 1) +
            " is no tuple of extents");
  EXPECT_EQ(failure(save("{'descr': '<f4', 'fortran_order': False, 'shape': (2L,), }", kTwoFloats)), "no failure");
  EXPECT_EQ(failure(save(good, kTwoFloats, 9)), "cannot read the array: its version 9 is not known");
  EXPECT_EQ(failure("/no/such/file.npy"), "cannot read the file: No such file or directory");
}

TEST_F(Npy, ReadsBothHeaderForms) {
  for (char version : {char{1}, char{2}}) {
    Value v = read_npy(b_, save("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", kTwoFloats, version));
    const DLTensor& t = tensor_of(v);
    EXPECT_EQ(shape_text(t), "float32[2]");
    EXPECT_EQ(element(t, 0), 1);
    EXPECT_EQ(element(t, 1), 2);
  }
  Value scalar = read_npy(b_, save("{'descr': '|i1', 'fortran_order': False, 'shape': (), }", "\xff"));
  EXPECT_EQ(shape_text(tensor_of(scalar)), "int8[]");
  EXPECT_EQ(element(tensor_of(scalar), 0), -1);
  Value empty = read_npy(b_, save("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 3), }", ""));
  EXPECT_EQ(shape_text(tensor_of(empty)), "float64[0, 3]");
}

TEST_F(Npy, WritesWhatItReads) {
  std::string path = testing::TempDir() + "tenon_npy_write.npy";
  for (const char* name : {"bool", "int8", "uint16", "int32", "int64", "float16", "float32", "float64"}) {
    for (const std::vector<int64_t>& shape : {std::vector<int64_t>{}, {5}, {2, 3, 4}}) {
      Value v = make_tensor(b_, *dtype_from_text(name), shape);
      fill_random(tensor_of(v), 7, 0, 9);
      write_npy(path, tensor_of(v));
      EXPECT_EQ(read_file(path).size() % 64,
                static_cast<size_t>(element_count(tensor_of(v)) * dtype_bytes(tensor_of(v).dtype)) % 64);
      Value back = read_npy(b_, path);
      ASSERT_EQ(shape_text(tensor_of(back)), shape_text(tensor_of(v)));
      for (int64_t i = 0; i < element_count(tensor_of(v)); ++i)
        ASSERT_EQ(element(tensor_of(back), i), element(tensor_of(v), i)) << name;
    }
  }
}

TEST_F(Npy, RoundsHalvesToTheNearest) {
  Value v = make_tensor(b_, make_dtype(kDLFloat, 16), {1});
  const DLTensor& t = tensor_of(v);
  auto bits = [&] {
    uint16_t h;
    std::memcpy(&h, t.data, 2);
    return h;
  };
  struct Row {
    double value;
    uint16_t half;
  };
  for (Row row :
       {Row{0.0, 0}, Row{-0.0, 0x8000}, Row{1.0, 0x3c00}, Row{-2.0, 0xc000}, Row{65504, 0x7bff}, Row{65519.9, 0x7bff},
        Row{65520, 0x7c00}, Row{0x1p-24, 1}, Row{0x1p-25, 0}, Row{0x1.8p-25, 1}, Row{0x1p-14, 0x0400},
        Row{1 + 0x1p-11, 0x3c00}, Row{1 + 3 * 0x1p-11, 0x3c02}, Row{2047.5, 0x6800}, Row{0.1, 0x2e66}}) {
    set_element(t, 0, row.value);
    EXPECT_EQ(bits(), row.half) << row.value;
  }
  set_element(t, 0, std::numeric_limits<double>::quiet_NaN());
  EXPECT_TRUE(std::isnan(element(t, 0)));
  for (int h = 0; h < 65536; ++h) {  // every half is itself
    auto half = static_cast<uint16_t>(h);
    std::memcpy(t.data, &half, 2);
    double value = element(t, 0);
    if (std::isnan(value)) continue;
    set_element(t, 0, value);
    ASSERT_EQ(bits(), half);
  }
}

TEST_F(Npy, SumsUpFiniteElements) {
  Value v = make_tensor(b_, kFloat64, {4});
  const DLTensor& t = tensor_of(v);
  double values[] = {3, -1, std::numeric_limits<double>::infinity(), 4};
  std::memcpy(t.data, values, sizeof values);
  Summary s = summarize(t);
  EXPECT_EQ(s.min, -1);
  EXPECT_EQ(s.max, 4);
  EXPECT_DOUBLE_EQ(s.mean, 2);
  EXPECT_EQ(s.not_finite, 1);
}

}  // namespace
}  // namespace tenon::tool
