// The payloads that a module carries: what code generators have made of functions that asked for them. They implement
// external functions of the module that is loaded or compiled.
#ifndef TENON_BUILD_PAYLOAD_H
#define TENON_BUILD_PAYLOAD_H

#include <functional>
#include <string>
#include <vector>

#include "ir/constant_store.h"
#include "tenon/cxx/builder.h"

namespace tenon {

inline constexpr std::string_view kObjectFormat = "elf-object/1";

// An entry of ir.Module.payloads, checked.
struct Payload {
  Map map;              // {codegen, format, size, bytes, exports, imports, constants, symbols}
  std::string codegen;  // the plugin that made it
  std::string format;
  Constant bytes;
  Map exports;         // name of a function -> symbol of its entry
  std::string device;  // where it runs; "" in the host

  // Linked into the artifact; all else travels as it is, for a loader.
  bool is_object() const { return format == kObjectFormat; }
};

// The bytes of a payload as a code generator gives them, or as a module holds them.
std::string_view payload_bytes(const Map& payload);

// Throws TN_ERROR_PLUGIN for a payload that does not keep to the contract: a part is of the wrong type, or it exports
// what is none of the functions of `module`.
void check_payload(const Map& payload, const std::string& codegen, const ir::Module& module);
[[noreturn]] void refuse_payload(const std::string& codegen, const std::string& why);

// What the code generator gave for the public functions of `module`, as a module holds it; the bytes are placed in
// `store`. Throws TN_ERROR_PLUGIN for what does not keep to the contract.
Map complete_payload(const Builder& b, ConstantStore& store, const Map& payload, const std::string& codegen,
                     const ir::Module& module);

// The payloads of a module. Throws TN_ERROR_VERIFY for one that is not well formed, and TN_ERROR_DUPLICATE for a
// function that two of them implement.
std::vector<Payload> attached_payloads(const ir::Module& module);

// Whether those payloads that are objects can be linked together: each defines the symbols of its exports, and none a
// symbol that another defines. `code` is the payload of the module's own code, or null; `codegen` made it.
void check_objects(const Map& code, const std::string& codegen, const std::vector<Payload>& payloads);

// Links `objects` (file names) into `output`.
struct Link {
  std::string plugin;
  std::function<void(const Array& objects, const std::string& output)> run;
};

// The functions of one payload, made callable in this process. `link` as write_artifact takes it, for an object;
// `find_plugins` as TnRuntime.instantiate takes it, for all else.
Map open_payload(const Builder& b, const Payload& payload, const Map& imports, const Link& link,
                 const Value& find_plugins);

}  // namespace tenon
#endif
