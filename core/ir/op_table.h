// The operators that a session knows: graph operators (relax.add) and loop intrinsics (tir.exp) alike. Everything about
// an operator but its functions is data from the manifest of its plugin.
#ifndef TENON_CORE_IR_OP_TABLE_H
#define TENON_CORE_IR_OP_TABLE_H

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tenon/cxx/node.h"

namespace tenon {

enum class OpLevel { kLoop, kGraph };
enum class OpEffects { kPure, kRead, kWrite, kOpaque };

struct OpAttr {
  std::string name;
  std::string type;            // int bool float string dtype list map any
  std::optional<Value> value;  // the default; without one the attribute must be given. None: it may be left out
  std::vector<Value> choices;  // empty: any value of the type
};

struct OpRecord {
  std::string id;
  int64_t revision = 1;
  OpLevel level = OpLevel::kGraph;
  std::vector<std::string> args;  // without the variadic one
  bool variadic = false;          // more arguments may follow
  std::vector<OpAttr> attrs;
  OpEffects effects = OpEffects::kPure;
  std::string result;  // loop level: "first" (the dtype of the first argument), a dtype, or "given" (that of the call)
  // Loop level: the classes of dtypes (int, bool, float) of which the arguments have one dtype; of an operator without
  // arguments, that of the call. Empty: any dtypes.
  std::vector<std::string> takes;
  std::string plugin;
  std::string origin;                  // where the row stands, for messages
  std::vector<std::string> functions;  // those that the plugin has: infer_type, compute, evaluate
  Map data;                            // the row itself, completed by `plugin`

  bool has_function(std::string_view name) const;
  const OpAttr* find_attr(std::string_view name) const;
};

class OpTable {
 public:
  // Adds one row of a manifest's `ops`:
  //   {id, revision, level, args, attrs: {NAME: {type, default, choices, position}}, effects, result, functions,
  //    takes, commutative}
  // Throws TN_ERROR_ARGUMENT for a row that is not well formed, and TN_ERROR_DUPLICATE naming both origins.
  void add(const Map& row, std::string_view plugin, std::string_view origin);
  // The same for a table of several plugins: an operator that two of them declare is neither's, and asking for it
  // throws that error from then on.
  void add_or_dispute(const Map& row, std::string_view plugin, std::string_view origin);

  // Null when no plugin declares it.
  const OpRecord* find(std::string_view id) const;
  // Throws TN_ERROR_NOT_FOUND with the nearest known name.
  const OpRecord& get(std::string_view id, const std::string& where = {}) const;
  std::vector<std::string> ids() const;  // in the order of their bytes

  // The dtype that a loop-level call has by its operator's result rule, with the lanes of its first argument. Nothing
  // when the call itself says it ("given"), or when the operator or the argument does not tell.
  std::optional<DLDataType> dtype_of_call(const Node& call) const;

  // Why a call does not fit its operator: argument count, unknown, missing or mistyped attributes. "" when it fits.
  std::string misfit(const Node& call) const;

  // Why the dtypes of a loop-level call are not those that its operator takes. "" when they are.
  std::string dtype_misfit(const Node& call) const;

  // The attributes of a call with the defaults filled in.
  Map complete_attrs(const Node& call) const;

 private:
  std::map<std::string, OpRecord, std::less<>> records_;
  std::map<std::string, Error, std::less<>> disputed_;
};

}  // namespace tenon
#endif
