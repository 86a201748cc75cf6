#include "npy.h"

#include <sys/stat.h>

#include <cstring>

#include "diag/files.h"

namespace tenon::tool {

namespace {

struct TypeRow {
  const char* numpy;
  DLDataType dtype;
};
constexpr TypeRow kTypes[] = {{"|b1", kBool},
                              {"|i1", make_dtype(kDLInt, 8)},
                              {"<i2", make_dtype(kDLInt, 16)},
                              {"<i4", kInt32},
                              {"<i8", kInt64},
                              {"|u1", make_dtype(kDLUInt, 8)},
                              {"<u2", make_dtype(kDLUInt, 16)},
                              {"<u4", make_dtype(kDLUInt, 32)},
                              {"<u8", make_dtype(kDLUInt, 64)},
                              {"<f2", make_dtype(kDLFloat, 16)},
                              {"<f4", kFloat32},
                              {"<f8", kFloat64}};

constexpr char kMagic[] = "\x93NUMPY";

class Header {
 public:
  Header(std::string_view text, const std::string& path) : text_(text), path_(path) {}

  // What stands behind 'key': up to the comma or brace that ends it; parentheses are kept whole.
  std::string_view value(std::string_view key) const {
    std::string quoted = "'" + std::string(key) + "':";
    size_t at = text_.find(quoted);
    if (at == std::string_view::npos) throw bad("its header lacks '" + std::string(key) + "'");
    std::string_view rest = text_.substr(at + quoted.size());
    rest.remove_prefix(std::min(rest.find_first_not_of(' '), rest.size()));
    size_t end = rest.starts_with('(') ? rest.find(')') + 1 : rest.find_first_of(",}");
    if (end == std::string_view::npos || end == 0) throw bad("its header does not end");
    return rest.substr(0, end);
  }
  std::vector<int64_t> shape() const {
    std::vector<int64_t> out;
    std::string_view text = value("shape");
    if (!text.starts_with('(')) throw bad("its shape is no tuple");
    int64_t number = -1;
    for (char c : text.substr(1)) {
      if (c >= '0' && c <= '9') {
        number = (number < 0 ? 0 : number) * 10 + (c - '0');
        if (number > (int64_t{1} << 48)) throw bad("its shape is too large");
      } else {
        if (c != ',' && c != ' ' && c != ')' && c != 'L')
          throw bad("its shape " + std::string(text) + " is no tuple of extents");
        if (number >= 0) out.push_back(number);
        number = -1;
      }
    }
    return out;
  }
  Error bad(const std::string& why) const {
    return Error(TN_ERROR_CORRUPT, "cannot read the array: " + why, path_, "write it with numpy.save");
  }

 private:
  std::string_view text_;
  const std::string& path_;
};

}  // namespace

Value make_tensor(const Builder& b, DLDataType dtype, const std::vector<int64_t>& shape) {
  Value v = call([&](TnValue* ret) {
    return b.runtime()->tensor({kDLCPU, 0}, dtype, static_cast<int32_t>(shape.size()), shape.data(), ret);
  });
  const DLTensor& t = tensor_of(v);
  std::memset(t.data, 0, static_cast<size_t>(element_count(t) * dtype_bytes(dtype)));
  return v;
}

Value read_npy(const Builder& b, const std::string& path) {
  struct stat status;
  bool is_there = ::stat(path.c_str(), &status) == 0;
  // A folder is refused where it is read; a device need not end.
  if (is_there && !S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode) && !S_ISDIR(status.st_mode))
    throw Error(TN_ERROR_IO, "the array is no regular file", path);
  std::string file = read_file(path);
  Header none("", path);
  if (file.size() < 10 || std::memcmp(file.data(), kMagic, 6) != 0) throw none.bad("it is no .npy file");
  bool wide = file[6] >= 2;
  if (file[6] < 1 || file[6] > 3) throw none.bad("its version " + std::to_string(file[6]) + " is not known");
  size_t start = wide ? 12 : 10, length = 0;
  for (size_t i = start; i-- > 8;) length = length << 8 | static_cast<unsigned char>(file[i]);
  if (file.size() < start || file.size() - start < length) throw none.bad("it is cut short");
  Header header(std::string_view(file).substr(start, length), path);
  std::string_view type = header.value("descr");
  const TypeRow* row = nullptr;
  for (const TypeRow& t : kTypes)
    if (type == "'" + std::string(t.numpy) + "'") row = &t;
  if (!row) throw header.bad("its type " + std::string(type) + " is not known here");
  if (header.value("fortran_order") != "False") throw header.bad("it is in Fortran order");
  std::vector<int64_t> shape = header.shape();
  size_t bytes = static_cast<size_t>(dtype_bytes(row->dtype)), have = file.size() - start - length;
  for (int64_t extent : shape) {
    if (extent > 0 && bytes > SIZE_MAX / static_cast<size_t>(extent)) throw header.bad("its shape is too large");
    bytes *= static_cast<size_t>(extent);
  }
  if (bytes != have)
    throw header.bad("its shape needs " + std::to_string(bytes) + " bytes, the file has " + std::to_string(have));
  Value v = make_tensor(b, row->dtype, shape);
  if (bytes) std::memcpy(tensor_of(v).data, file.data() + start + length, bytes);
  return v;
}

void write_npy(const std::string& path, const DLTensor& t) {
  const char* type = t.dtype.code == kDLBfloat ? "<u2" : nullptr;
  for (const TypeRow& row : kTypes)
    if (same_dtype(row.dtype, t.dtype)) type = row.numpy;
  if (!type)
    throw Error(TN_ERROR_UNSUPPORTED, "an array of " + dtype_text(t.dtype) + " cannot be written as .npy", path);
  std::string header = "{'descr': '" + std::string(type) + "', 'fortran_order': False, 'shape': (";
  for (int i = 0; i < t.ndim; ++i)
    header += std::to_string(t.shape[i]) + (i + 1 < t.ndim ? ", " : t.ndim == 1 ? "," : "");
  header += "), }";
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string file(kMagic, 6);
  file += {1, 0, static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  file += header;
  file.append(static_cast<const char*>(t.data) + t.byte_offset,
              static_cast<size_t>(element_count(t) * dtype_bytes(t.dtype)));
  write_file(path, file);
}

}  // namespace tenon::tool
