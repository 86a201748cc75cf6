#include "ir/constant_store.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "diag/sha256.h"
#include "tenon/cxx/device.h"

namespace tenon {
namespace internal {

// A mapped range of memory, unmapped with its last user.
class Mapping {
 public:
  Mapping(void* data, uint64_t size, std::string store) : data_(data), size_(size), store_(std::move(store)) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (size_) munmap(data_, size_);
    if (memory_ >= 0) close(memory_);
  }
  // What file it maps, from which offset. `memory`: the descriptor of a file without a name, which is taken over; -1
  // for a file that is found by its name again.
  void lies_in(const struct stat& file, uint64_t offset, int memory) {
    place_ = {file.st_dev, file.st_ino, offset};
    memory_ = memory;
  }
  const ConstantPlace& place() const { return place_; }
  int memory() const { return memory_; }
  char* data() const { return static_cast<char*>(data_); }
  uint64_t size() const { return size_; }
  const std::string& store() const { return store_; }

 private:
  void* data_;
  uint64_t size_;
  std::string store_;
  ConstantPlace place_;
  int memory_ = -1;
};

}  // namespace internal

namespace {

using internal::Mapping;

constexpr uint64_t kChunkBytes = uint64_t{1} << 20;
// Descriptors are few (1,024 a process, as a rule), so from this number on a store in memory gives its own back: it is
// then copied where another process needs it.
constexpr int kLastKeptDescriptor = 500;
constexpr uint64_t kAlignment = 64;

struct File {
  int fd;
  ~File() {
    if (fd >= 0) close(fd);
  }
};

std::shared_ptr<Mapping> map_memory(uint64_t size, const std::string& name) {
  File file{memfd_create("tenon-constants", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  void* data = MAP_FAILED;
  struct stat status;
  if (file.fd >= 0 && ftruncate(file.fd, static_cast<off_t>(size)) == 0 && fstat(file.fd, &status) == 0)
    data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
  if (data != MAP_FAILED) {
    auto mapping = std::make_shared<Mapping>(data, size, name);
    // Whoever maps it too must be able to rely on its size.
    fcntl(file.fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
    if (file.fd < kLastKeptDescriptor) mapping->lies_in(status, 0, std::exchange(file.fd, -1));
    return mapping;
  }
  if (data == MAP_FAILED) data = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED)
    throw Error(TN_ERROR_OUT_OF_MEMORY, "no memory for a constant of " + std::to_string(size) + " bytes");
  return std::make_shared<Mapping>(data, size, name);
}

// A constant object: the public part, and what keeps its bytes and texts alive.
struct ConstantObject {
  TnConstant base;
  std::shared_ptr<Mapping> mapping;
  char digest[kDigestTextSize + 1];
};

Constant make_constant(std::shared_ptr<Mapping> mapping, const void* data, uint64_t size, uint64_t offset,
                       std::string_view digest) {
  Value v = call([&](TnValue* ret) {
    return tn_runtime()->object(
        sizeof(ConstantObject), TN_CONSTANT,
        [](void* self) { std::destroy_at(&static_cast<ConstantObject*>(self)->mapping); }, ret);
  });
  auto* c = reinterpret_cast<ConstantObject*>(v.raw().as.object);
  std::construct_at(&c->mapping, std::move(mapping));
  digest.copy(c->digest, kDigestTextSize);
  c->digest[kDigestTextSize] = 0;
  c->base.data = data;
  c->base.size = size;
  c->base.digest = c->digest;
  c->base.store = c->mapping->store().c_str();
  c->base.offset = offset;
  return Constant::adopt(reinterpret_cast<const TnConstant*>(v.release().as.object));
}

std::string digest_of(const void* data, uint64_t size) {
  return digest_text(sha256({static_cast<const char*>(data), size}));
}

bool is_digest(std::string_view text) {
  return text.size() == kDigestTextSize && text.starts_with("sha256:") &&
         text.find_first_not_of("0123456789abcdef", 7) == std::string_view::npos;
}

}  // namespace

Constant ConstantStore::add(const void* data, uint64_t size) {
  std::string digest = digest_of(data, size);
  std::lock_guard lock(mutex_);
  auto known = by_digest_.find(digest);
  if (known != by_digest_.end()) return known->second;
  uint64_t start = (used_ + kAlignment - 1) / kAlignment * kAlignment;
  if (!chunk_ || start > chunk_->size() || chunk_->size() - start < size) {
    chunk_ = map_memory(std::max({size, kChunkBytes, total_ / 4}), name_ + ":" + std::to_string(chunks_++));
    start = 0;
  }
  used_ = start + size;
  total_ += size;
  if (size) std::memcpy(chunk_->data() + start, data, size);
  Constant c = make_constant(chunk_, chunk_->data() + start, size, start, digest);
  by_digest_.emplace(std::move(digest), c);
  return c;
}

Constant ConstantStore::add(const DLTensor& tensor) {
  uint64_t size = tensor_bytes(tensor);
  return add(static_cast<const char*>(tensor.data) + tensor.byte_offset, size);
}

void ConstantStore::keep(const Constant& constant) {
  std::lock_guard lock(mutex_);
  by_digest_.emplace(constant->digest, constant);
}

Constant ConstantStore::find(std::string_view digest) const {
  std::lock_guard lock(mutex_);
  auto it = by_digest_.find(digest);
  return it == by_digest_.end() ? Constant() : it->second;
}

uint64_t ConstantStore::size() const {
  std::lock_guard lock(mutex_);
  return total_;
}

ConstantDraft::ConstantDraft(uint64_t size)
    : mapping_(map_memory(std::max<uint64_t>(size, 1), "memory")), size_(size) {}

void* ConstantDraft::data() const { return mapping_->data(); }

Constant ConstantDraft::seal() const {
  mprotect(mapping_->data(), mapping_->size(), PROT_READ);
  return make_constant(mapping_, mapping_->data(), size_, 0, digest_of(mapping_->data(), size_));
}

Constant constant_from_file(const std::string& path, uint64_t offset, uint64_t size, std::string_view digest) {
  File file{open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) throw Error(TN_ERROR_IO, std::string("cannot map the constant data: ") + std::strerror(errno), path);
  return constant_from_descriptor(file.fd, path, offset, size, digest);
}

Constant constant_from_descriptor(int fd, const std::string& path, uint64_t offset, uint64_t size,
                                  std::string_view digest) {
  auto fail = [&](const std::string& why) -> Error {
    return Error(TN_ERROR_IO, "cannot map the constant data: " + why, path);
  };
  if (!digest.empty() && !is_digest(digest))
    throw Error(TN_ERROR_ARGUMENT, "`" + std::string(digest) + "` is no digest: it must read sha256: and 64 hex digits",
                path);
  struct stat status;
  if (fstat(fd, &status) != 0) throw fail(std::strerror(errno));
  if (!S_ISREG(status.st_mode)) throw fail("it is no regular file");
  auto available = static_cast<uint64_t>(status.st_size);
  if (offset > available || size > available - offset)
    throw Error(TN_ERROR_ARGUMENT,
                "a constant of " + std::to_string(size) + " bytes at offset " + std::to_string(offset) +
                    " lies outside of a file of " + std::to_string(available) + " bytes",
                path, "the file is cut short or does not belong to this model");
  auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  uint64_t first = offset / page * page, length = offset - first + size;
  if (size == 0)
    return make_constant(std::make_shared<Mapping>(nullptr, 0, path), "", 0, offset,
                         digest.empty() ? digest_of("", 0) : std::string(digest));
  void* data = mmap(nullptr, length, PROT_READ, MAP_PRIVATE, fd, static_cast<off_t>(first));
  if (data == MAP_FAILED) throw fail(std::strerror(errno));
  auto mapping = std::make_shared<Mapping>(data, length, path);
  mapping->lies_in(status, first, -1);
  const char* bytes = mapping->data() + (offset - first);
  std::string text = digest.empty() ? digest_of(bytes, size) : std::string(digest);
  return make_constant(std::move(mapping), bytes, size, offset, text);
}

Constant constant_from_bytes(const void* data, uint64_t size) {
  auto mapping = map_memory(std::max<uint64_t>(size, 1), "memory");
  if (size) std::memcpy(mapping->data(), data, size);
  const char* bytes = mapping->data();
  return make_constant(std::move(mapping), bytes, size, 0, digest_of(bytes, size));
}

namespace {
const Mapping& mapping_of(const TnConstant& c) { return *reinterpret_cast<const ConstantObject*>(&c)->mapping; }
}  // namespace

ConstantPlace place_of(const TnConstant& constant) {
  const Mapping& mapping = mapping_of(constant);
  ConstantPlace place = mapping.place();
  if (place.inode == 0) return {};
  place.offset += static_cast<uint64_t>(static_cast<const char*>(constant.data) - mapping.data());
  return place;
}

int open_place(const TnConstant& constant) {
  const Mapping& mapping = mapping_of(constant);
  if (mapping.place().inode == 0) return -1;
  std::string path =
      mapping.memory() >= 0 ? "/proc/self/fd/" + std::to_string(mapping.memory()) : std::string(mapping.store());
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  struct stat now;
  if (fd >= 0 && fstat(fd, &now) == 0 && now.st_dev == mapping.place().device && now.st_ino == mapping.place().inode)
    return fd;
  if (fd >= 0) close(fd);
  return -1;
}

MappedStore::MappedStore(int fd, std::string name) {
  struct stat status;
  void* data = MAP_FAILED;
  auto size = fstat(fd, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
  if (size > 0) data = mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
  if (data == MAP_FAILED)
    throw Error(TN_ERROR_IO, std::string("cannot map the constants of another process: ") + std::strerror(errno), name);
  mapping_ = std::make_shared<Mapping>(data, size, std::move(name));
}

Constant MappedStore::constant(uint64_t offset, uint64_t size, std::string_view digest) const {
  if (!mapping_ || !is_digest(digest) || offset > mapping_->size() || size > mapping_->size() - offset)
    throw Error(TN_ERROR_CORRUPT, "a constant of another process lies outside of its store");
  return make_constant(mapping_, mapping_->data() + offset, size, offset, digest);
}

uint64_t tensor_bytes(const DLTensor& t) {
  auto refuse = [](const std::string& why) -> Error {
    return Error(TN_ERROR_ARGUMENT, "cannot make a constant of a tensor " + why, {},
                 "copy it to a contiguous tensor on the CPU");
  };
  if (device_type(t.device) != kDLCPU) throw refuse("that is not on the CPU");
  if (t.ndim < 0 || (t.ndim > 0 && !t.shape)) throw refuse("without a shape");
  uint64_t elements = 1;
  for (int32_t i = 0; i < t.ndim; ++i) {
    if (t.shape[i] < 0) throw refuse("with a negative extent");
    if (__builtin_mul_overflow(elements, static_cast<uint64_t>(t.shape[i]), &elements) ||
        elements > (uint64_t{1} << 48))
      throw Error(TN_ERROR_LIMIT, "a constant has more than 2^48 elements");
  }
  int64_t expected = 1;
  for (int32_t i = t.ndim; t.strides && elements > 0 && i-- > 0;) {
    if (t.shape[i] != 1 && t.strides[i] != expected) throw refuse("whose elements are not contiguous");
    expected *= t.shape[i];
  }
  uint64_t size = elements * static_cast<uint64_t>(dtype_bytes(t.dtype));
  if (size > 0 && !t.data) throw refuse("without data");
  return size;
}

}  // namespace tenon
