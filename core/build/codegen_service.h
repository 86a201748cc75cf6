// "tenon.host.codegen/1": passes hand graph functions to the code generator that they ask for.
#ifndef TENON_BUILD_CODEGEN_SERVICE_H
#define TENON_BUILD_CODEGEN_SERVICE_H

#include "tenon/cxx/builder.h"
#include "tenon/ext/codegen.h"

namespace tenon {

class Session;

class CodegenService {
 public:
  explicit CodegenService(Session& session);
  CodegenService(const CodegenService&) = delete;
  CodegenService& operator=(const CodegenService&) = delete;

  const TnHostCodegen* table() const { return &table_; }
  // The payload for the public functions of `module`, as a module holds it.
  Map generate(std::string_view codegen, const Node& module, const Map& options);

 private:
  Session& session_;
  TnHostCodegen table_;
};

}  // namespace tenon
#endif
