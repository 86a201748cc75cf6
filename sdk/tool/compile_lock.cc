#include "compile_lock.h"

#include <filesystem>
#include <set>

#include "diag/files.h"
#include "lock_file.h"
#include "pipeline_diff.h"

namespace tenon::tool {

namespace {

// The lock that --dump-dir leaves beside the dumped states.
constexpr const char* kDumpedLock = "lock.yaml";

Json difference(const std::string& message, const std::string& hint) {
  return Json::array({{{"code", TN_ERROR_CHECK_FAILED}, {"message", message}, {"where", ""}, {"hint", hint}}});
}

// A command line that names another plugin than the lock does.
void check_role(const char* role, const std::string& given, const Json& lock) {
  std::string locked = lock.contains(role) ? lock[role]["plugin"].get<std::string>() : "";
  if (!given.empty() && given != locked)
    throw LockRefused(
        difference("the lock has the " + std::string(role) + " '" + locked + "', the command line '" + given + "'",
                   "leave --" + std::string(role) + " out, or make another lock"));
}

std::set<std::string> ids_of(const Json& lock) {
  std::set<std::string> out;
  for (const Json& p : lock["plugins"])
    if (p.is_object() && p.contains("id") && p["id"].is_string()) out.insert(p["id"].get<std::string>());
  return out;
}

}  // namespace

void CompileLock::use(const CompilerSession& session, const Common& common, const std::string& path,
                      PassOptions& passes, BackEnd& back_end) {
  if (path.empty()) return;
  if (!passes.passes.empty() || !passes.disable.empty() || !passes.stop_after.empty())
    throw UsageError("a lock says which passes run; --pass, --disable and --stop-after would change them",
                     "leave them out, or leave --lock out");
  const Builder& b = session.builder();
  LockFile file = read_lock_file(path);
  Value compare(b.map({{"same_target", Value(!common.target.empty())}}));
  Map read = session.read_lock(file.text, file.name, compare);
  Json differences = to_json(*read.find("differences"));
  if (!differences.empty()) throw LockRefused(differences);
  lock_ = to_json(*read.find("lock"));
  check_role("codegen", back_end.codegen, lock_);
  check_role("linker", back_end.linker, lock_);
  session.read_lock(file.text, file.name, Value(b.map({{"use", Value(true)}})));  // takes the target over
  if (!passes.pipeline.empty()) {
    Json given{{"stages", Json::array()}};
    if (passes.pipeline != "none") {
      given = to_json(session.pipeline(passes.pipeline));
      if (!given["complaints"].empty()) throw LockRefused(given["complaints"]);
    }
    Json rows = tool::differences(lock_, given);
    std::string text;
    for (const Json& row : rows) text += "\n  " + difference_text(row);
    while (!text.empty() && text.back() == '\n') text.pop_back();
    if (!rows.empty())
      throw LockRefused(
          difference("the pipeline '" + passes.pipeline + "' is not the one of the lock; from the lock to it:" + text,
                     "leave --pipeline out, or make the lock anew"));
  }
  const Map& lock = read.find("lock")->ref<Map>();
  passes.locked = *lock.find("stages");
  if (const Value* codegen = lock.find("codegen")) {
    back_end.codegen = lock_["codegen"]["plugin"];
    back_end.codegen_options = *codegen->ref<Map>().find("options");
  }
  if (lock.find("linker")) back_end.linker = lock_["linker"]["plugin"];
  text_ = file.text;
  name_ = file.name;
}

std::string CompileLock::text(const CompilerSession& session, const PassOptions& passes, const PassesResult& result,
                              const BackEnd& back_end) const {
  const Builder& b = session.builder();
  bool complete = !text_.empty() && lock_["complete"].get<bool>();
  if (complete) {
    std::set<std::string> listed = ids_of(lock_);
    Json all = to_json(session.plugins());
    for (const Json& p : all["plugins"])
      if (p["loaded"].get<bool>() && !listed.contains(p["id"].get<std::string>()) && !passes.check_each)
        throw Error(TN_ERROR_CHECK_FAILED,
                    "the plugin '" + p["id"].get<std::string>() + "' took part, and the lock does not list it", name_,
                    "the lock belongs to another model, or plugins.yaml prefers another plugin than it did: make the "
                    "lock anew");
    return text_;
  }
  std::vector<Value> disabled, others;
  for (const std::string& pass : passes.disable) disabled.push_back(b.string(pass));
  // What took part before the state that the run went on from.
  const std::string dumped = (std::filesystem::path(passes.start_from).parent_path() / kDumpedLock).string();
  if (!passes.start_from.empty() && is_regular_file(passes.start_from) && is_regular_file(dumped)) {
    Map read = session.read_lock(read_file(dumped), dumped, Value());
    Json lock = to_json(*read.find("lock"));
    std::set<std::string> installed;
    Json all = to_json(session.plugins());
    for (const Json& p : all["plugins"]) installed.insert(p["id"].get<std::string>());
    if (lock.is_object() && lock.contains("plugins") && lock["plugins"].is_array())
      for (const std::string& id : ids_of(lock))
        if (installed.contains(id)) others.push_back(b.string(id));
  }
  std::string name = !text_.empty()              ? lock_["pipeline"].get<std::string>()
                     : !passes.passes.empty()    ? "passes"
                     : passes.pipeline == "none" ? "none"
                                                 : "";
  std::string text = session.lock(Value(b.map({{"pipeline", result.plan},
                                               {"name", b.string(name)},
                                               {"stop_after", b.string(passes.stop_after)},
                                               {"disable", Value(b.array(disabled))},
                                               {"codegen", b.string(back_end.codegen)},
                                               {"linker", b.string(back_end.linker)},
                                               {"codegen_options", back_end.codegen_options},
                                               {"others", Value(b.array(others))},
                                               {"complete", Value(true)}})));
  if (!passes.dump_dir.empty()) write_file((std::filesystem::path(passes.dump_dir) / kDumpedLock).string(), text);
  return text;
}

}  // namespace tenon::tool
