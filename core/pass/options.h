// Typed options: what a manifest declares for a pass, a codegen or an executor, and the check of what a user gives.
#ifndef TENON_PASS_OPTIONS_H
#define TENON_PASS_OPTIONS_H

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tenon/cxx/builder.h"

namespace tenon {

enum class OptionType { kBool, kInt, kFloat, kString, kList, kMap, kAny };

struct OptionSchema {
  std::string name;
  OptionType type = OptionType::kAny;
  bool required = false;       // no default was declared
  Value default_value;         // none: the option may be absent
  std::vector<Value> choices;  // empty: any value of the type
  std::string summary;
};
using OptionSchemas = std::vector<OptionSchema>;

std::string_view option_type_name(OptionType type);
std::optional<OptionType> option_type_from(std::string_view name);
std::vector<std::string> option_type_names();

// The kind of a value in words ("an integer"), and the value itself as one line of text.
std::string value_kind(const Value& value);
std::string value_text(const Value& value);

// Why `value` is not acceptable for the option; empty when it is.
std::string option_problem(const OptionSchema& schema, const Value& value);

// Names what the options are for, and where one of them stands in a file ("" when not from a file).
struct OptionSite {
  std::string what;
  std::function<std::string(std::string_view option)> where;
};

// The given options checked against the schemas, defaults filled in. Every complaint goes to `complain`.
Map complete_options(const Builder& b, const OptionSchemas& schemas, const Map& given, const OptionSite& site,
                     const std::function<void(Error)>& complain);
// The same, throwing the first complaint.
Map complete_options(const Builder& b, const OptionSchemas& schemas, const Map& given, const OptionSite& site);

}  // namespace tenon
#endif
