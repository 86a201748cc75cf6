// Finds the manifests on the search path. Opens no library.
#ifndef TENON_REGISTRY_DISCOVER_H
#define TENON_REGISTRY_DISCOVER_H

#include "registry/manifest.h"

namespace tenon {

struct Discovery {
  std::vector<PluginInfo> plugins;   // sorted by id
  std::vector<BrokenPlugin> broken;  // sorted by the path of the manifest
};

// A directory of the search path holds a manifest.yaml, or folders that hold one each. What is listed twice is read
// once; two manifests with one id are both broken, each naming the other; a broken manifest does not stop the others.
// A directory that cannot be read is itself listed as broken when `must_exist` says that a person asked for it.
struct SearchDir {
  std::string path;
  bool must_exist = false;
  int level = 0;
};
Discovery discover(const Builder& b, const std::vector<SearchDir>& dirs);

// The same in two steps, so that of many manifests only those are read that somebody asks for.
struct ManifestFile {
  std::string path;
  int level = 0;
  // Read off the one line "id: ..." of the text without reading it as YAML; "" when it has no such line or several.
  std::string id;
};
struct ManifestList {
  std::vector<ManifestFile> files;
  std::vector<BrokenPlugin> broken;  // directories that cannot be read
};
ManifestList list_manifests(const std::vector<SearchDir>& dirs, bool with_ids);
// `id`: only the manifests that have it or whose id is not known; "" for all.
Discovery read_manifests(const Builder& b, const ManifestList& list, const std::string& id);

// TENON_PLUGIN_PATH (left out in a program that runs with another user's rights), then lib/tenon/plugins beside the
// library that holds `address` and beside the executable.
std::vector<SearchDir> default_search_path(const void* address);
// Where an installation keeps what is not code: lib/tenon beside the library that holds `address`; the first that
// exists.
std::string installation_dir(const void* address);

}  // namespace tenon
#endif
