// The archive of a package: POSIX ustar in one exact form, so that the same files give the same bytes and every other
// byte is refused. `tar tf` lists it.
#ifndef TENON_REGISTRY_PACKAGE_TAR_H
#define TENON_REGISTRY_PACKAGE_TAR_H

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tenon {

using ArchiveFiles = std::vector<std::pair<std::string, std::string_view>>;

// Relative, at most 100 bytes, names of letters, digits, '.', '_', '+' and '-' that do not begin with '.' or '-'.
bool is_archive_path(std::string_view path);

// In the order given; the names are archive paths.
std::string write_archive(const ArchiveFiles& files);
// Views into `bytes`. Throws TN_ERROR_CORRUPT for what write_archive would not have written.
ArchiveFiles read_archive(std::string_view bytes, const std::string& file);

}  // namespace tenon
#endif
