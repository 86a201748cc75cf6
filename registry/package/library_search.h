// Where the dynamic loader would find a library, without asking it to load one.
#ifndef TENON_REGISTRY_PACKAGE_LIBRARY_SEARCH_H
#define TENON_REGISTRY_PACKAGE_LIBRARY_SEARCH_H

#include <map>
#include <string>
#include <vector>

namespace tenon {

class LibrarySearch {
 public:
  // Reads LD_LIBRARY_PATH (left out in a program that runs with another user's rights) and the loader's cache.
  LibrarySearch();
  // `folders` first: the run path of the library that needs it. Empty when there is none of this machine's kind.
  std::string find(const std::string& soname, const std::vector<std::string>& folders = {}) const;
  // The versions of the installed libraries called STEM.* ("libcuda.so"), from the names of their files.
  std::vector<std::string> versions(const std::string& stem) const;

 private:
  std::vector<std::string> environment_;           // of LD_LIBRARY_PATH
  std::vector<std::string> system_;                // the loader's own
  std::multimap<std::string, std::string> cache_;  // soname -> file
};

// "$ORIGIN/../lib:/opt/x" as folders.
std::vector<std::string> run_path(const std::string& text, const std::string& origin);

}  // namespace tenon
#endif
