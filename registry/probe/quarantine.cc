#include "registry/probe/quarantine.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>

#include "diag/sha256.h"
#include "registry/probe/dependencies.h"
#include "registry/worker/child.h"

namespace tenon {

namespace {

constexpr std::chrono::seconds kLockPatience{20};
constexpr off_t kLargeLibrary = 16 << 20;
constexpr int kMaxUnfinished = 100;  // probes that never ended: their process was killed, or the plugin did it
constexpr std::time_t kSuspicion = 24 * 3600;  // two deaths of unknown cause within that time are no accident

std::string canonical(const std::string& path) {
  std::error_code error;
  std::filesystem::path p = std::filesystem::canonical(path, error);
  return error ? path : p.string();
}

std::string folder_for_probes() {
  std::string dir = cache_dir();
  if (dir.empty()) return "";
  dir += "/probe";
  mkdir(dir.c_str(), 0700);
  return access(dir.c_str(), W_OK) == 0 ? dir : "";
}

bool is_digest(const std::string& s) {
  return s.starts_with("sha256:") && s.size() == 7 + 64 &&
         s.find_first_not_of("0123456789abcdef", 7) == std::string::npos;
}

// Whether there is a library whose digest can be taken; loading it says what is wrong with anything else.
bool is_readable_file(const std::string& path) {
  struct stat s;
  return stat(path.c_str(), &s) == 0 && S_ISREG(s.st_mode) && access(path.c_str(), R_OK) == 0;
}

std::string text_of(const Record& r, const char* key) {
  auto it = r.find(key);
  return it == r.end() ? "" : it->second;
}
long number_of(const Record& r, const char* key) { return std::strtol(text_of(r, key).c_str(), nullptr, 10); }

std::string time_text(std::time_t t) {
  char text[40];
  std::tm parts{};
  gmtime_r(&t, &parts);
  std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &parts);
  return text;
}

std::string short_name(const std::string& digest) { return digest.substr(7, 40); }

}  // namespace

Quarantine::Quarantine(ProbeSettings settings)
    : settings_(std::move(settings)),
      folder_(settings_.enabled ? folder_for_probes() : ""),
      worker_state_(settings_.enabled ? file_state(settings_.worker) : ""),
      journal_(folder_.empty() ? "" : folder_ + "/running") {}

std::string Quarantine::verdict_file(const std::string& digest) const { return folder_ + "/" + short_name(digest); }

// The digest of library and manifest, and the state of what the library needs.
Quarantine::Identity Quarantine::identity(const PluginInfo& plugin) {
  Identity id;
  std::string library = canonical(plugin.library);
  id.digest = digest_text(sha256(known_digest_of_file(library) + known_digest_of_file(plugin.manifest)));
  id.dependencies = dependency_state(dependencies_of(library));
  return id;
}

bool Quarantine::still_holds(const Record& verdict, const Identity& id) const {
  return text_of(verdict, "worker") == worker_state_ && text_of(verdict, "dependencies") == id.dependencies;
}

// Probes, and writes down what came of it; before that, that a probe has begun.
Record Quarantine::judge(const PluginInfo& plugin, const Identity& id, ProbeResult* result) {
  std::string file = verdict_file(id.digest);
  Record record{
      {"plugin", plugin.id},     {"version", plugin.version},       {"library", plugin.library},
      {"worker", worker_state_}, {"dependencies", id.dependencies}, {"time", std::to_string(std::time(nullptr))}};
  if (!folder_.empty()) {
    std::optional<Record> before = read_record(file);
    long begun =
        before && text_of(*before, "verdict") == "begun" && still_holds(*before, id) ? number_of(*before, "begun") : 0;
    if (begun >= kMaxUnfinished) {
      record["verdict"] = "faulty";
      record["reason"] = "ended the process that probed it, " + std::to_string(begun) + " times";
      write_record(file, record);
      return record;
    }
    Record journal = record;
    journal["verdict"] = "begun";
    journal["begun"] = std::to_string(begun + 1);
    write_record(file, journal);
  }
  *result = settings_.run(plugin);
  record["verdict"] = result->state == ProbeResult::State::kFaulty ? "faulty" : "ok";
  record["reason"] = result->reason;
  if (folder_.empty()) return record;
  if (result->state == ProbeResult::State::kRefused)
    unlink(file.c_str());  // what is missing may come; saying so again costs little
  else
    write_record(file, record);
  return record;
}

void Quarantine::refuse(const PluginInfo& plugin, const std::string& reason) const {
  throw Error(TN_ERROR_PLUGIN, "the plugin '" + plugin.id + "' " + plugin.version + " is in quarantine: it " + reason,
              plugin.library,
              "it is tried again when it or a library that it needs changes, and by: tenon plugin probe " + plugin.id +
                  "; --isolate-plugin " + plugin.id + " runs it in a process of its own");
}

