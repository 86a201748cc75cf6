#include "memory_source.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstring>
#include <deque>
#include <mutex>
#include <new>

namespace tenon::conformance {

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kKept = 64;  // mappings of sources that are gone, which nobody may touch any more

}  // namespace

MemorySource::MemorySource(const Builder& b, std::string name, std::string bytes)
    : b_(b), name_(std::move(name)), size_(bytes.size()), mapped_((size_ / kPage + 2) * kPage) {
  void* memory = mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  mapping_ = static_cast<char*>(memory);
  // The last bytes end at the page, but for what keeps the first one aligned; no zero stands there.
  const size_t aligned = (size_ + 15) / 16 * 16;
  char* data = mapping_ + mapped_ - kPage - aligned;
  std::memset(data, 0xA5, aligned);
  std::memcpy(data, bytes.data(), size_);
  mprotect(mapping_, mapped_ - kPage, PROT_READ);
  mprotect(mapping_ + mapped_ - kPage, kPage, PROT_NONE);
  raw_ = {};
  raw_.size = sizeof raw_;
  raw_.self = this;
  raw_.name = name_.c_str();
  raw_.data = data;
  raw_.data_size = size_;
  raw_.view = [](void* self, uint64_t offset, uint64_t size, TnValue* ret) -> int {
    auto* s = static_cast<MemorySource*>(self);
    return guard(s->b_.runtime(), ret, [&] {
      if (offset > s->size_ || size > s->size_ - offset)
        throw Error(TN_ERROR_CORRUPT, "a constant lies beyond the end of the model", s->name_);
      auto n = static_cast<int64_t>(size);
      DLTensor t{const_cast<char*>(s->raw_.data) + offset, {kDLCPU, 0}, 1, make_dtype(kDLUInt, 8), &n, nullptr, 0};
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

// What was borrowed for the call and is used after it ends the process, as a file that was unmapped does.
MemorySource::~MemorySource() {
  static std::mutex mutex;
  static std::deque<std::pair<char*, size_t>> kept;
  madvise(mapping_, mapped_, MADV_DONTNEED);
  mprotect(mapping_, mapped_, PROT_NONE);
  std::lock_guard lock(mutex);
  kept.emplace_back(mapping_, mapped_);
  if (kept.size() <= kKept) return;
  munmap(kept.front().first, kept.front().second);
  kept.pop_front();
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
