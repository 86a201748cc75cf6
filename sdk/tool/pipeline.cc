// tenon pipeline: what pipelines there are, what is in them and why, and how a module was compiled. Opens no library.
#include <cstdio>
#include <nlohmann/json.hpp>

#include "lock_file.h"
#include "pipeline_diff.h"

namespace tenon::tool {

namespace {

struct Args {
  std::vector<std::string> names;
  std::string output, codegen, linker;
};

std::string text(const Json& j, const char* key) {
  return j.contains(key) && j[key].is_string() ? j[key].get<std::string>() : "";
}

// A pipeline or a lock, as JSON; `code` is what its complaints come to.
struct Subject {
  Json described;
  Json complaints;
  bool lock = false;
};

Subject read_subject(const CompilerSession& session, const std::string& name) {
  if (!is_lock(name)) {
    Json described = to_json(session.pipeline(name));
    Json complaints = described["complaints"];
    return {std::move(described), std::move(complaints), false};
  }
  LockFile file = read_lock_file(name);
  Json read = to_json(session.read_lock(file.text, file.name, Value()));
  for (const Json& d : read["differences"]) {
    int32_t code = d["code"].get<int32_t>();
    if (code == TN_ERROR_PARSE || code == TN_ERROR_LIMIT || code == TN_ERROR_DUPLICATE)
      throw Error(code, "the lock cannot be read: " + text(d, "message"), text(d, "where"), text(d, "hint"));
  }
  return {read["lock"], read["differences"], true};
}

std::string options_text(const Json& stage) { return stage["options"].empty() ? "" : stage["options"].dump(); }

void show(const Subject& s) {
  const Json& p = s.described;
  std::string name = s.lock ? text(p, "pipeline") : text(p, "name");
  std::printf("%s%s%s\n", name.c_str(), text(p, "summary").empty() ? "" : ": ", text(p, "summary").c_str());
  int number = 0;
  for (const Json& stage : p["stages"]) {
    std::string pass = text(stage, "pass");
    if (s.lock)
      std::printf("  %03d %-36s %s\n", ++number, pass.c_str(), options_text(stage).c_str());
    else
      std::printf("  %03d %-36s %-6s %s\n", ++number, pass.c_str(), text(stage, "level").c_str(),
                  options_text(stage).c_str());
  }
}

std::string reason_text(const Json& reason) {
  std::string what = text(reason, "text"), where = text(reason, "where");
  std::string kind = text(reason, "kind");
  if (kind == "include") return "included: " + what + " (" + where + ")";
  if (kind == "slot") return "fills the slot " + what + " (" + where + ")";
  return "for targets " + what + " (" + where + ")";
}

void explain(const Subject& s) {
  const Json& p = s.described;
  std::printf("%s%s%s\n", text(p, "name").c_str(), text(p, "summary").empty() ? "" : ": ", text(p, "summary").c_str());
  int number = 0;
  for (const Json& stage : p["stages"]) {
    std::string by = text(stage, "plugin") + " " + text(stage, "version");
    if (!text(stage, "vendor").empty()) by += " of " + text(stage, "vendor");
    std::string options = options_text(stage).empty() ? "" : " " + options_text(stage);
    std::printf("  %03d %s%s\n      by %s, at %s\n", ++number, text(stage, "pass").c_str(), options.c_str(), by.c_str(),
                text(stage, "where").c_str());
    for (const Json& reason : stage["why"])
      if (text(reason, "kind") != "pipeline") std::printf("      %s\n", reason_text(reason).c_str());
  }
  for (const Json& slot : p["slots"])
    std::printf("slot %s (%s): filled with %d; %s\n", text(slot, "name").c_str(),
                text(slot, "level").empty() ? "any level" : text(slot, "level").c_str(), slot["filled"].get<int>(),
                text(slot, "summary").empty() ? text(slot, "where").c_str() : text(slot, "summary").c_str());
  for (const Json& l : p["left_out"])
    std::printf("left out: %s at %s: %s%s\n", text(l, "what").c_str(), text(l, "where").c_str(), text(l, "why").c_str(),
                l["unchecked"].get<bool>() ? "; its plugin is not installed" : "");
}

void explain_lock(const Subject& s) {
  show(s);
  const Json& l = s.described;
  std::printf("made by Tenon %s for %s\n", text(l["tenon"], "version").c_str(), l["target"].dump().c_str());
  for (const Json& p : l["plugins"])
    std::printf("plugin %s %s, %s\n", text(p, "id").c_str(), text(p, "version").c_str(),
                text(p, p.contains("library") ? "library" : "manifest").c_str());
}

int list(const CompilerSession& session, bool json) {
  Json rows = Json::array();
  int code = kOk;
  for (const Json& name : to_json(session.pipelines())) {
    Json p = to_json(session.pipeline(name.get<std::string>()));
    rows.push_back(
        {{"name", name}, {"summary", p["summary"]}, {"stages", p["stages"].size()}, {"complaints", p["complaints"]}});
    if (json) continue;
    std::printf("%-16s %s\n", name.get<std::string>().c_str(),
                p["complaints"].empty() ? text(p, "summary").c_str() : "wrong; see: tenon pipeline check");
  }
  if (json) print_json(rows);
  return code;
}

// What cannot be read at all is one complaint; the others are looked at all the same.
Subject read_or_complain(const CompilerSession& session, const std::string& name) {
  try {
    return read_subject(session, name);
  } catch (const Error& e) {
    return {Json{{"stages", Json::array()}, {"left_out", Json::array()}}, Json::array({error_json(e)}), false};
  }
}

int check(const CompilerSession& session, const Args& a, bool json) {
  int code = kOk;
  Json report = Json::array();
  for (const std::string& name : a.names) {
    Subject s = read_or_complain(session, name);
    int own = show_complaints(s.complaints, json);
    code = std::max(code, own);
    Json row{
        {"name", name}, {"ok", own == kOk}, {"stages", s.described["stages"].size()}, {"complaints", s.complaints}};
    if (!s.lock) row["left_out"] = s.described["left_out"];
    report.push_back(row);
    if (json || own != kOk) continue;
    size_t stages = s.described["stages"].size();
    std::string line = name + ": ok, " + std::to_string(stages) + (stages == 1 ? " stage" : " stages");
    size_t left = s.lock ? 0 : s.described["left_out"].size(), unchecked = 0;
    if (left) {
      for (const Json& l : s.described["left_out"]) unchecked += l["unchecked"].get<bool>();
      line += "; " + std::to_string(left) + " left out for this target";
      if (unchecked) line += ", " + std::to_string(unchecked) + " unchecked because the plugin is not installed";
    }
    print_line(line);
  }
  if (json) print_json(a.names.size() == 1 ? report[0] : report);
  return code;
}

std::string make_lock(const CompilerSession& session, const Args& a) {
  const Builder& b = session.builder();
  return session.lock(Value(
      b.map({{"pipeline", b.string(a.names[0])}, {"codegen", b.string(a.codegen)}, {"linker", b.string(a.linker)}})));
}

int lock(const CompilerSession& session, const Args& a, bool json) {
  if (is_lock(a.names[0])) throw UsageError("'" + a.names[0] + "' is a lock already", "name a pipeline, or its file");
  std::string text = make_lock(session, a);
  if (json && (a.output.empty() || a.output == "-"))
    print_json(to_json(*session.read_lock(text, "the lock", Value()).find("lock")));
  else
    write_output(a.output, text);
  if (json && !a.output.empty() && a.output != "-") print_json(Json{{"output", a.output}});
  return kOk;
}

int diff(const CompilerSession& session, const Args& a, bool json) {
  if (a.names.size() != 2) throw UsageError("two pipelines or locks are needed", "tenon pipeline diff LEFT RIGHT");
  std::vector<Subject> both;
  for (const std::string& name : a.names) {
    both.push_back(read_subject(session, name));
    if (both.back().lock) continue;
    if (int code = show_complaints(both.back().complaints, json); code != kOk) {
      if (json) print_json(Json{{"error", {{"name", "pipeline"}, {"complaints", both.back().complaints}}}});
      return code;
    }
  }
  // Beside a lock, a pipeline stands for what it would be locked to.
  for (size_t i = 0; i < 2; ++i)
    if (!both[i].lock && both[1 - i].lock) {
      Args own = a;
      own.names = {a.names[i]};
      both[i].described = to_json(*session.read_lock(make_lock(session, own), "the lock", Value()).find("lock"));
    }
  Json rows = differences(both[0].described, both[1].described);
  if (json)
    print_json(Json{{"same", rows.empty()}, {"differences", rows}});
  else
    for (const Json& row : rows) std::fputs(difference_text(row).c_str(), stdout);
  return rows.empty() ? kOk : kRefused;
}

}  // namespace

Run add_pipeline(Command& app, std::shared_ptr<Common> common) {
  auto args = std::make_shared<Args>();
  Command* list_verb = app.add_command("list", "the named pipelines");
  Command* show_verb = app.add_command("show", "the stages of a pipeline with their options");
  Command* check_verb = app.add_command("check", "check pipelines and locks against the installed manifests");
  Command* lock_verb = app.add_command("lock", "write down exactly what a pipeline is, for tenon compile --lock");
  Command* explain_verb = app.add_command("explain", "which plugin gives each stage, and why it is there");
  Command* diff_verb = app.add_command("diff", "what is different between two; exits 1 when something is");
  for (Command* sub : {show_verb, check_verb, lock_verb, explain_verb, diff_verb}) {
    Option names = sub->add_option("NAME|FILE", args->names,
                                   sub == lock_verb ? "a pipeline's name or file"
                                                    : "a pipeline's name or file, a lock, or an artifact")
                       .required();
    if (sub != check_verb) names.count(sub == diff_verb ? 2 : 1);
  }
  lock_verb->add_option("-o,--output", args->output, "the file; standard output without it").type_name("FILE");
  for (Command* sub : {lock_verb, diff_verb}) {
    sub->add_option("--codegen", args->codegen, "the plugin that generates code; the first for the target")
        .type_name("PLUGIN");
    sub->add_option("--linker", args->linker, "the plugin that links; the first that is installed").type_name("PLUGIN");
  }
  return [=] {
    auto session = common->open();
    bool json = common->json;
    if (list_verb->parsed()) return list(*session, json);
    if (check_verb->parsed()) return check(*session, *args, json);
    if (lock_verb->parsed()) return lock(*session, *args, json);
    if (diff_verb->parsed()) return diff(*session, *args, json);
    Subject s = read_subject(*session, args->names[0]);
    if (json) {
      print_json(s.described);
      return s.lock ? int{kOk} : show_complaints(s.complaints, true);
    }
    if (!s.lock)
      if (int code = show_complaints(s.complaints, false); code != kOk) return code;
    if (show_verb->parsed())
      show(s);
    else if (s.lock)
      explain_lock(s);
    else
      explain(s);
    return int{kOk};
  };
}

}  // namespace tenon::tool
