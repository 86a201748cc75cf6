// Which plugins run in a process of their own, and what they may use.
#ifndef TENON_REGISTRY_WORKER_SETTINGS_H
#define TENON_REGISTRY_WORKER_SETTINGS_H

#include <cstdint>
#include <set>
#include <string>

namespace tenon {

class YamlReader;
struct Yaml;

// Beyond these, sums with the clock and sizes in bytes would overflow: 31 years, a PiB.
inline constexpr int64_t kMostMs = 1'000'000'000'000, kMostMemoryMb = int64_t{1} << 30;

struct IsolationSettings {
  bool all = false;           // every plugin
  std::set<std::string> ids;  // these
  std::string where;          // file:line:col of the list of them, if a file has it
  std::string worker;         // the program; "" when this installation has none
  int64_t deadline_ms = 600'000;
  uint64_t memory_bytes = 0;  // of data a process; 0: half of the machine's
  std::string repro_dir;      // where reproducers are written; "": in the user's cache
  bool keep_weights = false;  // in reproducers
  int64_t probe_deadline_ms = 10'000;

  bool isolates(const std::string& id) const { return all || ids.contains(id); }
};

// The map `isolation` of a plugins.yaml:
//   isolation:
//     process: [com.vendor.thing]   or: all
//     deadline_ms: 60000            for one call
//     memory_mb: 4096               of data, for one process
//     repro_dir: /var/tmp/tenon
//     keep_weights: false
//     probe_deadline_ms: 10000
IsolationSettings read_isolation(YamlReader& reader, const Yaml& node);

// What is wrong with a number of it that must lie between 1 and `most`.
std::string isolation_problem(const std::string& key, int64_t value, int64_t most);

// libexec/tenon/worker of the installation whose lib/tenon is given; "" when it is not there.
std::string worker_program(const std::string& installation);
uint64_t half_of_memory();

}  // namespace tenon
#endif