// Who ended the processes that are gone.
void Quarantine::charge_deaths() {
  if (charged_ || folder_.empty()) return;
  charged_ = true;
  for (const DeathInPlugin& death : Journal::collect(folder_ + "/running")) {
    if (death.interrupted || !is_digest(death.digest)) continue;  // a journal may be damaged
    std::string file = verdict_file(death.digest);
    CacheLock lock(file + ".lock", kLockPatience);
    std::optional<Record> verdict = read_record(file);
    if (!verdict || text_of(*verdict, "verdict") != "ok") continue;
    std::time_t now = std::time(nullptr);
    std::string how = death.signal ? "was stopped by " + worker::signal_text(death.signal) + " in " + death.doing
                                   : "was running " + death.doing + " when its process ended, nobody knows why";
    bool again = now - number_of(*verdict, "suspected") < kSuspicion;
    (*verdict)["suspected"] = std::to_string(now);
    if (death.signal || again) {
      (*verdict)["verdict"] = "faulty";
      (*verdict)["reason"] = how + (death.signal ? "" : ", for the second time");
      (*verdict)["time"] = std::to_string(now);
    }
    write_record(file, *verdict);
  }
}

void Quarantine::admit(const PluginInfo& plugin) {
  if (!settings_.enabled || plugin.library.empty() || settings_.is_exempt(plugin)) return;
  if (!is_readable_file(plugin.library)) return;  // loading it says why
  std::lock_guard lock(mutex_);
  charge_deaths();
  Identity id = identity(plugin);
  auto settle = [&](const Record& verdict) {
    if (text_of(verdict, "verdict") == "faulty") refuse(plugin, text_of(verdict, "reason"));
    admitted_[id.digest] = true;
    journal_.loaded(plugin.id, id.digest);
  };
  if (admitted_.contains(id.digest)) return journal_.loaded(plugin.id, id.digest);
  auto known = [&] {
    std::optional<Record> verdict = folder_.empty() ? std::nullopt : read_record(verdict_file(id.digest));
    bool decided = verdict && text_of(*verdict, "verdict") != "begun" && still_holds(*verdict, id);
    return decided ? verdict : std::nullopt;
  };
  if (std::optional<Record> verdict = known()) return settle(*verdict);
  if (settings_.worker.empty())
    throw Error(TN_ERROR_NOT_FOUND,
                "the plugin '" + plugin.id +
                    "' cannot be tried in a process of its own: this installation has no "
                    "libexec/tenon/worker",
                plugin.library, "install Tenon again; a session takes the option probe: false to load it untried");
  CacheLock alone(folder_.empty() ? "" : verdict_file(id.digest) + ".lock", kLockPatience);
  if (std::optional<Record> verdict = known()) return settle(*verdict);  // another process was faster
  ProbeResult result;
  Record verdict = judge(plugin, id, &result);
  if (result.state == ProbeResult::State::kRefused) throw result.error;
  settle(verdict);
}

Standing Quarantine::probe(const PluginInfo& plugin) {
  if (plugin.library.empty()) return {"exempt", "", ""};
  if (settings_.worker.empty())
    throw Error(TN_ERROR_NOT_FOUND, "plugins cannot be probed: this installation has no libexec/tenon/worker", {},
                "install Tenon again");
  if (!is_readable_file(plugin.library)) throw settings_.run(plugin).error;
  std::lock_guard lock(mutex_);
  charge_deaths();
  Identity id = identity(plugin);
  CacheLock alone(folder_.empty() ? "" : verdict_file(id.digest) + ".lock", kLockPatience);
  if (!folder_.empty()) unlink(verdict_file(id.digest).c_str());
  ProbeResult result;
  Record verdict = judge(plugin, id, &result);
  if (result.state == ProbeResult::State::kRefused) throw result.error;
  bool faulty = result.state == ProbeResult::State::kFaulty;
  return {faulty ? "quarantined" : "ok", text_of(verdict, "reason"), time_text(number_of(verdict, "time"))};
}

Standing Quarantine::standing(const PluginInfo& plugin) {
  if (!settings_.enabled || plugin.library.empty() || settings_.is_exempt(plugin)) return {"exempt", "", ""};
  struct stat library;
  if (folder_.empty() || !is_readable_file(plugin.library) || stat(plugin.library.c_str(), &library) != 0)
    return {"new", "", ""};
  // Listing plugins does not read all of large libraries that nobody has used yet.
  if (library.st_size > kLargeLibrary && !is_digest_known(plugin.library)) return {"new", "", ""};
  std::lock_guard lock(mutex_);
  charge_deaths();
  Identity id = identity(plugin);
  std::optional<Record> verdict = read_record(verdict_file(id.digest));
  if (!verdict || text_of(*verdict, "verdict") == "begun" || !still_holds(*verdict, id)) return {"new", "", ""};
  bool faulty = text_of(*verdict, "verdict") == "faulty";
  return {faulty ? "quarantined" : "ok", faulty ? text_of(*verdict, "reason") : "",
          time_text(number_of(*verdict, "time"))};
}

}  // namespace tenon
