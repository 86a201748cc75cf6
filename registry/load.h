// Opens the library of a plugin and checks that it is what its manifest says.
#ifndef TENON_REGISTRY_LOAD_H
#define TENON_REGISTRY_LOAD_H

#include "build/plugin_info.h"

namespace tenon {

// The plugin's table. Libraries are opened once per process, with RTLD_NOW | RTLD_LOCAL, and stay open for ever.
// Throws TN_ERROR_NOT_FOUND, TN_ERROR_CORRUPT, TN_ERROR_ABI_MISMATCH or TN_ERROR_PLUGIN.
//
// `library_digest`: of a sealed plugin; exactly those bytes are mapped.
const TnPlugin* load_plugin(const PluginInfo& plugin, const std::string& library_digest = {});

// What the dynamic loader said, with the missing thing first: the library or the symbol that it did not find.
std::string explain_dlopen_failure(const std::string& file, const std::string& message);

}  // namespace tenon
#endif
