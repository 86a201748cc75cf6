// Looks at the header of a shared library before the loader is asked to open it.
#ifndef TENON_REGISTRY_ELF_H
#define TENON_REGISTRY_ELF_H

#include <string>

namespace tenon {

// Why the file is not a shared object that this process can load ("is built for AArch64, this program for x86-64");
// empty when it looks right.
std::string library_problem(const std::string& file);

}  // namespace tenon
#endif
