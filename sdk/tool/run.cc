// tenon run: runs a function of a module and shows what it computes.
#include <tenon/cxx/numbers.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "diag/files.h"
#include "diag/suggest.h"
#include "entry.h"
#include "npy.h"
#include "passes.h"

namespace tenon::tool {

namespace {

struct RunArgs {
  std::string module, entry, executor, output;
  std::vector<std::string> inputs, dims, devices;
  int bench = 0, threads = 0;
  PassOptions passes;
};

// "PLUGIN" or "PLUGIN{option: value}": the id and the text of the options.
std::pair<std::string, std::string> split_options(const std::string& text) {
  size_t brace = text.find('{');
  return {text.substr(0, brace), brace == std::string::npos ? "" : text.substr(brace)};
}

// The results by name: tensors, in the order of the outputs.
using Results = std::vector<std::pair<std::string, Value>>;

// The fields of a tuple one after the other: an executor may give a tuple in a tuple, or its fields in its place.
void collect_fields(const std::string& name, const Array& tuple, size_t& next, Results& out) {
  for (const Value& item : tuple) {
    if (item.is_array()) {
      collect_fields(name, item.ref<Array>(), next, out);
      continue;
    }
    if (!item.is_none()) out.emplace_back(name + "." + std::to_string(next), item);
    ++next;
  }
}

void collect(const std::string& name, const Value& v, Results& out) {
  size_t next = 0;
  if (v.is_array())
    collect_fields(name, v.ref<Array>(), next, out);
  else if (!v.is_none())
    out.emplace_back(name, v);
}

Json result_json(const Builder& b, const std::string& name, const Value& v) {
  if (v.type_index() != TN_TENSOR) return Json{{"name", name}, {"value", to_json(v)}};
  const DLTensor& t = tensor_of(v);
  Summary s = summarize(t);
  Json shape = Json::array();
  for (int i = 0; i < t.ndim; ++i) shape.push_back(t.shape[i]);
  DLTensor borrowed = t;
  Value constant = call([&](TnValue* ret) { return b.ir()->constant(b.ir()->self, &borrowed, ret); });
  std::string digest = reinterpret_cast<const TnConstant*>(constant.raw().as.object)->digest;
  return Json{{"name", name},
              {"dtype", dtype_text(t.dtype)},
              {"shape", shape},
              {"min", s.min},
              {"max", s.max},
              {"mean", s.mean},
              {"not_finite", s.not_finite},
              {"sha256", digest.substr(digest.find(':') + 1)}};
}

std::string result_line(const Json& r, const Value& v) {
  if (!r.contains("dtype")) return r["name"].get<std::string>() + ": " + r["value"].dump();
  char numbers[160];
  std::snprintf(numbers, sizeof numbers, "  min %.7g  max %.7g  mean %.7g", r["min"].get<double>(),
                r["max"].get<double>(), r["mean"].get<double>());
  std::string line = r["name"].get<std::string>() + ": " + shape_text(tensor_of(v)) + numbers;
  if (int64_t n = r["not_finite"].get<int64_t>()) line += "  not finite " + std::to_string(n);
  return line + "  sha256 " + r["sha256"].get<std::string>();
}

struct Timing {
  int runs;
  double min_ms, median_ms, mean_ms;
};

Timing measure(const Value& function, const std::vector<Value>& arguments, int runs) {
  std::vector<double> times;
  double sum = 0;
  for (int i = 0; i < runs; ++i) {
    auto start = std::chrono::steady_clock::now();
    call_function(function, arguments);
    times.push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    sum += times.back();
  }
  std::sort(times.begin(), times.end());
  return {runs, times.front(), times[times.size() / 2], sum / runs};
}

std::string default_pipeline(const CompilerSession& session) {
  std::string kind(session.target().find("kind")->as_string());
  Value names = session.pipelines();
  for (const Value& name : names.ref<Array>())
    if (name.as_string() == kind) return kind;
  return "";
}

// What is to be called, and how it came about.
struct Loaded {
  Entry entry;
  Map functions;
  Value records;  // of the passes
};

// An artifact is compiled already, and a module has no payloads to place.
void refuse_what_is_for_others(const RunArgs& a) {
  if (a.module.empty() && a.passes.start_from.empty())
    throw UsageError("a model, a module or an artifact is needed", "tenon run MODEL --input random:1");
  if (!a.module.ends_with(".so")) {
    if (!a.devices.empty()) throw UsageError("--device is for artifacts", "compile the model first");
    return;
  }
  std::string given = !a.executor.empty() ? "--executor" : a.passes.given();
  if (!given.empty())
    throw UsageError(given + " is for modules and models; '" + a.module + "' is compiled already",
                     "leave it out, or run the model");
}

// `known`: what the artifact has code for. A name that it does not have would place nothing.
void refuse_unknown_devices(const Builder::Entries& given, const Map& known, const std::string& file) {
  std::vector<std::string> names;
  std::string list;
  for (const Map::Entry& e : known) {
    names.emplace_back(e.key());
    list += (list.empty() ? "its devices are: " : ", ") + names.back();
  }
  for (const auto& [name, device] : given)
    if (!known.find(name))
      throw UsageError("'" + file + "' has nothing for a device '" + name + "'",
                       did_you_mean(name, names, list.empty() ? "all of it runs on the host" : list));
}

// A module goes through the pipeline and an executor; an artifact is opened.
Loaded load(const CompilerSession& session, const RunArgs& a, const Common& common) {
  const Builder& b = session.builder();
  if (a.module.ends_with(".so")) {
    Builder::Entries devices;
    for (const std::string& text : a.devices) {
      size_t at = text.find('=');
      if (at == std::string::npos)
        throw UsageError("'" + text + "' does not say what to place where",
                         "write NAME=DEVICE, such as "
                         "com.vendor.npu=com.vendor.npu:1");
      devices.emplace_back(text.substr(0, at), b.string(text.substr(at + 1)));
    }
    Map parts = session.instantiate(a.module, Value(b.map({{"devices", Value(b.map(devices))}})));
    refuse_unknown_devices(devices, parts.find("devices")->ref<Map>(), a.module);
    return {find_artifact_entry(session, parts.find("index")->ref<Map>(), a.entry), parts.find("functions")->ref<Map>(),
            b.array({})};
  }
  PassesResult passes = run_passes(session, common, a.passes, a.module, default_pipeline(session));
  auto [executor, option_text] = split_options(a.executor);
  Value options = option_text.empty() ? Value() : b.string(option_text);
  return {find_entry(b, passes.input, a.entry), session.load(passes.module, executor, options), passes.records};
}

int run_module(const RunArgs& a, const Common& common) {
  refuse_what_is_for_others(a);
  auto session = common.open();
  const Builder& b = session->builder();
  if (a.threads > 0) b.runtime()->set_thread_count(a.threads);
  Loaded loaded = load(*session, a, common);
  const Entry& entry = loaded.entry;
  EntryArguments arguments = make_arguments(b, entry, parse_inputs(a.inputs, a.dims));
  show_diagnostics(session->diagnostics(), common.json);
  const Value* function = loaded.functions.find(entry.name);
  if (!function) throw Error(TN_ERROR_PLUGIN, "the executor did not make the function '" + entry.name + "' callable");
  Value returned = call_function(*function, arguments.values);

  Results results;
  collect(entry.returns ? "result" : "", returned, results);
  for (size_t i : arguments.outputs) results.emplace_back(entry.params[i].name, arguments.values[i]);
  Json listed = Json::array();
  for (const auto& [name, v] : results) {
    listed.push_back(result_json(b, name, v));
    if (!common.json) print_line(result_line(listed.back(), v));
    if (!a.output.empty() && v.type_index() == TN_TENSOR) {
      make_directories(a.output);
      write_npy(a.output + "/" + name + ".npy", tensor_of(v));
    }
  }
  Json report{{"entry", entry.name}, {"results", listed}, {"passes", to_json(loaded.records)}};
  if (a.bench > 0) {
    Timing t = measure(*function, arguments.values, a.bench);
    report["bench"] = Json{{"runs", t.runs},
                           {"min_ms", t.min_ms},
                           {"median_ms", t.median_ms},
                           {"mean_ms", t.mean_ms},
                           {"threads", b.runtime()->thread_count()}};
    if (!common.json)
      std::printf("%d runs on %d threads: min %.4f ms, median %.4f ms, mean %.4f ms\n", t.runs,
                  b.runtime()->thread_count(), t.min_ms, t.median_ms, t.mean_ms);
  }
  if (common.json) print_json(report);
  return kOk;
}

}  // namespace

Run add_run(Command& app, std::shared_ptr<Common> common) {
  auto args = std::make_shared<RunArgs>();
  app.add_option("MODULE", args->module,
                 "a module's text (.py, '-' for standard input), a model, or an artifact (.so)");
  app.add_option("--entry", args->entry, "the public function to run; main, or the only one").type_name("NAME");
  app.add_option("--executor", args->executor,
                 "the plugin that runs it: ID or ID{option: value}; the first that is installed")
      .type_name("PLUGIN");
  app.add_option("--input", args->inputs,
                 "NAME=FILE.npy, NAME=random:SEED[:LOW:HIGH], NAME=NUMBER, or random:SEED for all that are not named")
      .type_name("INPUT");
  app.add_option("--dim", args->dims, "NAME=VALUE for a symbolic dimension").type_name("DIM");
  app.add_option("--device", args->devices,
                 "NAME=DEVICE: what an artifact has for a device runs on another one; repeatable")
      .type_name("PLACE");
  app.add_option("--output", args->output, "write every result there as NAME.npy").type_name("DIR");
  app.add_option("--bench", args->bench, "run N more times and show the times").type_name("N").positive();
  app.add_option("--threads", args->threads, "threads for parallel loops").type_name("N").positive();
  args->passes.add_to(app);
  return [args, common] { return run_module(*args, *common); };
}

}  // namespace tenon::tool
