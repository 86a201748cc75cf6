// Finds the manifests on the search path. Opens no library.
#ifndef TENON_REGISTRY_DISCOVER_H
#define TENON_REGISTRY_DISCOVER_H

#include <functional>
#include <map>

#include "registry/manifest.h"

namespace tenon {

// A version that is installed beside the one that is used.
struct OtherVersion {
  PluginInfo plugin;
  std::string reason;  // why it is not used
};

struct Discovery {
  std::vector<PluginInfo> plugins;   // sorted by id
  std::vector<BrokenPlugin> broken;  // sorted by the path of the manifest
  std::vector<OtherVersion> others;  // sorted by id
};

// What decides between the installed versions of a plugin. Without it, the newest.
struct Selection {
  std::map<std::string, std::string> use;  // id -> the version, or the beginning of the digest, that is asked for
  std::function<Error(const PluginInfo&)> denied;            // code 0 when it is not
  std::function<std::string(const PluginInfo&)> unsuitable;  // "needs cuda >=13, ..." ; "" when it suits
};

// A directory of the search path holds a manifest.yaml, or folders that hold one each. What is listed twice is read
// once; two manifests with one id are both broken, each naming the other, unless one of them is a package of the store:
// of those the newest that suits the machine is used. A folder that holds a seal must match it. A broken manifest does
// not stop the others. A directory that cannot be read is itself listed as broken when `must_exist` says that a person
// asked for it.
struct SearchDir {
  std::string path;
  bool must_exist = false;
  int level = 0;
  std::string origin = "command line";  // as PluginInfo says it
};
Discovery discover(const Builder& b, const std::vector<SearchDir>& dirs, const Selection& selection = {});

// The same in two steps, so that of many manifests only those are read that somebody asks for.
struct ManifestFile {
  std::string path;
  int level = 0;
  std::string origin;
  // Read off the one line "id: ..." of the text without reading it as YAML; "" when it has no such line or several.
  std::string id;
};
struct ManifestList {
  std::vector<ManifestFile> files;
  std::vector<BrokenPlugin> broken;  // directories that cannot be read
};
ManifestList list_manifests(const std::vector<SearchDir>& dirs, bool with_ids);
// `id`: only the manifests that have it or whose id is not known; "" for all.
Discovery read_manifests(const Builder& b, const ManifestList& list, const std::string& id,
                         const Selection& selection = {});

// TENON_PLUGIN_PATH (left out in a program that runs with another user's rights), then, all alike, the user's store,
// lib/tenon/plugins and lib/tenon/store beside the library that holds `address` and beside the executable.
std::vector<SearchDir> default_search_path(const void* address);
// Where an installation keeps what is not code: lib/tenon beside the library that holds `address`; the first that
// exists.
std::string installation_dir(const void* address);

}  // namespace tenon
#endif
