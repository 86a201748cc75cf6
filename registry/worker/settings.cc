#include "registry/worker/settings.h"

#include <unistd.h>

#include <filesystem>

#include "registry/yaml_reader.h"

namespace tenon {

std::string worker_program(const std::string& installation) {
  if (installation.empty()) return "";
  std::error_code error;
  std::filesystem::path program =
      std::filesystem::path(installation).parent_path().parent_path() / "libexec" / "tenon" / "worker";
  return access(program.c_str(), X_OK) == 0 ? program.string() : "";
}

std::string isolation_problem(const std::string& key, int64_t value, int64_t most) {
  return value > 0 ? "'" + key + "' is at most " + std::to_string(most) + ", not " + std::to_string(value)
                   : "'" + key + "' is a number above 0";
}

IsolationSettings read_isolation(YamlReader& r, const Yaml& node) {
  IsolationSettings s;
  if (!r.map(node, "'isolation'",
             {{"process"}, {"deadline_ms"}, {"memory_mb"}, {"repro_dir"}, {"keep_weights"}, {"probe_deadline_ms"}}))
    return s;
  const Yaml* process = node.find("process");
  if (process && process->is_scalar() && process->text == "all")
    s.all = true;
  else if (process) {
    s.where = r.where(*process);
    for (const std::string& id : r.texts(node, "process")) s.ids.insert(id);
  }
  auto positive = [&](const char* key, int64_t fallback, int64_t most) {
    int64_t n = r.integer(node, key, fallback);
    if ((n > 0 && n <= most) || !node.find(key)) return n;
    r.complain(*node.find(key), isolation_problem(key, n, most));
    return fallback;
  };
  s.deadline_ms = positive("deadline_ms", s.deadline_ms, kMostMs);
  s.memory_bytes = static_cast<uint64_t>(positive("memory_mb", 0, kMostMemoryMb)) << 20;
  s.probe_deadline_ms = positive("probe_deadline_ms", s.probe_deadline_ms, kMostMs);
  s.repro_dir = r.text(node, "repro_dir");
  s.keep_weights = r.boolean(node, "keep_weights", false);
  return s;
}

uint64_t half_of_memory() {
  long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
  return pages > 0 && size > 0 ? static_cast<uint64_t>(pages) * static_cast<uint64_t>(size) / 2 : 0;
}

}  // namespace tenon
