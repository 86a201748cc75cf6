#include "registry/package/actions.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "diag/files.h"
#include "diag/suggest.h"
#include "diag/utf8.h"
#include "registry/describe.h"
#include "registry/package/doctor.h"
#include "registry/package/store.h"
#include "registry/trust/admission.h"
#include "registry/trust/edit.h"

namespace tenon {

namespace fs = std::filesystem;

namespace {

struct Request {
  const Builder& b;
  Registry& registry;
  Map options;
  std::string text(const char* key) const {
    const Value* v = options.find(key);
    return v && v->is_string() ? std::string(v->as_string()) : "";
  }
  bool flag(const char* key) const {
    const Value* v = options.find(key);
    return v && v->is_bool() && v->as_bool();
  }
  Value string(const std::string& s) const { return b.string(s); }
};

Package read_any_package(const Request& r, const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    if (!fs::exists(path + "/" + kSealFile, error))
      throw Error(TN_ERROR_ARGUMENT, "this folder has no seal.json: it is not that of a package", path,
                  "make a package of it: tenon plugin pack " + path);
    return read_sealed_folder(r.b, path, true);
  }
  return read_package(r.b, read_regular_file(path), path);
}

std::string base_name(const std::string& path) { return fs::path(path).filename().string(); }

// ---- Actions -----------------------------------------------------------------------------------------------------

Value pack(const Request& r) {
  std::string folder = r.text("folder");
  while (folder.size() > 1 && folder.ends_with('/')) folder.pop_back();
  std::string bytes = pack_folder(r.b, folder, TENON_VERSION);
  std::string output = r.text("output");
  Package p = read_package(r.b, std::move(bytes), output.empty() ? "the new package" : output);
  if (output.empty()) output = p.seal.id + "-" + p.seal.version + ".tnp";
  write_file(output, p.archive);
  return r.b.map({{"file", r.string(output)},
                  {"digest", r.string(p.digest)},
                  {"bytes", Value(static_cast<int64_t>(p.archive.size()))},
                  {"id", r.string(p.seal.id)},
                  {"version", r.string(p.seal.version)},
                  {"platform", r.string(p.seal.platform)},
                  {"sdk", r.string(p.seal.sdk)},
                  {"build_id", r.string(p.seal.build_id)}});
}

// A file that only its owner can read, never over another one.
void write_private(const std::string& path, const std::string& text) {
  int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  bool written =
      fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  int reason = errno;
  if (fd >= 0) ::close(fd);
  if (fd >= 0 && !written) ::unlink(path.c_str());  // a part of a key would be in the way of the next try
  if (!written)
    throw Error(TN_ERROR_IO, "cannot write the key: " + std::string(std::strerror(reason)), path,
                reason == EEXIST                       ? "a key is never written over; give another name"
                : reason == ENOSPC || reason == EDQUOT ? "free some space, or write elsewhere"
                                                       : "check the rights of the folder, and that it is there");
}

Value keygen(const Request& r) {
  std::string output = r.text("output"), vendor = r.text("vendor"), expires = r.text("expires");
  KeyChain chain;
  if (std::string old = r.text("successor_of"); !old.empty()) {
    chain = read_keys(old);
    if (chain[0].secret.empty())
      throw Error(TN_ERROR_ARGUMENT, "a successor is named by the private key, and this is a public one", old);
    if (vendor.empty()) vendor = chain[0].vendor;
  }
  if (vendor.empty() || shortened(vendor, 200) != vendor)
    throw Error(TN_ERROR_ARGUMENT,
                "a key needs the name of its vendor, as the manifests say it: one short line of text", {},
                "--vendor NAME");
  const std::string today = today_utc();
  if (expires.empty()) expires = std::to_string(std::stoi(today.substr(0, 4)) + 2) + today.substr(4);
  if (expires.ends_with("02-29")) expires = expires.substr(0, 8) + "28";
  if (!is_date(expires))
    throw Error(TN_ERROR_ARGUMENT, "'" + shortened(expires, 200) + "' is no date", {}, "write it as 2028-11-20");
  if (expires < today)
    throw Error(TN_ERROR_ARGUMENT, "a key that expired on " + expires + " would sign nothing", {},
                "give a date to come, such as 2028-11-20");
  std::error_code error;
  if (fs::exists(output + ".pub", error))
    throw Error(TN_ERROR_IO, "cannot write the key: File exists", output + ".pub",
                "a key is never written over; give another name");
  Key key = make_key(vendor, today, expires);
  if (!chain.empty()) name_successor(chain[0], key);
  chain.insert(chain.begin(), key);
  write_private(output + ".key", keys_text(chain, true));
  write_file(output + ".pub", keys_text(chain, false));
  return r.b.map({{"private", r.string(output + ".key")},
                  {"public", r.string(output + ".pub")},
                  {"key", r.string(key.public_hex)},
                  {"expires", r.string(expires)},
                  {"vendor", r.string(vendor)}});
}

Value sign(const Request& r) {
  const std::string file = r.text("file"), detached = r.text("detached");
  Package p = read_package(r.b, read_regular_file(file), file);
  KeyChain keys = read_keys(r.text("key"));
  if (keys[0].vendor != p.seal.vendor)
    throw Error(TN_ERROR_UNTRUSTED,
                "key " + key_name(keys[0].public_hex) + " is of the vendor '" + keys[0].vendor +
                    "', the package says '" + p.seal.vendor + "'",
                file, "a key signs packages of its own vendor; nobody would trust this signature");
  if (keys[0].expired(today_utc()))
    throw Error(TN_ERROR_UNTRUSTED, "key " + key_name(keys[0].public_hex) + " expired on " + keys[0].expires,
                r.text("key"),
                keys[0].successor.empty() ? "make a new one: tenon plugin keygen --successor-of KEY"
                                          : "sign with its successor " + key_name(keys[0].successor));
  Signature signature = detached.empty() ? sign_bytes(p.seal_bytes, keys)
                                         : attach_signature(p.seal_bytes, read_regular_file(detached), keys, detached);
  write_file(file, with_signature(p, signature));
  return r.b.map({{"file", r.string(file)}, {"key", r.string(keys[0].public_hex)}, {"digest", r.string(p.digest)}});
}

// What a customer will see of a package: what it is, who signed it, whether this machine takes it.
Value verify(const Request& r) {
  Package p = read_any_package(r, r.text("file"));
  const PluginInfo& plugin = p.plugin;
  std::vector<Value> files, passes, ops, runtimes;
  for (const SealedFile& f : p.seal.files)
    files.push_back(r.b.map({{"path", r.string(f.path)}, {"bytes", Value(f.bytes)}, {"sha256", r.string(f.sha256)}}));
  for (const PassRef& pass : plugin.passes) passes.push_back(r.string(pass->full_name()));
  for (const OpRow& op : plugin.ops) ops.push_back(r.string(op.id));
  for (const RuntimeNeed& need : plugin.runtimes) runtimes.push_back(r.string(need.name + " " + need.range));
  Builder::Entries e{{"id", r.string(p.seal.id)},
                     {"version", r.string(p.seal.version)},
                     {"vendor", r.string(p.seal.vendor)},
                     {"tier", r.string(p.seal.tier)},
                     {"license", r.string(plugin.license)},
                     {"summary", r.string(plugin.summary)},
                     {"platform", r.string(p.seal.platform)},
                     {"sdk", r.string(p.seal.sdk)},
                     {"abi", Value(p.seal.abi)},
                     {"vocabulary", Value(p.seal.vocabulary)},
                     {"build_id", r.string(p.seal.build_id)},
                     {"digest", r.string(p.digest)},
                     {"provides", texts_value(r.b, plugin.provides)},
                     {"passes", r.b.array(passes)},
                     {"ops", r.b.array(ops)},
                     {"runtimes", r.b.array(runtimes)},
                     {"files", r.b.array(files)}};
  if (p.signature) {
    const Key& key = p.signature->keys[0];
    e.emplace_back("signature", r.b.map({{"key", r.string(key.public_hex)},
                                         {"vendor", r.string(key.vendor)},
                                         {"created", r.string(key.created)},
                                         {"expires", r.string(key.expires)},
                                         {"successor", r.string(key.successor)}}));
  }
  try {
    check_host(p.seal, TENON_VERSION, p.file);
    if (std::string problem = Runtimes(r.registry.policy().runtimes).problem(plugin); !problem.empty())
      throw Error(TN_ERROR_NOT_FOUND, "the plugin '" + plugin.id + "' " + plugin.version + " " + problem, p.file,
                  "install the build of the plugin for what this machine has");
    e.emplace_back("because", r.string(admit_package(r.registry.policy(), p, today_utc())));
    e.emplace_back("trusted", Value(true));
  } catch (const Error& problem) {
    e.emplace_back("trusted", Value(false));
    e.emplace_back("problem", describe_complaints(r.b, {problem}));
  }
  return r.b.map(e);
}

// The lines that a person may copy to make use of the plugin; installing alone changes no pipeline.
std::vector<std::string> slot_lines(const PluginInfo& p) {
  std::vector<std::string> lines;
  for (const PassRef& pass : p.passes)
    lines.push_back("slots: {PIPELINE: {SLOT: [" + pass->full_name() + "]}}   # " + pass->summary);
  if (p.codegen || p.executor || p.frontend || p.has("tenon.linker/1") || p.device || p.loader)
    lines.push_back("plugins: [" + p.id + "]   # before others that do the same");
  return lines;
}

// Another build of the same version that would suit this machine as well.
std::vector<std::string> rivals(const Request& r, const std::string& store, const Package& p) {
  std::vector<std::string> out;
  std::error_code error;
  Runtimes runtimes(r.registry.policy().runtimes);
  for (fs::directory_iterator it(store, error), end; !error && it != end; it.increment(error)) {
    std::string digest = digest_of_folder(it->path().string());
    if (digest.empty() || digest == p.digest) continue;
    try {
      PluginInfo other = read_sealed_manifest(r.b, it->path().string());
      if (other.id == p.plugin.id && other.version == p.plugin.version && runtimes.problem(other).empty() &&
          runtimes.problem(p.plugin).empty())
        out.push_back(digest);
    } catch (const Error&) {}  // a damaged one is no rival; `list` shows it
  }
  return out;
}

std::string chosen_store(const Request& r) {
  std::string store = r.flag("system") ? system_store(r.registry.installation()) : user_store();
  if (store.empty())
    throw Error(TN_ERROR_NOT_FOUND, "there is no folder to install into", {},
                "set HOME or TENON_STORE, or use --system");
  return store;
}

Value install(const Request& r) {
  const std::string file = r.text("file");
  Package p = read_package(r.b, read_regular_file(file), file);
  check_host(p.seal, TENON_VERSION, file);
  std::string because = admit_package(r.registry.policy(), p, today_utc());
  const std::string store = chosen_store(r);
  const std::vector<std::string> others = rivals(r, store, p);
  if (!others.empty() && !r.flag("replace"))
    throw Error(TN_ERROR_DUPLICATE,
                "another build of '" + p.seal.id + "' " + p.seal.version +
                    " is installed that suits this machine as well: " + others[0],
                file, "give it another version, or take the other out with --replace");
  bool already = false;
  std::string folder = install_package(r.b, store, p, already);
  for (const std::string& digest : others) remove_package(store, digest);
  std::string problem = Runtimes(r.registry.policy().runtimes).problem(p.plugin);
  return r.b.map({{"folder", r.string(folder)},
                  {"digest", r.string(p.digest)},
                  {"already", Value(already)},
                  {"id", r.string(p.seal.id)},
                  {"version", r.string(p.seal.version)},
                  {"because", r.string(because)},
                  {"warning", r.string(problem.empty() ? "" : "it " + problem + ", so it is not used here")},
                  {"lines", texts_value(r.b, slot_lines(p.plugin))}});
}

Value remove(const Request& r) {
  const std::string what = r.text("what"), store = chosen_store(r);
  std::string id = what.substr(0, what.find('=')),
              version = what.find('=') == std::string::npos ? "" : what.substr(id.size() + 1);
  std::vector<std::string> known, damaged, digests, removed;
  std::error_code error;
  for (fs::directory_iterator it(store, error), end; !error && it != end; it.increment(error)) {
    std::string digest = digest_of_folder(it->path().string()), found_id, found_version;
    if (digest.empty()) continue;
    try {
      PluginInfo p = read_sealed_manifest(r.b, it->path().string());
      found_id = p.id;
      found_version = p.version;
    } catch (const Error&) { damaged.push_back(digest); }  // named by its digest alone
    if (!found_id.empty()) known.push_back(found_id);
    if (digest == what ||
        (found_id == id && !id.empty() && (version.empty() || version == found_version || version == digest)))
      digests.push_back(digest);
  }
  if (digests.empty())
    throw Error(TN_ERROR_NOT_FOUND, "no installed package is '" + what + "'", store,
                damaged.empty() ? did_you_mean(id, known, "list what is installed with: tenon plugin list")
                                : "what is damaged is removed by its digest: tenon plugin remove " + damaged[0]);
  if (digests.size() > 1 && version.empty())
    throw Error(TN_ERROR_ARGUMENT, "several versions of '" + id + "' are installed", store,
                "say which: tenon plugin remove " + id + "=VERSION");
  for (const std::string& digest : digests) {
    remove_package(store, digest);
    removed.push_back(store_folder(store, digest));
  }
  return r.b.map({{"removed", texts_value(r.b, removed)}});
}

Value trust(const Request& r) {
  const std::string command = r.text("command");
  PolicyPlaces places = policy_places(r.registry.options().policy);
  Builder::Entries e;
  if (command == "show") {
    const Policy& policy = r.registry.policy();
    std::string text = policy_text(policy);
    if (!policy.says_dev) text += "dev:\n  - \"command-line\"\n  - \"environment\"\n";
    e = {{"text", r.string(text)}, {"files", texts_value(r.b, policy.files)}};
  } else {
    const std::string file = r.flag("site") ? places.site : places.user;
    if (file.empty())
      throw Error(TN_ERROR_NOT_FOUND, "there is no place for a trust policy", {}, "set HOME, or use --policy");
    std::string line = edit_policy(r.b, file, {command, r.text("subject"), r.text("reason")});
    e = {{"file", r.string(file)}, {"line", r.string(line)}};
  }
  return r.b.map(e);
}

Value doctor(const Request& r) {
  std::string file = r.text("file"), library = file;
  std::vector<Finding> findings;
  std::error_code error;
  if (fs::is_directory(file, error)) {
    ManifestResult m = read_manifest(r.b, file + "/manifest.yaml");
    for (const Error& e : m.complaints) findings.push_back({"manifest", e});
    if (m.complaints.empty()) {
      findings.push_back({"manifest", Error(0, "")});
      std::string problem = Runtimes(r.registry.policy().runtimes).problem(m.plugin);
      findings.push_back({"runtimes", problem.empty()
                                          ? Error(0, "")
                                          : Error(TN_ERROR_NOT_FOUND, problem, {},
                                                  "install the build of the plugin for what this machine has")});
    }
    library = m.plugin.library;
  }
  std::string sdk, build_id;
  if (!library.empty()) {
    Diagnosis d = diagnose_library(library);
    findings.insert(findings.end(), d.findings.begin(), d.findings.end());
    sdk = d.sdk;
    build_id = d.build_id;
  }
  std::string verdict = base_name(library.empty() ? file : library) + ": nothing is wrong";
  int64_t code = 0;
  std::vector<Value> rows;
  for (const Finding& f : findings) {
    if (f.error.code && !code) {
      code = f.error.code;
      verdict = base_name(f.check == "manifest" || library.empty() ? file : library) + ": it " + f.error.message;
      if (f.check == "manifest") verdict = f.error.where + ": " + f.error.message;
    }
    rows.push_back(r.b.map({{"check", r.string(f.check)},
                            {"ok", Value(f.error.code == 0)},
                            {"message", r.string(f.error.message)},
                            {"hint", r.string(f.error.hint)},
                            {"code", Value(int64_t{f.error.code})}}));
  }
  return r.b.map({{"file", r.string(file)},
                  {"library", r.string(library)},
                  {"sdk", r.string(sdk)},
                  {"build_id", r.string(build_id)},
                  {"findings", r.b.array(rows)},
                  {"verdict", r.string(verdict)},
                  {"code", Value(code)}});
}

struct Action {
  const char* name;
  Value (*run)(const Request&);
  std::vector<const char*> options;
};
const std::vector<Action>& actions() {
  static const std::vector<Action> table = {{"pack", pack, {"folder", "output"}},
                                            {"keygen", keygen, {"output", "vendor", "expires", "successor_of"}},
                                            {"sign", sign, {"file", "key", "detached"}},
                                            {"verify", verify, {"file"}},
                                            {"install", install, {"file", "system", "replace"}},
                                            {"remove", remove, {"what", "system"}},
                                            {"trust", trust, {"command", "subject", "reason", "site"}},
                                            {"doctor", doctor, {"file"}}};
  return table;
}

}  // namespace

Value package_action(const Builder& b, Registry& registry, const std::string& name, const Map& options) {
  std::vector<std::string> names;
  for (const Action& action : actions()) {
    names.emplace_back(action.name);
    if (name != action.name) continue;
    for (const Map::Entry& e : options) {
      std::vector<std::string> known(action.options.begin(), action.options.end());
      if (std::find(known.begin(), known.end(), e.key()) == known.end())
        throw Error(TN_ERROR_ARGUMENT, "'" + name + "' has no option '" + std::string(e.key()) + "'", {},
                    did_you_mean(std::string(e.key()), known));
    }
    return action.run({b, registry, options});
  }
  throw Error(TN_ERROR_NOT_FOUND, "there is no action '" + name + "' on packages", {}, did_you_mean(name, names));
}

}  // namespace tenon
