// The session's "tenon.host.ir/1": the tables of core/ir, the text form of core/script, and the session's constants and
// operators behind them.
#ifndef TENON_BUILD_IR_SERVICE_H
#define TENON_BUILD_IR_SERVICE_H

#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include "ir/constant_store.h"
#include "ir/op_table.h"
#include "ir/verify_cache.h"
#include "tenon/cxx/builder.h"

namespace tenon {

class IrService {
 public:
  IrService();
  IrService(const IrService&) = delete;
  IrService& operator=(const IrService&) = delete;

  const TnHostIr* table() const { return &table_; }
  ConstantStore& constants() { return constants_; }
  // What the text form asks about operators. Until then every operator is accepted.
  void set_ops(const std::function<const OpTable&()>& ops) { ops_ = ops; }
  // Makes the kinds of plugins known; called before anything that may name one.
  void set_kinds(const std::function<void()>& declare) { declare_kinds_ = declare; }
  // What the verifier asks about calls of operators: made for one module, it gives the type of one of its calls.
  using TypeInference = std::function<Value(const Node& call)>;
  void set_inference(const std::function<TypeInference(const Node& module)>& make) { make_inference_ = make; }

  // What was verified is looked at again: types may be inferred otherwise from now on.
  void forget_verified();

  // I.data("sha256:...") is found among the session's constants, or in the folder data/ beside `file`.
  Node parse(std::string_view text, const std::string& file);
  // `options`: module_name (string), imports (bool), inline_bytes (int).
  std::string print(const Value& tree, const Map& options);

 private:
  void verify(const Node& module);
  void verify_all(const Node& module);  // payloads too
  void declare_kinds() const {
    if (declare_kinds_) declare_kinds_();
  }
  Value find_op(std::string_view id);
  Value find_constant(std::string_view digest, const std::string& file);

  TnHostIr table_;
  ConstantStore constants_;
  std::function<const OpTable&()> ops_;
  std::function<void()> declare_kinds_;
  std::function<TypeInference(const Node& module)> make_inference_;
  std::mutex cache_mutex_;
  VerifyCache cache_;
};

}  // namespace tenon
#endif
