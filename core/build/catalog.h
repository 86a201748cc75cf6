// Looks names up among the plugins that were found; what is unknown is refused with the nearest known name.
#ifndef TENON_BUILD_CATALOG_H
#define TENON_BUILD_CATALOG_H

#include "build/plugin_info.h"

namespace tenon {

// Throws TN_ERROR_NOT_FOUND; the reasons of a broken plugin are told when it is the one that was asked for.
const PluginInfo& find_plugin(PluginProvider& provider, std::string_view id);
// "PLUGIN:PASS"
PassRef find_pass(PluginProvider& provider, std::string_view full_name);

// The plugin of this id, which must provide the capability; or, for an empty id, the first that provides it and that
// `accepts` (may be null). `role` ("an executor") is for messages.
const PluginInfo& choose_plugin(PluginProvider& provider, std::string_view id, std::string_view capability,
                                const std::string& role, const std::function<bool(const PluginInfo&)>& accepts);

// A stage from a pass name and options as given; `where` is the stage's position in a file, or "".
Stage make_stage(const Builder& b, PluginProvider& provider, std::string_view full_name, const Map& options,
                 const std::string& where);

}  // namespace tenon
#endif
