#include "registry/registry.h"

#include <algorithm>
#include <filesystem>

#include "registry/probe/quarantine.h"
#include "registry/trust/admission.h"

namespace tenon {

Registry::Registry(const Builder& b, RegistryOptions options, const void* address_in_library)
    : b_(b), options_(std::move(options)) {
  for (const std::string& dir : options_.plugin_dirs) dirs_.push_back({dir, true});
  if (!options_.search_defaults) return;
  for (SearchDir& dir : default_search_path(address_in_library)) dirs_.push_back(std::move(dir));
  installation_ = installation_dir(address_in_library);
}

Registry::Registry(const Builder& b, RegistryPlace place)
    : b_(b), dirs_(std::move(place.dirs)), installation_(std::move(place.installation)), in_worker_(true) {
  options_.config = std::move(place.config);
  options_.policy = std::move(place.policy);
  options_.use = std::move(place.use);
}

Registry::~Registry() = default;

const Discovery& Registry::found() {
  const Config& order = config();
  std::lock_guard lock(mutex_);
  if (discovery_) return *discovery_;
  discovery_ = discover(b_, dirs_, selection());
  auto rank = [&](const PluginInfo& p) {
    return std::find(order.plugins.begin(), order.plugins.end(), p.id) - order.plugins.begin();
  };
  std::sort(discovery_->plugins.begin(), discovery_->plugins.end(), [&](const PluginInfo& x, const PluginInfo& y) {
    return std::pair(rank(x), x.id) < std::pair(rank(y), y.id);
  });
  return *discovery_;
}

const Discovery& Registry::found_of(std::string_view id) {
  if (discovery_) return *discovery_;
  std::unique_ptr<Discovery>& found = looked_up_[std::string(id)];
  if (!found) {
    if (!manifests_) manifests_ = list_manifests(dirs_, true);
    found = std::make_unique<Discovery>(read_manifests(b_, *manifests_, std::string(id), selection()));
  }
  return *found;
}

const PluginInfo* Registry::find(std::string_view id) {
  std::lock_guard lock(mutex_);
  for (const PluginInfo& p : found_of(id).plugins)
    if (p.id == id) return &p;
  return nullptr;
}

const BrokenPlugin* Registry::find_broken(std::string_view id) {
  std::lock_guard lock(mutex_);
  for (const BrokenPlugin& p : found_of(id).broken)
    if (p.id == id) return &p;
  return nullptr;
}

std::vector<std::string> Registry::ids() {
  {
    std::lock_guard lock(mutex_);
    bool known = !discovery_ && manifests_;
    std::vector<std::string> out;
    for (size_t i = 0; known && i < manifests_->files.size(); ++i) {
      known = !manifests_->files[i].id.empty();
      out.push_back(manifests_->files[i].id);
    }
    std::sort(out.begin(), out.end());
    out.erase(std::unique(out.begin(), out.end()), out.end());
    if (known) return out;
  }
  return PluginProvider::ids();
}

const Config& Registry::config() {
  std::lock_guard lock(mutex_);
  if (config_) return *config_;
  std::vector<std::string> files;
  std::error_code error;
  if (!options_.config.empty()) files.push_back(options_.config);
  if (files.empty() && !installation_.empty() && std::filesystem::exists(installation_ + "/plugins.yaml", error))
    files.push_back(installation_ + "/plugins.yaml");
  if (options_.config.empty() && options_.search_defaults)
    if (std::string own = user_config_file(); !own.empty()) files.push_back(own);
  config_ = read_config(b_, files);
  return *config_;
}

const Policy& Registry::policy() {
  std::lock_guard lock(trust_mutex_);
  if (policy_) return *policy_;
  std::error_code error;
  if (!options_.policy.empty() && !std::filesystem::exists(options_.policy, error))  // another one would be believed
    throw Error(TN_ERROR_IO, "the trust policy cannot be read: there is no such file", options_.policy,
                "name the file of a policy; tenon plugin trust writes one");
  policy_ = read_policy(b_, policy_places(options_.policy));
  return *policy_;
}

Runtimes& Registry::runtimes() {
  if (!runtimes_) runtimes_.emplace(policy().runtimes);
  return *runtimes_;
}

const Selection& Registry::selection() {
  if (selection_) return *selection_;
  Selection made{{},
                 [this](const PluginInfo& p) { return denial(policy(), p); },
                 [this](const PluginInfo& p) { return runtimes().problem(p); }};
  for (const std::string& line : options_.use) {
    size_t equals = line.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == line.size())
      throw Error(TN_ERROR_ARGUMENT, "'" + line + "' does not say which version of a plugin to use", {},
                  "write ID=VERSION or ID=sha256:DIGEST");
    made.use.emplace(line.substr(0, equals), line.substr(equals + 1));
  }
  for (const auto& [id, version] : policy().use) made.use.emplace(id, version);
  return selection_.emplace(std::move(made));
}

std::string Registry::admit(const PluginInfo& plugin) {
  if (std::string problem = runtimes().problem(plugin); !problem.empty())
    throw Error(TN_ERROR_NOT_FOUND, "the plugin '" + plugin.id + "' " + plugin.version + " " + problem, plugin.manifest,
                "install the build of the plugin for what this machine has");
  if (plugin.digest.empty()) {
    admit_unsealed(policy(), plugin);
    check_unsealed_tier(plugin, TENON_VERSION);
    return "";
  }
  const std::string folder = std::filesystem::path(plugin.manifest).parent_path().string();
  const Package package = [&] {
    try {
      return read_sealed_folder(b_, folder, false);
    } catch (Error& e) {
      e.message = "the plugin '" + plugin.id + "' " + plugin.version + " cannot be used: " + e.message;
      throw;
    }
  }();
  if (package.digest != plugin.digest)
    throw Error(TN_ERROR_CORRUPT, "the plugin '" + plugin.id + "' was changed since it was found", plugin.manifest,
                "install the package again");
  check_host(package.seal, TENON_VERSION, package.file);
  admit_package(policy(), package, "");
  const SealedFile* library = package.seal.find(package.seal.library);
  if (!library) return "";
  // Before it is copied and hashed: a file that has grown may be larger than the memory.
  std::error_code error;
  const std::string file = folder + "/" + library->path;
  if (const uint64_t size = std::filesystem::file_size(file, error);
      !error && !std::filesystem::is_symlink(file, error) && size != static_cast<uint64_t>(library->bytes))
    throw Error(TN_ERROR_CORRUPT,
                "the plugin '" + plugin.id + "' " + plugin.version +
                    " cannot be loaded: the library's bytes are not those that were sealed: it has " +
                    std::to_string(size) + " of them, the seal says " + std::to_string(library->bytes),
                file, "install the package again");
  return library->sha256;
}

std::vector<std::string> Registry::searched() const {
  std::vector<std::string> out;
  for (const SearchDir& dir : dirs_) out.push_back(dir.path);
  return out;
}

std::vector<std::string> Registry::pipeline_names() { return config().names(); }

PipelineResult Registry::pipeline(const std::string& name_or_file, const Map& target) {
  return read_pipeline({b_, *this, config(), target}, name_or_file);
}

}  // namespace tenon
