// Links an object file into this process.
#ifndef TENON_CODEGEN_LLVM_JIT_H
#define TENON_CODEGEN_LLVM_JIT_H

#include <memory>
#include <string>
#include <vector>

namespace tenon::backend {

// Code in memory; it is unmapped with the object.
class LoadedObject {
 public:
  // Links `bytes`; what it needs from the C library is taken from a fixed list. Throws when something else is missing.
  LoadedObject(const std::string& bytes, const std::vector<std::string>& needed_symbols);
  ~LoadedObject();
  LoadedObject(const LoadedObject&) = delete;
  LoadedObject& operator=(const LoadedObject&) = delete;
  void* find(const std::string& symbol) const;

 private:
  struct Session;
  std::unique_ptr<Session> session_;
};

}  // namespace tenon::backend
#endif
