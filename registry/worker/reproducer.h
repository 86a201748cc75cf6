// A folder with all that is needed to see a fault of an isolated plugin again, and nothing more: the call as it was
// sent, its module as text, the pipeline, the plugins, the log. Bytes of constants stand there by their digests only.
#ifndef TENON_REGISTRY_WORKER_REPRODUCER_H
#define TENON_REGISTRY_WORKER_REPRODUCER_H

#include <map>
#include <string>
#include <vector>

#include "ir/bytes.h"
#include "registry/registry.h"
#include "registry/worker/channel.h"
#include "registry/worker/slots.h"

namespace tenon::worker {

// `said`: the message of the call, then questions and replies in turn. Returns the folder, or "" with the reason: it
// never throws, an error is being told already.
std::string write_reproducer(const IsolationSettings& settings, const PluginInfo& plugin, const Request& request,
                             const std::vector<Value>& said, const std::string& message, const std::string& log,
                             std::string* why) noexcept;

// The command that replays it: with what is named on the command line, plugins are found and trusted as they were.
std::string replay_command(const std::string& folder, const RegistryPlace& place);

// A folder that was written.
class Reproducer {
 public:
  // Throws TN_ERROR_IO, TN_ERROR_PARSE.
  Reproducer(const Builder& b, const std::string& folder);

  std::string plugin, version, manifest, digest, what, error;
  std::vector<std::string> plugin_dirs;
  int64_t slot = 0, deadline_ms = 0;
  uint64_t memory_bytes = 0;
  // What the host said: the call first, then each reply; empty after the last. Constants whose bytes are nowhere are
  // zero.
  Array next();
  void start();

 private:
  struct Place {
    std::string file;
    uint64_t offset;
  };
  Array decode(size_t number);
  Constant constant(const std::string& digest, uint64_t size) const;

  std::string folder_;
  std::vector<std::string> bodies_;
  std::map<std::string, Place> places_;  // of constants, by digest
  size_t next_ = 0;
  ObjectTable known_;
};

}  // namespace tenon::worker
#endif
