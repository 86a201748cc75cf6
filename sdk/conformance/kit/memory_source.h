// A model in memory, as a frontend is given one.
#ifndef TENON_CONFORMANCE_MEMORY_SOURCE_H
#define TENON_CONFORMANCE_MEMORY_SOURCE_H

#include <tenon/cxx/builder.h>
#include <tenon/ext/frontend.h>

namespace tenon::conformance {

class MemorySource {
 public:
  MemorySource(const Builder& b, std::string name, std::string bytes);
  MemorySource(const MemorySource&) = delete;
  const TnModelSource* raw() const { return &raw_; }

 private:
  const Builder& b_;
  std::string name_, bytes_;
  TnModelSource raw_;
};

std::string read_bytes(const std::string& path);

}  // namespace tenon::conformance
#endif
