// A plugin as its manifest describes it, before its library is opened, and who provides such descriptions.
#ifndef TENON_BUILD_PLUGIN_INFO_H
#define TENON_BUILD_PLUGIN_INFO_H

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/kind_table.h"
#include "pass/compile_context.h"
#include "pass/pipeline.h"

namespace tenon {

// A row of the manifest's `ops`, as OpTable.add takes it.
struct OpRow {
  std::string id;
  Map row;
  std::string origin;  // where the row stands
};

struct CodegenInfo {
  std::vector<std::string> targets;
  std::vector<std::string> formats;
  OptionSchemas options;
  Level level = Level::kLoop;  // of the functions that it takes: loop or graph
};

struct ExecutorInfo {
  OptionSchemas options;
  bool bounded = false;  // keeps to its options max_steps and max_bytes, and runs nothing but the IR
};

struct FrontendInfo {
  std::vector<std::string> extensions;  // of the files that it reads, without the dot
};

struct DeviceInfo {
  std::vector<std::string> kinds;  // of the devices that it opens: "com.vendor.npu"
};

struct LoaderInfo {
  std::vector<std::string> formats;  // of the payloads that it loads
};

// A driver or toolkit that must be on the machine: its name, a range of versions, and the library that shows it.
struct RuntimeNeed {
  std::string name, range;
  std::string library;  // "" for those known by name
};

// A row of the manifest's `kinds` (ext/draft/kind.h).
struct KindDeclaration {
  std::string id;
  uint32_t flags = 0;
  std::vector<SlotDeclaration> slots;
  std::string origin;  // where the row stands
};

// A row of the manifest's `targets`: a kind of target and what may be said of one.
struct TargetSchema {
  std::string kind;
  std::string summary;
  std::vector<std::string> features;  // that it may have
  OptionSchemas attributes;
};

struct PluginInfo {
  std::string id;
  std::string version;
  std::string vendor;
  std::string license;
  std::string tier;
  std::string summary;
  std::string manifest;  // the file
  std::string library;   // the file, "" for a plugin that is data alone
  int64_t consumes = 0;  // IR vocabularies
  int64_t emits = 0;
  std::vector<std::string> provides;
  std::vector<PassRef> passes;
  std::vector<OpRow> ops;
  std::optional<CodegenInfo> codegen;
  std::optional<ExecutorInfo> executor;
  std::optional<FrontendInfo> frontend;
  std::optional<DeviceInfo> device;
  std::optional<LoaderInfo> loader;
  std::vector<RuntimeNeed> runtimes;
  std::string origin;  // how it was found: "installation", "store", "command line" or "environment"
  std::string digest;  // of its seal, "sha256:..."; "" for a plugin that is not sealed
  std::vector<KindDeclaration> kinds;
  std::vector<TargetSchema> targets;
  Map offers;  // capability -> what the manifest says about it, for whoever looks for providers

  bool has(std::string_view capability) const {
    for (const std::string& p : provides)
      if (p == capability) return true;
    return false;
  }
};

// A plugin that was found and cannot be used, with every reason.
struct BrokenPlugin {
  std::string id;  // the name of its folder when not even that could be read
  std::string manifest;
  std::vector<Error> complaints;
};

// A plugin that runs somewhere else.
class PluginStandIn {
 public:
  virtual ~PluginStandIn() = default;
  // What its capability tables take as their instance.
  virtual void* instance() = 0;
  // Null when the plugin has no such capability, or none that can be reached from here.
  virtual const void* capability(const char* id) = 0;
  // Whether it has loaded the plugin where it runs. Any thread.
  virtual bool has_loaded(const std::string& id) = 0;
};

// What the registry is to a session. Nothing is loaded before `load`.
class PluginProvider {
 public:
  virtual ~PluginProvider() = default;
  virtual const std::vector<PluginInfo>& plugins() = 0;  // in the order of preference
  virtual const std::vector<BrokenPlugin>& broken() = 0;
  // One of `plugins` or of `broken`, or null, and the ids that there are: may be answered without reading what
  // describes the other plugins.
  virtual const PluginInfo* find(std::string_view id) {
    for (const PluginInfo& p : plugins())
      if (p.id == id) return &p;
    return nullptr;
  }
  virtual const BrokenPlugin* find_broken(std::string_view id) {
    for (const BrokenPlugin& p : broken())
      if (p.id == id) return &p;
    return nullptr;
  }
  virtual std::vector<std::string> ids() {
    std::vector<std::string> out;
    for (const PluginInfo& p : plugins()) out.push_back(p.id);
    return out;
  }
  // The table of the plugin's library, checked; alive as long as the process. Throws.
  virtual const TnPlugin* load(const PluginInfo& plugin) = 0;
  // What stands for a plugin that is not to run in this process, started for the session that `host` belongs to; null
  // for one that is loaded here. Throws.
  virtual std::unique_ptr<PluginStandIn> stand_in(const PluginInfo&, const TnHost&) { return nullptr; }
  // Who is told of the calls into plugins; null when nobody is.
  virtual CallObserver* calls() { return nullptr; }
};

}  // namespace tenon
#endif
