// tenon check: is it legal, and if not, where.
#include <nlohmann/json.hpp>

#include "diag/render.h"
#include "lock_file.h"

namespace tenon::tool {

namespace {

Error error_of(const Value& complaint) {
  const Map& m = complaint.ref<Map>();
  auto text = [&](const char* key) { return std::string(m.find(key)->as_string()); };
  return Error(static_cast<int32_t>(m.find("code")->as_int()), text("message"), text("where"), text("hint"));
}

std::vector<Error> errors_of(const Value& complaints) {
  std::vector<Error> out;
  for (const Value& c : complaints.ref<Array>()) out.push_back(error_of(c));
  return out;
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::vector<Error> check_config(const Common& common, const std::string& file) {
  Common own = common;
  own.config = file;
  auto session = own.open();
  std::vector<Error> out;
  Value names = session->pipelines();
  for (const Value& name : names.ref<Array>())
    for (Error& e : errors_of(*session->pipeline(std::string(name.as_string())).find("complaints")))
      out.push_back(std::move(e));
  return out;
}

// Whether an artifact is whole, and whether its payloads fit the devices that are here; nothing of it is loaded.
std::vector<Error> check_artifact(const CompilerSession& session, const std::string& file) {
  Map options = session.builder().map({{"check_only", Value(true)}, {"verify_constants", Value(true)}});
  std::vector<Error> out;
  const Map told = session.instantiate(file, Value(options));
  for (const Value& v : told.find("payloads")->ref<Array>()) {
    auto text = [&](const char* key) {
      const Value* found = v.ref<Map>().find(key);
      return found && found->is_string() ? std::string(found->as_string()) : std::string();
    };
    if (text("answer") == "best" || text("answer") == "works") continue;
    const bool again = text("answer") == "recompile";
    out.emplace_back(TN_ERROR_UNSUPPORTED,
                     "the payload of the code generator '" + text("maker") + "' (" + text("format") + ") " +
                         (again ? "must be compiled again for" : "cannot run on") + " '" + text("device") +
                         "': " + text("reason"),
                     file, again ? "compile the model for this device" : "");
  }
  return out;
}

// Everything that is wrong with one file.
std::vector<Error> check_file(const CompilerSession& session, const Common& common, const std::string& file) {
  try {
    if (base_name(file) == "manifest.yaml") return errors_of(session.check_manifest(file));
    if (base_name(file) == "plugins.yaml") return check_config(common, file);
    if (!file.ends_with(".so") && is_lock(file)) {
      LockFile lock = read_lock_file(file);
      return errors_of(*session.read_lock(lock.text, lock.name, Value()).find("differences"));
    }
    if (file.ends_with(".yaml") || file.ends_with(".yml")) return errors_of(*session.pipeline(file).find("complaints"));
    if (file.ends_with(".so")) return check_artifact(session, file);
    session.verify(read_module(session, file));
    return {};
  } catch (const Error& e) { return {e}; }
}

}  // namespace

Run add_check(Command& app, std::shared_ptr<Common> common) {
  auto files = std::make_shared<std::vector<std::string>>();
  app.add_option("FILE", *files,
                 "modules (.py), artifacts (.so), manifests (manifest.yaml), pipelines (.yaml), plugins.yaml")
      .required();
  return [files, common] {
    auto session = common->open();
    Json report = Json::array();
    int code = kOk;
    for (const std::string& file : *files) {
      std::vector<Error> complaints = check_file(*session, *common, file);
      Json listed = Json::array();
      for (const Error& e : complaints) {
        listed.push_back(error_json(e));
        if (!common->json) std::fputs(render_error(e).c_str(), stderr);
        code = std::max(code, exit_code_of(e));
      }
      if (!common->json)
        print_line(shown(file) + ": " +
                   (complaints.empty()
                        ? "ok"
                        : std::to_string(complaints.size()) + " complaint" + (complaints.size() == 1 ? "" : "s")));
      report.push_back(Json{{"file", file}, {"ok", complaints.empty()}, {"complaints", listed}});
    }
    if (common->json) print_json(report);
    return code;
  };
}

}  // namespace tenon::tool
