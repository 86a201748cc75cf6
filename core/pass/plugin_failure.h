// The errors of plugins as the host passes them on.
#ifndef TENON_PASS_PLUGIN_FAILURE_H
#define TENON_PASS_PLUGIN_FAILURE_H

#include <string>

#include "tenon/cxx/object.h"

namespace tenon {

// The error that a slot of `plugin` returned, behind `lead` unless it begins so by itself: with a code of abi.h, with
// words, and with what to do where the plugin broke the contract and does not say it.
Error plugin_failure(const std::string& plugin, const std::string& lead, const Error& e);

// "this is a bug of the plugin 'x'"
std::string plugin_bug(const std::string& plugin);

}  // namespace tenon
#endif
