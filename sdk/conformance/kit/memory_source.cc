#include "memory_source.h"

#include <cstdio>

namespace tenon::conformance {

MemorySource::MemorySource(const Builder& b, std::string name, std::string bytes)
    : b_(b), name_(std::move(name)), bytes_(std::move(bytes)) {
  raw_ = {};
  raw_.size = sizeof raw_;
  raw_.self = this;
  raw_.name = name_.c_str();
  raw_.data = bytes_.data();
  raw_.data_size = bytes_.size();
  raw_.view = [](void* self, uint64_t offset, uint64_t size, TnValue* ret) -> int {
    auto* s = static_cast<MemorySource*>(self);
    return guard(s->b_.runtime(), ret, [&] {
      if (offset > s->bytes_.size() || size > s->bytes_.size() - offset)
        throw Error(TN_ERROR_CORRUPT, "a constant lies beyond the end of the model", s->name_);
      auto n = static_cast<int64_t>(size);
      DLTensor t{s->bytes_.data() + offset, {kDLCPU, 0}, 1, make_dtype(kDLUInt, 8), &n, nullptr, 0};
      return call([&](TnValue* r) { return s->b_.ir()->constant(s->b_.ir()->self, &t, r); });
    });
  };
  raw_.external = [](void* self, const char* name, uint64_t, uint64_t, TnValue* ret) -> int {
    auto* s = static_cast<MemorySource*>(self);
    return s->b_.runtime()->error(TN_ERROR_NOT_FOUND, name, s->name_.c_str(), nullptr, nullptr, ret);
  };
  raw_.constant = [](void*, const char*, TnValue* ret) -> int {
    *ret = {TN_NONE, 0, {0}};
    return 0;
  };
}

std::string read_bytes(const std::string& path) {
  FILE* f = std::fopen(path.c_str(), "rb");
  if (!f) throw Error(TN_ERROR_IO, "cannot read the sample", path);
  std::string out;
  char buffer[65536];
  for (size_t n; (n = std::fread(buffer, 1, sizeof buffer, f)) > 0;) out.append(buffer, n);
  std::fclose(f);
  return out;
}

}  // namespace tenon::conformance
