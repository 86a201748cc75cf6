#include "build/execution_check.h"

#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "pass/dump.h"

namespace tenon {

namespace {

constexpr int64_t kMaxBytes = int64_t{1} << 31;
constexpr int64_t kSymbolSize = 13;  // the greatest that CheckInputs gives a symbol

bool is_public(const Node& f) {
  if (const auto* p = f.as<tir::PrimFunc>()) return p->attrs().find("global_symbol") != nullptr;
  const auto* g = f.as<relax::Function>();
  return g && g->attrs().find("global_symbol") != nullptr;
}

// What the executor has no means to run, which says nothing about the pass.
bool is_beyond_the_executor(const Error& e) {
  return e.code == TN_ERROR_UNSUPPORTED || e.code == TN_ERROR_NOT_FOUND || e.code == TN_ERROR_LIMIT ||
         e.code == TN_ERROR_OUT_OF_MEMORY;
}

// A value of an option as it stands in the text of a stage.
std::string option_text(const Value& v) {
  if (v.is_bool()) return v.as_bool() ? "true" : "false";
  if (v.is_int()) return std::to_string(v.as_int());
  if (v.is_float()) {
    char text[32];
    return {text, std::to_chars(text, text + sizeof text, v.as_float()).ptr};
  }
  if (v.is_string()) return "\"" + std::string(v.as_string()) + "\"";
  std::string out;
  if (v.is_array()) {
    for (const Value& item : v.ref<Array>()) out += (out.empty() ? "" : ", ") + option_text(item);
    return "[" + out + "]";
  }
  if (!v.is_map()) return "null";
  for (const Map::Entry& e : v.ref<Map>())
    out += (out.empty() ? "" : ", ") + std::string(e.key()) + ": " + option_text(e.value());
  return "{" + out + "}";
}

}  // namespace

ExecutionCheck::ExecutionCheck(const Builder& b, ExecuteService& execute, ImportsOf imports, const Pipeline& pipeline,
                               std::string dump_dir, int64_t max_steps)
    : b_(b),
      execute_(execute),
      imports_(std::move(imports)),
      pipeline_(pipeline),
      dump_dir_(std::move(dump_dir)),
      max_steps_(max_steps) {}

void ExecutionCheck::begin(const Node& module) {
  add_cases(module);
  check_state("input", 0, module, module);
}

void ExecutionCheck::after(const PassRecord& record, const Node& before, const Node& module) {
  if (states_ == 0) begin(before);
  if (!record.changed) return;
  check_state(record.pass, record.number, before, module);
  last_label_ = record.pass;
  last_number_ = record.number;
}

void ExecutionCheck::add_cases(const Node& module) {
  for (const Map::Entry& e : module.to<ir::Module>().functions()) {
    const Node& f = as_node(e.value());
    if (!is_public(f)) continue;
    try {
      auto maker = std::make_shared<const CheckInputs>(b_, f);
      cases_.push_back({std::string(e.key()), maker, CheckInputs::kOne, {}, {}, false});
      if (!maker->has_symbols()) continue;
      cases_.push_back({std::string(e.key()), maker, CheckInputs::kTwo, {}, {}, false});
      cases_.push_back({std::string(e.key()), maker, CheckInputs::kPrimes, {}, {}, false});
    } catch (const Error& error) {
      not_checked_.push_back({"input", 0, "'" + std::string(e.key()) + "': " + error.message});
    }
  }
}

Map ExecutionCheck::load(const Node& module) const {
  return execute_.load(module, imports_(module),
                       b_.map({{"max_steps", Value(max_steps_)}, {"max_bytes", Value(kMaxBytes)}}));
}

Outcome ExecutionCheck::run(const Map& functions, const Case& c, const std::vector<Value>& inputs) const {
  const Value* function = functions.find(c.function);
  if (!function) throw Error(TN_ERROR_INTERNAL, "the module has no public function '" + c.function + "' any more");
  std::vector<Value> args;
  for (const Value& v : inputs) args.push_back(copy_of(v));
  auto* f = reinterpret_cast<TnFunction*>(function->raw().as.object);
  Value result = call([&](TnValue* ret) {
    return f->call(f, reinterpret_cast<const TnValue*>(args.data()), static_cast<int32_t>(args.size()), ret);
  });
  Outcome out;
  if (!result.is_none()) add_outcome("result", copy_of(result), out);
  for (size_t i = 0; i < args.size(); ++i)
    if (args[i].type_index() == TN_TENSOR) add_outcome(c.maker->name(i), args[i], out);
  return out;
}

void ExecutionCheck::find_inputs(const Map& functions, Case& c) {
  std::optional<Error> refusal;
  auto attempt = [&](CheckInputs::Sizes sizes, const DrawRange& range) {
    try {
      std::vector<Value> inputs = c.maker->make(sizes, range);
      Outcome outcome = run(functions, c, inputs);
      // Inputs that give numbers say more than inputs that give NaN.
      if (c.reference && has_nan(outcome)) return;
      c.sizes = sizes;
      c.inputs = std::move(inputs);
      c.reference = std::move(outcome);
    } catch (const Error& e) {
      if (is_beyond_the_executor(e)) throw;
      refusal = e;
    }
  };
  std::vector<CheckInputs::Sizes> sizes{c.sizes};
  if (c.sizes == CheckInputs::kPrimes) sizes.push_back(CheckInputs::kOnePrime);
  for (CheckInputs::Sizes s : sizes)
    for (DrawRange range : kDrawRanges) {
      if (c.reference) break;
      attempt(s, range);
      if (c.reference && has_nan(*c.reference)) {
        range.float_low = kPositiveLow, range.float_high = kPositiveHigh;
        attempt(s, range);
      }
      if (!c.maker->has_integers()) break;
    }
  if (c.reference) return;
  c.is_skipped = true;
  std::string dims = c.maker->dims_text(c.sizes);
  not_checked_.push_back({"input", 0,
                          "'" + c.function + "'" + (dims.empty() ? "" : " with " + dims) +
                              " accepts no generated inputs: " + (refusal ? refusal->message : "")});
}

void ExecutionCheck::check_state(const std::string& label, size_t number, const Node& before, const Node& module) {
  ++states_;
  reduction_length_ = std::max(reduction_length_, reduction_length(b_, module, kSymbolSize));
  if (cases_.empty()) return;
  Map functions;
  try {
    functions = load(module);
  } catch (const Error& e) {
    bool has_run = false;
    for (const Case& c : cases_) has_run = has_run || c.reference;
    if (has_run && !is_beyond_the_executor(e))
      fail(number, before, module, cases_[0], "the executor refuses it: " + e.message);
    note_not_checked(label, number, e);
    return;
  }
  bool all = true;
  for (Case& c : cases_) {
    if (c.is_skipped) continue;
    try {
      ++runs_;
      if (!c.reference) {
        find_inputs(functions, c);
        continue;
      }
      Outcome outcome = run(functions, c, c.inputs);
      if (auto d = difference(*c.reference, outcome, reduction_length_)) fail(number, before, module, c, *d);
    } catch (const Error& e) {
      if (e.code == TN_ERROR_PLUGIN) throw;
      if (!is_beyond_the_executor(e))
        fail(number, before, module, c, e.message + (e.where.empty() ? "" : " (" + e.where + ")"));
      note_not_checked(label, number, e);
      all = false;
      break;
    }
  }
  if (all) ++checked_;
}

void ExecutionCheck::note_not_checked(const std::string& label, size_t number, const Error& e) {
  not_checked_.push_back({label, number, e.message});
}

std::string ExecutionCheck::case_text(const Case& c) const {
  std::string dims = c.maker->dims_text(c.sizes);
  return "'" + c.function + "' on " + (c.inputs.empty() ? "no inputs" : c.maker->text(c.inputs)) +
         (dims.empty() ? "" : " (" + dims + ")");
}

void ExecutionCheck::fail(size_t number, const Node& before, const Node& module, const Case& c,
                          const std::string& what) const {
  const Stage* stage = number > 0 && number <= pipeline_.stages.size() ? &pipeline_.stages[number - 1] : nullptr;
  std::string pass = stage ? stage->pass->full_name() : "the first state", folder = dump_dir_;
  if (folder.empty()) {
    std::string name = (std::filesystem::temp_directory_path() / "tenon-check-XXXXXX").string();
    if (mkdtemp(name.data())) {
      folder = name;
      ModuleDump dump(b_, folder);
      dump.write(last_number_, last_label_, before);
      dump.write(number, pass, module);
    }
  }
  Error e(TN_ERROR_PLUGIN, pass + " changes what the module computes: " + case_text(c) + ": " + what);
  if (!folder.empty()) e.where = folder + "/" + ModuleDump::file_name(number, pass);
  if (stage) {
    e.hint = "this is a bug of the plugin '" + stage->pass->plugin + "', not of the input";
    if (!folder.empty())
      e.hint += "; see it again with: tenon opt " + folder + "/" + ModuleDump::file_name(last_number_, last_label_) +
                " --check-each --pass '" + pass + (stage->options.empty() ? "" : option_text(Value(stage->options))) +
                "'";
  }
  throw e;
}

Value ExecutionCheck::report() const {
  std::vector<Value> not_checked, inputs;
  for (const NotChecked& n : not_checked_)
    not_checked.push_back(Value(b_.map({{"pass", b_.string(n.pass)},
                                        {"number", Value(static_cast<int64_t>(n.number))},
                                        {"kind", b_.string(n.kind)}})));
  for (const Case& c : cases_)
    if (c.reference) inputs.push_back(b_.string(case_text(c)));
  return Value(b_.map({{"states", Value(states_)},
                       {"checked", Value(checked_)},
                       {"runs", Value(runs_)},
                       {"inputs", b_.array(inputs)},
                       {"not_checked", b_.array(not_checked)}}));
}

}  // namespace tenon
