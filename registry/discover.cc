#include "registry/discover.h"

#include <dlfcn.h>
#include <sys/auxv.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "diag/files.h"
#include "registry/package/store.h"
#include "registry/package/version.h"

namespace tenon {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kMostPlainBytes = 16 << 20;  // what YAML is read

std::string canonical(const std::string& path) {
  std::error_code error;
  fs::path p = fs::weakly_canonical(path, error);
  return error ? path : p.string();
}

// Whether something of that name is there, be it a link to nothing or in a folder that may not be read: reading it says
// what is wrong.
bool is_there(const fs::path& manifest) {
  std::error_code error;
  fs::file_status status = fs::symlink_status(manifest, error);
  return status.type() != fs::file_type::not_found && error != std::errc::not_a_directory;
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
      out.broken.push_back({"",
                            dir.path,
                            {Error(TN_ERROR_IO, "cannot read the plugin directory: " + error.message(), dir.path,
                                   "correct --plugin-dir, TENON_PLUGIN_PATH or the rights of the directory")}});
    return found;
  }
  for (; !error && it != fs::directory_iterator(); it.increment(error)) {
    fs::path manifest = it->path() / "manifest.yaml";
    if (dir.origin == "store" && it->path().filename().string().starts_with(".")) continue;  // not yet installed
    const bool installed = dir.origin == "store" && !digest_of_folder(it->path().string()).empty();
    if (installed || is_there(manifest)) found.push_back(manifest.string());
  }
  std::sort(found.begin(), found.end());
  return found;
}

bool is_plain(const std::string& id) {
  return !id.empty() && id.size() <= 128 &&
         id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-") == std::string::npos;
}

// The id on the only line of the file that begins with "id:", when it is written plainly.
std::string plain_id(const std::string& file) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return "";  // a pipe would be waited for
  if (fs::file_size(file, error) > kMostPlainBytes) return "";
  std::ifstream in(file, std::ios::binary);
  std::string line, id;
  for (int found = 0; std::getline(in, line);) {
    if (!line.starts_with("id:")) continue;
    if (++found > 1) return "";
    size_t first = line.find_first_not_of(' ', 3), last = line.find_last_not_of(" \r");
    if (first == 3 || first == std::string::npos) return "";
    id = line.substr(first, last - first + 1);
    if (!is_plain(id)) return "";
  }
  return id;
}

struct Found {
  PluginInfo plugin;
  int level;
};

bool is_of_store(const Found& f) { return f.plugin.origin == "store"; }

bool is_asked_for(const PluginInfo& p, const std::string& what) {
  return p.version == what || (what.starts_with("sha256:") && what.size() >= 7 + 8 && p.digest.starts_with(what));
}

void refuse_all(const std::string& id, const std::vector<Found*>& rivals, const std::string& hint, Discovery& d) {
  for (const Found* one : rivals) {
    std::string others;
    for (const Found* other : rivals)
      if (other != one) others += (others.empty() ? "" : " and ") + other->plugin.manifest;
    d.broken.push_back({id,
                        one->plugin.manifest,
                        {Error(TN_ERROR_DUPLICATE, "the plugin id '" + id + "' is also claimed by " + others,
                               one->plugin.manifest, hint)}});
  }
}

// The version to use among packages of one id (and at most one plugin that is part of the installation).
Found* select(const std::string& id, std::vector<Found*> rivals, const Selection& selection, Discovery& d) {
  for (const Found* f : rivals)
    if (f->plugin.vendor != rivals[0]->plugin.vendor) {
      refuse_all(id, rivals, "an id belongs to one vendor; remove one of them with: tenon plugin remove", d);
      return nullptr;
    }
  if (auto asked = selection.use.find(id); asked != selection.use.end()) {
    std::string list;
    for (Found* f : rivals) {
      if (is_asked_for(f->plugin, asked->second)) return f;
      list += (list.empty() ? "" : ", ") + f->plugin.version;
    }
    d.broken.push_back(
        {id,
         rivals[0]->plugin.manifest,
         {Error(TN_ERROR_NOT_FOUND,
                "the version " + asked->second + " of the plugin '" + id +
                    "' is asked for and not installed; installed: " + list,
                rivals[0]->plugin.manifest, "install it, or change what is asked for: tenon plugin trust show")}});
    return nullptr;
  }
  auto suits = [&](const Found* f) { return !selection.unsuitable || selection.unsuitable(f->plugin).empty(); };
  auto better = [&](const Found* x, const Found* y) {
    if (bool a = suits(x), b = suits(y); a != b) return a;
    if (int order = compare_versions(x->plugin.version, y->plugin.version); order != 0) return order > 0;
    return !is_of_store(*x) && is_of_store(*y);  // the installation's own
  };
  Found* best = rivals[0];
  for (Found* f : rivals)
    if (f != best && better(f, best)) best = f;
  for (Found* f : rivals)
    if (f != best && !better(best, f) && suits(best)) {
      refuse_all(id, {best, f},
                 "two builds of one version suit this machine; say which: tenon plugin trust use " + id + "=" +
                     best->plugin.digest.substr(0, 23),
                 d);
      return nullptr;
    }
  return best;
}

