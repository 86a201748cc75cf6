// The errors of plugins as the host passes them on.
#ifndef TENON_PASS_PLUGIN_FAILURE_H
#define TENON_PASS_PLUGIN_FAILURE_H

#include <exception>
#include <string>

#include "tenon/cxx/object.h"

namespace tenon {

// The error that a slot of `plugin` returned, behind `lead` unless it begins so by itself: with a code of abi.h, with
// words, and with what to do where the plugin broke the contract and does not say it.
Error plugin_failure(const std::string& plugin, const std::string& lead, const Error& e);

// "this is a bug of the plugin 'x'"
std::string plugin_bug(const std::string& plugin);

// What the verifiers say of a module that `plugin` made, behind `lead`.
Error illegal_module(const std::string& lead, const std::string& plugin, const Error& e);

// Calls a slot of `plugin`, f(TnValue* ret) -> int: gives its value, or throws its error as plugin_failure tells it. An
// exception that escapes from the slot is the plugin's bug, as is an error that is none.
template <class F>
Value call_plugin(const std::string& plugin, const std::string& lead, F&& f) {
  TnValue ret{TN_NONE, 0, {0}};
  int status = 0;
  try {
    status = f(&ret);
  } catch (const std::exception& e) {
    throw Error(TN_ERROR_PLUGIN, lead + "let an exception escape: " + e.what(), {}, plugin_bug(plugin));
  } catch (...) { throw Error(TN_ERROR_PLUGIN, lead + "let an exception escape", {}, plugin_bug(plugin)); }
  try {
    Value made = check(status, ret);
    if (made.type_index() == TN_ERROR) throw Error(TN_ERROR_PLUGIN, "it did not fail and returned an error");
    return made;
  } catch (const Error& e) { throw plugin_failure(plugin, lead, e); }
}

}  // namespace tenon
#endif
