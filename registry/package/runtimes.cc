#include "registry/package/runtimes.h"

#include <gnu/libc-version.h>

#include "registry/package/library_search.h"
#include "registry/package/version.h"

namespace tenon {

namespace {

struct Known {
  const char* name;
  const char* library;  // its file's name ends in the version
};
constexpr Known kKnown[] = {
    {"cuda", "libcuda.so"},   {"cudart", "libcudart.so"},        {"nvrtc", "libnvrtc.so"},   {"cublas", "libcublas.so"},
    {"cudnn", "libcudnn.so"}, {"hip", "libamdhip64.so"},         {"vulkan", "libvulkan.so"}, {"opencl", "libOpenCL.so"},
    {"onednn", "libdnnl.so"}, {"level-zero", "libze_loader.so"}, {"glibc", nullptr}};

// The driver's library is numbered by the driver; the newest CUDA that a driver runs is NVIDIA's table.
struct Driver {
  const char* driver;
  const char* cuda;
};
constexpr Driver kDrivers[] = {{"580", "13.0"}, {"575", "12.9"}, {"570", "12.8"}, {"565", "12.7"}, {"560", "12.6"},
                               {"555", "12.5"}, {"550", "12.4"}, {"545", "12.3"}, {"535", "12.2"}, {"530", "12.1"},
                               {"525", "12.0"}, {"520", "11.8"}, {"515", "11.7"}, {"510", "11.6"}, {"495", "11.5"},
                               {"470", "11.4"}, {"465", "11.3"}, {"460", "11.2"}, {"455", "11.1"}, {"450", "11.0"}};

std::string cuda_of_driver(const std::string& driver) {
  for (const Driver& row : kDrivers)
    if (compare_versions(driver, row.driver) >= 0) return row.cuda;
  return "10";
}

std::string library_of(const RuntimeNeed& need) {
  if (!need.library.empty()) return need.library;
  for (const Known& row : kKnown)
    if (need.name == row.name && row.library) return row.library;
  return "";
}

}  // namespace

std::vector<std::string> known_runtimes() {
  std::vector<std::string> out;
  for (const Known& row : kKnown) out.emplace_back(row.name);
  return out;
}

const std::vector<std::string>& Runtimes::versions(const RuntimeNeed& need) {
  std::string library = library_of(need);
  auto [entry, is_new] = found_.try_emplace(need.name + " " + library);
  std::vector<std::string>& out = entry->second;
  if (!is_new) return out;
  if (auto stated = stated_.find(need.name); stated != stated_.end()) {
    out.push_back(stated->second);
  } else if (need.name == "glibc") {
    out.emplace_back(gnu_get_libc_version());
  } else if (!library.empty()) {
    for (const std::string& version : LibrarySearch().versions(library)) {
      if (need.name != "cuda")
        out.push_back(version);
      else if (version.find('.') != std::string::npos)
        out.push_back(cuda_of_driver(version));
    }
  }
  return out;
}

std::string Runtimes::problem(const PluginInfo& plugin) {
  for (const RuntimeNeed& need : plugin.runtimes) {
    const std::vector<std::string>& present = versions(need);
    bool met = false;
    std::string list;
    for (const std::string& version : present) {
      met = met || VersionRange(need.range).contains(version);
      list += (list.empty() ? "" : " and ") + version;
    }
    if (met) continue;
    std::string library = library_of(need);
    return "needs " + need.name + " " + need.range + ", this machine has " +
           (list.empty() ? "no " + need.name + (library.empty() ? "" : " (" + library + ".* is not found)")
                         : need.name + " " + list);
  }
  return "";
}

}  // namespace tenon