// Keeps, of the plugins that share an id, those at the earliest level, and one of these.
void choose(std::vector<Found>& found, const Selection& selection, Discovery& d) {
  std::map<std::string, std::vector<Found*>> by_id;
  for (Found& f : found) {
    std::vector<Found*>& rivals = by_id[f.plugin.id];
    if (!rivals.empty() && rivals[0]->level < f.level) continue;
    rivals.push_back(&f);
  }
  for (auto& [id, rivals] : by_id) {
    if (rivals.size() == 1 && !(is_of_store(*rivals[0]) && selection.use.count(id))) {
      d.plugins.push_back(std::move(rivals[0]->plugin));
      continue;
    }
    if (std::count_if(rivals.begin(), rivals.end(), [](const Found* f) { return !is_of_store(*f); }) > 1) {
      refuse_all(id, rivals, "remove one of them from the search path", d);
      continue;
    }
    Found* chosen = select(id, rivals, selection, d);
    if (!chosen) continue;
    for (Found* f : rivals) {
      if (f == chosen) continue;
      std::string reason = selection.unsuitable ? selection.unsuitable(f->plugin) : "";
      if (reason.empty())
        reason = selection.use.count(id)
                     ? "version " + chosen->plugin.version + " is asked for"
                     : "version " + chosen->plugin.version + " is newer or a part of the installation";
      d.others.push_back({std::move(f->plugin), reason});
    }
    d.plugins.push_back(std::move(chosen->plugin));
  }
}

// Of a folder whose manifest is gone or damaged.
std::string id_of_seal(const Builder& b, const std::string& folder) {
  try {
    return parse_seal(b, read_regular_file(folder + "/" + kSealFile, kMostPlainBytes), folder).id;
  } catch (const Error&) { return ""; }
}

// The manifest of a file, compared with the seal where there is one; code 0 when the plugin may be used.
Error read_found(const Builder& b, const ManifestFile& file, const Selection& selection, ManifestResult& r) {
  const std::string folder = fs::path(file.path).parent_path().string();
  std::error_code error;
  if (is_there(folder + "/" + kSealFile)) {
    try {
      r.plugin = read_sealed_manifest(b, folder);
      if (file.origin == "store" && digest_of_folder(folder) != r.plugin.digest)
        return Error(TN_ERROR_CORRUPT,
                     "the seal is not the one that the folder is named by: its digest is " + r.plugin.digest, folder,
                     "remove the folder and install the package again");
    } catch (const Error& e) {
      r.plugin.id = file.id.empty() ? id_of_seal(b, folder) : file.id;
      return e;
    }
  } else {
    r = read_manifest(b, file.path);
    if (file.origin == "store")
      return Error(TN_ERROR_CORRUPT, "what lies in the store has no seal", folder,
                   "install packages with: tenon plugin install");
    if (!r.complaints.empty()) return r.complaints[0];
  }
  r.plugin.origin = file.origin;
  return selection.denied ? selection.denied(r.plugin) : Error(0, "");
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
        list.files.push_back({manifest, dir.level, dir.origin, with_ids ? plain_id(manifest) : ""});
  return list;
}

Discovery read_manifests(const Builder& b, const ManifestList& list, const std::string& id,
                         const Selection& selection) {
  Discovery d;
  d.broken = list.broken;
  std::vector<Found> found;
  for (const ManifestFile& file : list.files) {
    if (!id.empty() && !file.id.empty() && file.id != id) continue;
    ManifestResult r;
    Error problem = read_found(b, file, selection, r);
    // Without an id that could be asked for, by the name of its folder.
    const std::string name = is_plain(r.plugin.id) ? r.plugin.id
                             : file.id.empty()     ? fs::path(file.path).parent_path().filename().string()
                                                   : file.id;
    if (problem.code == 0)
      found.push_back({std::move(r.plugin), file.level});
    else if (!r.complaints.empty() && r.complaints[0].message == problem.message)
      d.broken.push_back({name, file.path, std::move(r.complaints)});
    else
      d.broken.push_back({name, file.path, {std::move(problem)}});
  }
  choose(found, selection, d);
  std::sort(d.broken.begin(), d.broken.end(),
            [](const BrokenPlugin& x, const BrokenPlugin& y) { return x.manifest < y.manifest; });
  return d;
}

Discovery discover(const Builder& b, const std::vector<SearchDir>& dirs, const Selection& selection) {
  return read_manifests(b, list_manifests(dirs, true), "", selection);
}

std::vector<SearchDir> default_search_path(const void* address) {
  std::vector<SearchDir> out;
  if (const char* listed = std::getenv("TENON_PLUGIN_PATH"); listed && !getauxval(AT_SECURE)) {
    std::string rest = listed;
    while (!rest.empty()) {
      size_t colon = rest.find(':');
      std::string dir = rest.substr(0, colon);
      if (!dir.empty()) out.push_back({dir, true, 1, "environment"});
      rest = colon == std::string::npos ? "" : rest.substr(colon + 1);
    }
  }
  if (std::string store = user_store(); !store.empty()) out.push_back({store, false, 2, "store"});
  for (const std::string& base : installation_candidates(address)) {
    out.push_back({base + "/plugins", false, 2, "installation"});
    out.push_back({system_store(base), false, 2, "store"});
  }
  return out;
}

std::string installation_dir(const void* address) {
  std::error_code error;
  for (const std::string& base : installation_candidates(address))
    if (fs::is_directory(base, error)) return base;
  return "";
}

}  // namespace tenon
