// tenon plugin pack, keygen, sign, verify, install, remove, trust, doctor: one row each over TnCompiler.package.
#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "diag/render.h"
#include "diag/suggest.h"
#include "diag/utf8.h"
#include "tool.h"

namespace tenon::tool {

namespace {

std::string text(const Json& j, const char* key) {
  return j.contains(key) && j[key].is_string() ? j[key].get<std::string>() : "";
}

std::string joined(const Json& list) {
  std::string out;
  for (const Json& item : list) out += (out.empty() ? "" : ", ") + item.get<std::string>();
  return out;
}

std::string key_name(const std::string& hex) { return "ed25519:" + hex.substr(0, 16); }

Error error_of(const Json& j) {
  return Error(j["code"].get<int32_t>(), text(j, "message"), text(j, "where"), text(j, "hint"));
}

int show_pack(const Json& j) {
  std::printf("%s: %s %s for %s, %lld bytes\n  %s\n  not signed yet: tenon plugin sign %s --key FILE\n",
              text(j, "file").c_str(), text(j, "id").c_str(), text(j, "version").c_str(), text(j, "platform").c_str(),
              j["bytes"].get<long long>(), text(j, "digest").c_str(), text(j, "file").c_str());
  return kOk;
}

int show_keygen(const Json& j) {
  std::printf(
      "%s: the private key; keep it where nobody else can read it\n%s: for customers: tenon plugin trust allow %s\n"
      "key %s of %s, until %s\n",
      text(j, "private").c_str(), text(j, "public").c_str(), text(j, "public").c_str(),
      key_name(text(j, "key")).c_str(), text(j, "vendor").c_str(), text(j, "expires").c_str());
  return kOk;
}

int show_sign(const Json& j) {
  std::printf("%s: signed by key %s\n", text(j, "file").c_str(), key_name(text(j, "key")).c_str());
  return kOk;
}

int show_verify(const Json& j) {
  std::printf("%s %s by %s\n  %s\n", text(j, "id").c_str(), text(j, "version").c_str(), text(j, "vendor").c_str(),
              text(j, "summary").c_str());
  for (const char* key : {"license", "tier", "platform", "sdk", "build_id", "digest"})
    if (!text(j, key).empty()) std::printf("  %-9s %s\n", key, text(j, key).c_str());
  for (const char* key : {"provides", "passes", "ops", "runtimes"})
    if (!j[key].empty()) std::printf("  %-9s %s\n", key, joined(j[key]).c_str());
  for (const Json& f : j["files"])
    std::printf("  file      %s  %lld bytes  %s\n", text(f, "path").c_str(), f["bytes"].get<long long>(),
                text(f, "sha256").c_str());
  if (j.contains("signature"))
    std::printf("  signed    by key %s of %s, valid until %s\n", key_name(text(j["signature"], "key")).c_str(),
                text(j["signature"], "vendor").c_str(), text(j["signature"], "expires").c_str());
  else
    std::printf("  signed    no\n");
  if (j["trusted"].get<bool>()) {
    std::printf("accepted here: %s\n", text(j, "because").c_str());
    return kOk;
  }
  std::printf("not accepted here\n");
  std::fflush(stdout);
  Error e = error_of(j["problem"][0]);
  std::fputs(render_error(e).c_str(), stderr);
  return exit_code_of(e);
}

int show_install(const Json& j) {
  std::printf("%s %s: %s\n  in %s\n  %s\n", text(j, "id").c_str(), text(j, "version").c_str(),
              j["already"].get<bool>() ? "was installed already" : "installed", text(j, "folder").c_str(),
              text(j, "because").c_str());
  if (!text(j, "warning").empty()) std::printf("  note: %s\n", text(j, "warning").c_str());
  if (!j["lines"].empty())
    std::printf("No pipeline changes by itself. To use it, in plugins.yaml or a file for --config:\n");
  for (const Json& line : j["lines"]) std::printf("  %s\n", line.get<std::string>().c_str());
  return kOk;
}

int show_remove(const Json& j) {
  for (const Json& folder : j["removed"]) std::printf("removed %s\n", folder.get<std::string>().c_str());
  return kOk;
}

int show_trust(const Json& j) {
  if (j.contains("line")) {
    std::printf("%s: %s\n", text(j, "file").c_str(), text(j, "line").c_str());
    return kOk;
  }
  if (j["files"].empty()) std::printf("# no trust policy; this is what holds without one\n");
  for (const Json& file : j["files"]) std::printf("# from %s\n", file.get<std::string>().c_str());
  std::printf("%s", text(j, "text").c_str());
  return kOk;
}

int doctor_code(const Json& j) {
  return j["code"].get<int>() ? exit_code_of(Error(j["code"].get<int32_t>(), "")) : int{kOk};
}

// What a file says, which nobody vouches for.
std::string shown(const Json& j, const char* key) { return printable(text(j, key)); }

int show_doctor(const Json& j) {
  std::printf("%s\n", shown(j, "verdict").c_str());
  for (const Json& f : j["findings"]) {
    bool ok = f["ok"].get<bool>();
    std::printf("  %-5s %-16s %s\n", ok ? "ok" : "WRONG", shown(f, "check").c_str(),
                ok ? "" : shown(f, "message").c_str());
    if (!shown(f, "hint").empty()) std::printf("        hint: %s\n", shown(f, "hint").c_str());
  }
  if (!shown(j, "sdk").empty()) std::printf("  built with Tenon %s\n", shown(j, "sdk").c_str());
  if (!shown(j, "build_id").empty()) std::printf("  build id %s\n", shown(j, "build_id").c_str());
  return doctor_code(j);
}

// The exit code of a result that is printed as JSON.
int json_code(const std::string& action, const Json& j) {
  if (action == "verify" && !j["trusted"].get<bool>()) return exit_code_of(error_of(j["problem"][0]));
  return action == "doctor" ? doctor_code(j) : int{kOk};
}

struct Argument {
  const char* flag;  // "FOLDER" without dashes is positional and required
  const char* key;
  const char* help;
};

struct Row {
  const char* action;
  std::vector<Argument> options;
  int (*show)(const Json&);
};

const Row& row_of(const std::string& action) {
  static const std::vector<Row> rows = {
      {"pack",
       {{"FOLDER", "folder", "with manifest.yaml and the library"},
        {"-o,--output", "output", "the package; ID-VERSION.tnp"}},
       show_pack},
      {"keygen",
       {{"NAME", "output", "writes NAME.key and NAME.pub"},
        {"--vendor", "vendor", "as the manifests say it"},
        {"--expires", "expires", "a date such as 2028-11-20; in two years"},
        {"--successor-of", "successor_of", "a private key that the new one follows"}},
       show_keygen},
      {"sign",
       {{"FILE", "file", "a package; its signature is replaced"},
        {"--key", "key", "the private key; with --detached the public one"},
        {"--detached", "detached", "a file with a signature of seal.json made elsewhere: 64 bytes or 128 hex digits"}},
       show_sign},
      {"verify", {{"FILE", "file", "a package, or a folder of the store"}}, show_verify},
      {"install", {{"FILE", "file", "a package"}}, show_install},
      {"remove", {{"WHAT", "what", "ID, ID=VERSION or sha256:DIGEST"}}, show_remove},
      {"trust",
       {{"COMMAND", "command", "show, allow, deny or use"},
        {"[SUBJECT]", "subject",
         "allow, deny: a key file, sha256:DIGEST or a folder; deny: vendor:NAME or id:NAME; use: ID=VERSION"},
        {"--reason", "reason", "of a denial"}},
       show_trust},
      {"doctor", {{"FILE", "file", "a library, or a plugin's folder"}}, show_doctor}};
  for (const Row& row : rows)
    if (action == row.action) return row;
  return rows[0];
}

// What no file has to be read for.
void refuse_wrong_words(const std::string& action, const std::map<std::string, std::string>& values) {
  auto given = [&](const char* key) { return values.contains(key) ? values.at(key) : std::string(); };
  if (action == "keygen" && given("vendor").empty() && given("successor_of").empty())
    throw UsageError("a key needs the name of its vendor, as the manifests say it", "--vendor NAME");
  if (action != "trust") return;
  const std::vector<std::string> commands{"show", "allow", "deny", "use"};
  const std::string command = given("command"), subject = given("subject");
  if (std::find(commands.begin(), commands.end(), command) == commands.end())
    throw UsageError("trust has no command '" + command + "'",
                     did_you_mean(command, commands, "show, allow, deny or use"));
  if (command == "show" && !subject.empty())
    throw UsageError("'trust show' takes no subject", "tenon plugin trust show");
  if (command != "show" && subject.empty())
    throw UsageError("'trust " + command + "' needs what it is about",
                     command == "use" ? "ID=VERSION" : "a key file, sha256:DIGEST or a folder");
  if (command == "use" && (subject.find('=') == std::string::npos || subject[0] == '='))
    throw UsageError("'" + subject + "' does not say which version of a plugin to use",
                     "write ID=VERSION, ID=sha256:DIGEST, or ID= to take it back");
}

}  // namespace

Run add_package_verb(Command& app, std::shared_ptr<Common> common) {
  const std::string action = app.name();
  const Row& row = row_of(action);
  auto values = std::make_shared<std::map<std::string, std::string>>();
  auto flags = std::make_shared<std::map<std::string, bool>>();
  for (const Argument& a : row.options) {
    std::string flag = a.flag;
    bool optional = (flag[0] == '[' || flag[0] == '-') && !(action == "sign" && flag == "--key");
    if (flag[0] == '[') flag = flag.substr(1, flag.size() - 2);
    Option added = app.add_option(flag, (*values)[a.key], a.help);
    if (!optional) added.required();
  }
  if (action == "install" || action == "remove")
    app.add_flag("--system", (*flags)["system"], "the store of this installation");
  if (action == "install") app.add_flag("--replace", (*flags)["replace"], "take another build of this version out");
  if (action == "trust") app.add_flag("--site", (*flags)["site"], "change /etc/tenon/trust.yaml, not the user's file");
  return [=, &row] {
    refuse_wrong_words(action, *values);
    auto session = common->open();
    const Builder& b = session->builder();
    Builder::Entries options;
    for (const auto& [key, value] : *values)
      if (!value.empty()) options.emplace_back(key, b.string(value));
    for (const auto& [key, value] : *flags) options.emplace_back(key, Value(value));
    Json result = to_json(Value(session->package(action, b.map(options))));
    if (common->json) {
      print_json(result);
      return json_code(action, result);
    }
    int code = row.show(result);
    std::fflush(stdout);
    return code;
  };
}

}  // namespace tenon::tool
