// tenon plugin check: the conformance kit on a plugin.
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "kit/kit.h"
#include "tool.h"

namespace tenon::tool {

namespace {

using namespace tenon::conformance;

bool is_place(const std::string& target) {
  struct stat s;
  return target.find('/') != std::string::npos || target.ends_with(".so") ||
         stat((target + "/manifest.yaml").c_str(), &s) == 0;
}

// What is not there is no fault of the plugin.
void require_places(const Options& a) {
  std::vector<std::string> files = a.samples;
  files.push_back(a.target);
  struct stat s;
  for (const std::string& file : files)
    if (stat(file.c_str(), &s) != 0) throw Error(TN_ERROR_IO, "there is no such file or folder", file);
}

Json report_json(const Report& r) {
  Json results = Json::array(), matrix = Json::array();
  for (const Result& c : r.results) {
    Json one{{"check", c.check}, {"rules", c.rules}, {"result", verdict_name(c.verdict)}};
    if (!c.message.empty()) one["message"] = c.message;
    if (!c.notes.empty()) one["notes"] = c.notes;
    one["milliseconds"] = static_cast<int64_t>(c.seconds * 1000);
    results.push_back(one);
  }
  for (const Cell& c : r.matrix)
    matrix.push_back(Json{{"op", c.op}, {"dtype", c.dtype}, {"result", c.result}, {"note", c.note}});
  Json out{{"plugin", r.id},        {"version", r.version}, {"library", r.library}, {"tenon", tn_compiler()->version},
           {"conforms", r.green()}, {"checks", results}};
  if (!r.matrix.empty()) out["matrix"] = matrix;
  return out;
}

void print_matrix(const std::vector<Cell>& cells) {
  std::vector<std::string> dtypes;
  std::vector<std::pair<std::string, std::map<std::string, std::string>>> rows;
  for (const Cell& c : cells) {
    if (std::find(dtypes.begin(), dtypes.end(), c.dtype) == dtypes.end()) dtypes.push_back(c.dtype);
    if (rows.empty() || rows.back().first != c.op) rows.push_back({c.op, {}});
    rows.back().second[c.dtype] = c.result;
  }
  std::string head = "| operator |", line = "|---|";
  for (const std::string& d : dtypes) head += " " + d + " |", line += "---|";
  std::printf("\n%s\n%s\n", head.c_str(), line.c_str());
  for (auto& [op, results] : rows) {
    std::string text = "| " + op + " |";
    for (const std::string& d : dtypes) text += " " + results[d] + " |";
    std::printf("%s\n", text.c_str());
  }
}

int check_place(const Options& a, const Common& common) {
  // How the kit starts a check in a process of its own.
  if (const char* check = std::getenv("TENON_CHECK_CHILD")) return run_child(a, check);
  Report r = run_kit(a);
  if (common.json) {
    print_json(report_json(r));
    return r.green() ? kOk : kInternal;
  }
  size_t failed = 0, skipped = 0;
  for (const Result& c : r.results) {
    const bool bad = c.verdict != Verdict::pass && c.verdict != Verdict::skip;
    failed += bad;
    skipped += c.verdict == Verdict::skip;
    if (c.message.empty())
      std::printf("%-6s %s\n", verdict_name(c.verdict), c.check.c_str());
    else
      std::printf("%-6s %-17s %s\n", verdict_name(c.verdict), c.check.c_str(), c.message.c_str());
    for (const std::string& note : c.notes)
      if (bad) std::printf("       %-17s %s\n", "", note.c_str());
  }
  if (!r.matrix.empty()) print_matrix(r.matrix);
  for (const Cell& c : r.matrix)
    if (c.result == "wrong" || c.result == "crash") {
      ++failed;
      std::printf("%s: %s on %s: %s\n", c.result.c_str(), c.op.c_str(), c.dtype.c_str(), c.note.c_str());
    }
  if (r.green())
    std::printf("%s %s conforms: %zu checks passed, %zu could not be done\n", r.id.c_str(), r.version.c_str(),
                r.results.size() - skipped, skipped);
  else
    std::printf("%s %s does not conform: %zu of %zu checks; the rules are in contract.md\n", r.id.c_str(),
                r.version.c_str(), failed, r.results.size());
  return r.green() ? kOk : kInternal;
}

}  // namespace

Run add_plugin_check(Command& app, std::shared_ptr<Common> common) {
  auto args = std::make_shared<Options>();
  Options& o = *args;
  app.add_option("TARGET", o.target,
                 "a plugin's library or folder: the conformance kit; an id: opens the installed plugin")
      .required();
  app.add_option("--sample", o.samples,
                 "a model that the frontend reads, or a module (.py) that passes and code generators take; repeatable")
      .type_name("FILE");
  app.add_option("--only", o.only, "run this check alone; repeatable").type_name("CHECK");
  app.add_option("--timeout", o.timeout_s, "seconds for one check").type_name("SECONDS").positive();
  app.add_flag("--in-process", o.in_process, "run the checks in this process, for a debugger");
  app.add_flag("--matrix", o.matrix, "every operator with every dtype");
  return [args, common] {
    args->plugin_dirs = common->plugin_dirs;
    args->config = common->config;
    if (is_place(args->target)) {
      require_places(*args);
      return check_place(*args, *common);
    }
    const std::string& id = args->target;
    if (!args->only.empty() || !args->samples.empty() || args->in_process || args->matrix)
      throw UsageError("the conformance kit takes a library or a folder, not the id '" + id + "'",
                       "tenon plugin info " + id + " says where it lies");
    auto session = common->open();
    session->load_plugin(id);
    if (common->json)
      print_json(Json{{"id", id}, {"ok", true}});
    else
      print_line(id + ": ok");
    return int{kOk};
  };
}

}  // namespace tenon::tool
