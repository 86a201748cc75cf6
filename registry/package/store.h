// The store of installed packages: a read-only folder each, named by the package's digest.
#ifndef TENON_REGISTRY_PACKAGE_STORE_H
#define TENON_REGISTRY_PACKAGE_STORE_H

#include "registry/package/package.h"

namespace tenon {

// TENON_STORE, else tenon/store in XDG_DATA_HOME or ~/.local/share; "" where there is none, or in a privileged program.
std::string user_store();
std::string system_store(const std::string& installation);

std::string store_folder(const std::string& store, const std::string& digest);
// The digest that a folder's name says; "" when it says none.
std::string digest_of_folder(const std::string& folder);

// Complete at the path that it returns, and flushed to the disk, or not there at all; safe when several install at
// once. `already`: the very same package was there.
std::string install_package(const Builder& b, const std::string& store, const Package& package, bool& already);
// False when it is not there.
bool remove_package(const std::string& store, const std::string& digest);

}  // namespace tenon
#endif
