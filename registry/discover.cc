#include "registry/discover.h"

#include <dlfcn.h>
#include <sys/auxv.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

namespace tenon {

namespace fs = std::filesystem;

namespace {

std::string canonical(const std::string& path) {
  std::error_code error;
  fs::path p = fs::weakly_canonical(path, error);
  return error ? path : p.string();
}

// The manifests of one directory, sorted.
std::vector<std::string> manifests_in(const SearchDir& dir, ManifestList& out) {
  std::error_code error;
  fs::path own = fs::path(dir.path) / "manifest.yaml";
  if (fs::exists(own, error)) return {own.string()};
  std::vector<std::string> found;
  fs::directory_iterator it(dir.path, error);
  if (error) {
    if (dir.must_exist)
      out.broken.push_back(
          {"", dir.path, {Error(TN_ERROR_IO, "cannot read the plugin directory: " + error.message(), dir.path)}});
    return found;
  }
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    fs::path manifest = it->path() / "manifest.yaml";
    std::error_code ignored;
    if (fs::exists(manifest, ignored)) found.push_back(manifest.string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

// The id on the only line of the file that begins with "id:", when it is written plainly.
std::string plain_id(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::string line, id;
  for (int found = 0; std::getline(in, line);) {
    if (!line.starts_with("id:")) continue;
    if (++found > 1) return "";
    size_t first = line.find_first_not_of(' ', 3), last = line.find_last_not_of(" \r");
    if (first == 3 || first == std::string::npos) return "";
    id = line.substr(first, last - first + 1);
    for (char c : id)
      if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-')) return "";
  }
  return id;
}

struct Found {
  PluginInfo plugin;
  int level;
};

// Keeps, of the plugins that share an id, the one at the earliest level; two at that level are broken.
void choose(std::vector<Found>& found, Discovery& d) {
  std::map<std::string, std::vector<Found*>> by_id;
  for (Found& f : found) {
    std::vector<Found*>& rivals = by_id[f.plugin.id];
    if (!rivals.empty() && rivals[0]->level < f.level) continue;
    rivals.push_back(&f);
  }
  for (auto& [id, rivals] : by_id) {
    if (rivals.size() == 1) {
      d.plugins.push_back(std::move(rivals[0]->plugin));
      continue;
    }
    for (const Found* one : rivals) {
      std::string others;
      for (const Found* other : rivals)
        if (other != one) others += (others.empty() ? "" : " and ") + other->plugin.manifest;
      d.broken.push_back({id,
                          one->plugin.manifest,
                          {Error(TN_ERROR_DUPLICATE, "the plugin id '" + id + "' is also claimed by " + others,
                                 one->plugin.manifest, "remove one of them from the search path")}});
    }
  }
}

std::vector<std::string> installation_candidates(const void* address) {
  std::vector<std::string> out;
  Dl_info info;
  std::error_code error;
  if (address && dladdr(address, &info) && info.dli_fname) {
    fs::path library = fs::canonical(info.dli_fname, error);
    if (!error) out.push_back((library.parent_path() / "tenon").string());
  }
  fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error) out.push_back((program.parent_path().parent_path() / "lib" / "tenon").string());
  if (out.size() == 2 && canonical(out[0]) == canonical(out[1])) out.pop_back();
  return out;
}

}  // namespace

ManifestList list_manifests(const std::vector<SearchDir>& dirs, bool with_ids) {
  ManifestList list;
  std::set<std::string> seen;
  for (const SearchDir& dir : dirs)
    for (const std::string& manifest : manifests_in(dir, list))
      if (seen.insert(canonical(manifest)).second)
        list.files.push_back({manifest, dir.level, with_ids ? plain_id(manifest) : ""});
  return list;
}

Discovery read_manifests(const Builder& b, const ManifestList& list, const std::string& id) {
  Discovery d;
  d.broken = list.broken;
  std::vector<Found> found;
  for (const ManifestFile& file : list.files) {
    if (!id.empty() && !file.id.empty() && file.id != id) continue;
    ManifestResult r = read_manifest(b, file.path);
    if (r.complaints.empty())
      found.push_back({std::move(r.plugin), file.level});
    else
      d.broken.push_back({r.plugin.id, file.path, std::move(r.complaints)});
  }
  choose(found, d);
  std::sort(d.broken.begin(), d.broken.end(),
            [](const BrokenPlugin& x, const BrokenPlugin& y) { return x.manifest < y.manifest; });
  return d;
}

Discovery discover(const Builder& b, const std::vector<SearchDir>& dirs) {
  return read_manifests(b, list_manifests(dirs, false), "");
}

std::vector<SearchDir> default_search_path(const void* address) {
  std::vector<SearchDir> out;
  if (const char* listed = std::getenv("TENON_PLUGIN_PATH"); listed && !getauxval(AT_SECURE)) {
    std::string rest = listed;
    while (!rest.empty()) {
      size_t colon = rest.find(':');
      std::string dir = rest.substr(0, colon);
      if (!dir.empty()) out.push_back({dir, true, 1});
      rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
    }
  }
  for (const std::string& base : installation_candidates(address)) out.push_back({base + "/plugins", false, 2});
  return out;
}

std::string installation_dir(const void* address) {
  std::error_code error;
  for (const std::string& base : installation_candidates(address))
    if (fs::is_directory(base, error)) return base;
  return "";
}

}  // namespace tenon
