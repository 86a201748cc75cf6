#include "pass/plugin_failure.h"

namespace tenon {

std::string plugin_bug(const std::string& plugin) { return "this is a bug of the plugin '" + plugin + "'"; }

Error plugin_failure(const std::string& plugin, const std::string& lead, const Error& e) {
  // An exception that nothing in the plugin foresaw comes as an internal error; it is the plugin's, not ours.
  const bool known = e.code > TN_ERROR_INTERNAL && e.code <= TN_ERROR_UNTRUSTED;
  const bool broke = !known || e.code == TN_ERROR_PLUGIN || e.message.empty();
  Error out(
      known ? e.code : int32_t{TN_ERROR_PLUGIN},
      (e.message.starts_with(lead) ? "" : lead) + (e.message.empty() ? "it failed and does not say why" : e.message),
      e.where, e.hint.empty() && broke ? plugin_bug(plugin) : e.hint);
  out.cause = e.cause;
  return out;
}

Error illegal_module(const std::string& lead, const std::string& plugin, const Error& e) {
  const std::string whose = plugin_bug(plugin) + ", not of the input";
  Error out(TN_ERROR_PLUGIN, lead + e.message, e.where, e.hint.empty() ? whose : e.hint + "; " + whose);
  out.cause = e.cause;
  return out;
}

}  // namespace tenon
