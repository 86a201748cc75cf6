// A model in memory, as a frontend is given one: it is mapped for the length of the object, to be read and within its
// size alone.
#ifndef TENON_CONFORMANCE_MEMORY_SOURCE_H
#define TENON_CONFORMANCE_MEMORY_SOURCE_H

#include <tenon/cxx/builder.h>
#include <tenon/ext/frontend.h>

namespace tenon::conformance {

class MemorySource {
 public:
  MemorySource(const Builder& b, std::string name, std::string bytes);
  ~MemorySource();
  MemorySource(const MemorySource&) = delete;
  const TnModelSource* raw() const { return &raw_; }

 private:
  const Builder& b_;
  std::string name_;
  size_t size_;
  size_t mapped_;  // pages that hold the bytes at their end, and one that nobody may touch
  char* mapping_;
  TnModelSource raw_;
};

std::string read_bytes(const std::string& path);

}  // namespace tenon::conformance
#endif
