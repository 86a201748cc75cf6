// Where the bytes of constants lie: memory of the session or mapped files. The IR refers to them and never holds them.
// Every constant carries the SHA-256 of its bytes, computed when it is made (or taken from whoever already knows it).
#ifndef TENON_CORE_IR_CONSTANT_STORE_H
#define TENON_CORE_IR_CONSTANT_STORE_H

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "tenon/cxx/node.h"

namespace tenon {

using Constant = Ref<const TnConstant>;

namespace internal {
class Mapping;
}

// Constants in memory, in anonymous files of a megabyte or more, growing with what they hold (memfd), so that they can
// be passed to another process by descriptor. The same bytes are stored once. Constants outlive the store. Any thread.
class ConstantStore {
 public:
  explicit ConstantStore(std::string name = "memory") : name_(std::move(name)) {}

  // Copies the bytes.
  Constant add(const void* data, uint64_t size);
  // The bytes of a contiguous tensor on the CPU.
  Constant add(const DLTensor& tensor);
  // A constant of a file that decode may find by its digest.
  void keep(const Constant& constant);
  // Null when there is none of this digest.
  Constant find(std::string_view digest) const;
  // Bytes copied so far.
  uint64_t size() const;

 private:
  std::string name_;
  mutable std::mutex mutex_;
  std::map<std::string, Constant, std::less<>> by_digest_;
  std::shared_ptr<internal::Mapping> chunk_;  // the one being filled
  uint64_t used_ = 0;                         // of chunk_
  uint64_t total_ = 0;
  int chunks_ = 0;
};

// Memory of zeros for a constant whose bytes are yet to be computed.
class ConstantDraft {
 public:
  explicit ConstantDraft(uint64_t size);
  void* data() const;
  uint64_t size() const { return size_; }
  // The constant. The memory is protected against writing from now on, and outlives the draft with the constant.
  Constant seal() const;

 private:
  std::shared_ptr<internal::Mapping> mapping_;
  uint64_t size_;
};

// A constant whose bytes lie in a file, which is mapped read-only. `digest` is taken on trust when given, else
// computed. Throws TN_ERROR_IO when the file cannot be read and TN_ERROR_ARGUMENT when the range lies outside of it.
Constant constant_from_file(const std::string& path, uint64_t offset, uint64_t size, std::string_view digest = {});

// The same for a file that is open; `name` is for messages.
Constant constant_from_descriptor(int fd, const std::string& name, uint64_t offset, uint64_t size,
                                  std::string_view digest = {});

// A constant with memory of its own.
Constant constant_from_bytes(const void* data, uint64_t size);

// Where the bytes of a constant lie, for another process: within a file that may have no name. All that lie in one file
// have the same device and inode; 0 and 0 stand for memory that no descriptor leads to.
struct ConstantPlace {
  uint64_t device = 0, inode = 0;
  uint64_t offset = 0;
};
ConstantPlace place_of(const TnConstant& constant);
// A descriptor of that file, for reading, which the caller closes; -1 when there is none any more: the file was removed
// or replaced, or the constant lies in plain memory.
int open_place(const TnConstant& constant);

// A file of constants as a whole, of another process. Mapped for reading; constants keep it mapped.
class MappedStore {
 public:
  MappedStore() = default;
  // Takes what the descriptor leads to, not the descriptor. Throws TN_ERROR_IO.
  MappedStore(int fd, std::string name);
  // `digest` is taken on trust. Throws TN_ERROR_CORRUPT when the range lies outside.
  Constant constant(uint64_t offset, uint64_t size, std::string_view digest) const;

 private:
  std::shared_ptr<internal::Mapping> mapping_;
};

// How many bytes a contiguous tensor on the CPU has. Throws TN_ERROR_ARGUMENT when it is none, or null.
uint64_t tensor_bytes(const DLTensor& tensor);

}  // namespace tenon
#endif
