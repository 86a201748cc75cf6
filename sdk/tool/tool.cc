#include "tool.h"

#include <cstdio>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "diag/files.h"
#include "diag/render.h"
#include "npy.h"

namespace tenon::tool {

namespace {

struct CodeRow {
  int32_t code;
  const char* name;
  ExitCode exit;
};
constexpr CodeRow kCodes[] = {{TN_ERROR_INTERNAL, "internal", kInternal},
                              {TN_ERROR_PLUGIN, "plugin", kInternal},
                              {TN_ERROR_ARGUMENT, "argument", kRefused},
                              {TN_ERROR_TYPE, "type", kRefused},
                              {TN_ERROR_SHAPE, "shape", kRefused},
                              {TN_ERROR_DEVICE, "device", kRefused},
                              {TN_ERROR_ALIAS, "alias", kRefused},
                              {TN_ERROR_PARSE, "parse", kRefused},
                              {TN_ERROR_VERIFY, "verify", kRefused},
                              {TN_ERROR_UNSUPPORTED, "unsupported", kRefused},
                              {TN_ERROR_NOT_FOUND, "not found", kMissing},
                              {TN_ERROR_DUPLICATE, "duplicate", kRefused},
                              {TN_ERROR_ABI_MISMATCH, "abi mismatch", kMissing},
                              {TN_ERROR_IO, "io", kMissing},
                              {TN_ERROR_LIMIT, "limit", kRefused},
                              {TN_ERROR_CANCELLED, "cancelled", kRefused},
                              {TN_ERROR_OUT_OF_MEMORY, "out of memory", kMissing},
                              {TN_ERROR_CORRUPT, "corrupt", kRefused},
                              {TN_ERROR_CHECK_FAILED, "check failed", kRefused},
                              {TN_ERROR_UNTRUSTED, "untrusted", kRefused}};

const CodeRow& row_of(int32_t code) {
  for (const CodeRow& row : kCodes)
    if (row.code == code) return row;
  return kCodes[0];
}

}  // namespace

namespace {
// Tells at its end what the validation layer found.
struct ValidatedSession : CompilerSession {
  ValidatedSession(const TnCompiler* compiler, const Value& options, std::shared_ptr<size_t> count)
      : CompilerSession(compiler, options), count(std::move(count)) {}
  ~ValidatedSession() override {
    const Value found = violations(true);
    for (const Value& v : found.ref<Array>()) {
      const Map& m = v.ref<Map>();
      auto text = [&](const char* key) { return std::string(m.find(key)->as_string()); };
      std::string during = text("during").empty() ? "" : ", in " + text("during");
      std::fprintf(stderr, "validation: the plugin '%s' broke rule %s: %s%s\n", text("plugin").c_str(),
                   text("rule").c_str(), text("message").c_str(), during.c_str());
      ++*count;
    }
  }
  std::shared_ptr<size_t> count;
};
}  // namespace

std::unique_ptr<CompilerSession> Common::open() const {
  const TnCompiler* compiler = tn_compiler();
  Builder b(compiler->runtime, nullptr);
  Builder::Entries options;
  std::error_code ignored;  // what cannot be looked at, such as a name that is too long, is not there
  for (const std::string& dir : plugin_dirs)
    if (!std::filesystem::is_directory(dir, ignored))
      throw Error(TN_ERROR_IO, "there is no such folder of plugins", dir, "--plugin-dir names a folder that is there");
  for (const std::string& line : use)
    if (size_t equals = line.find('='); equals == std::string::npos || equals == 0 || equals + 1 == line.size())
      throw UsageError("'" + line + "' does not say which version of a plugin to use",
                       "write --use ID=VERSION or --use ID=sha256:DIGEST");
  std::vector<Value> dirs;
  for (const std::string& dir : plugin_dirs) dirs.push_back(b.string(dir));
  options.emplace_back("plugin_dirs", b.array(dirs));
  if (!config.empty()) options.emplace_back("config", b.string(config));
  std::vector<Value> versions;
  for (const std::string& line : use) versions.push_back(b.string(line));
  options.emplace_back("use", b.array(versions));
  if (!policy.empty()) options.emplace_back("policy", b.string(policy));
  if (!target.empty()) options.emplace_back("target", b.string(target));
  std::vector<Value> isolated;
  for (const std::string& id : isolate) isolated.push_back(b.string(id));
  if (isolate_all)
    options.emplace_back("isolate", Value(true));
  else if (!isolated.empty())
    options.emplace_back("isolate", b.array(isolated));
  if (validate) {
    options.emplace_back("validate", Value(true));
    return std::make_unique<ValidatedSession>(compiler, b.map(options), violations);
  }
  return std::make_unique<CompilerSession>(compiler, b.map(options));
}

Json to_json(const Value& v) {
  if (v.is_none()) return nullptr;
  if (v.is_bool()) return v.as_bool();
  if (v.is_int()) return v.as_int();
  if (v.is_float()) return v.as_float();
  if (v.is_string()) return std::string(v.as_string());
  if (v.is_dtype()) return dtype_text(v.as_dtype());
  if (v.is_array()) {
    Json out = Json::array();
    for (const Value& item : v.ref<Array>()) out.push_back(to_json(item));
    return out;
  }
  if (v.is_map()) {
    Json out = Json::object();
    for (const Map::Entry& e : v.ref<Map>()) out[std::string(e.key())] = to_json(e.value());
    return out;
  }
  return "<value of type index " + std::to_string(v.type_index()) + ">";
}

int exit_code_of(const Error& error) { return row_of(error.code).exit; }

Json error_json(const Error& error) {
  Json out{{"code", error.code}, {"name", row_of(error.code).name}, {"message", error.message}};
  if (!error.where.empty()) out["where"] = error.where;
  if (!error.hint.empty()) out["hint"] = error.hint;
  if (error.cause) out["cause"] = error_json(*error.cause);
  return out;
}

int show_error(const Error& error, bool json) {
  if (json)
    print_json(Json{{"error", error_json(error)}});
  else
    std::fputs(render_error(error).c_str(), stderr);
  return exit_code_of(error);
}

void show_diagnostics(const Value& diagnostics, bool json) {
  if (json) return;
  constexpr const char* words[] = {"note", "warning", "error"};
  for (const Value& d : diagnostics.ref<Array>()) {
    const Map& m = d.ref<Map>();
    auto text = [&](const char* key) { return shown(std::string(m.find(key)->as_string())); };
    std::string line = words[m.find("severity")->as_int() % 3];
    if (!text("where").empty()) line = text("where") + ": " + line;
    line += ": " + text("message") + " [" + text("from") + "]\n";
    if (!text("hint").empty()) line += "  hint: " + text("hint") + "\n";
    std::fputs(line.c_str(), stderr);
  }
}

std::string read_input(const std::string& path) {
  if (path != "-") return read_file(path);
  return std::string(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
}

void write_output(const std::string& path, const std::string& text) {
  if (!path.empty() && path != "-") return write_file(path, text);
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0)
    throw Error(TN_ERROR_IO, "cannot write to the standard output");
}

void write_module(const CompilerSession& session, const Node& module, const std::string& path) {
  if (!path.empty() && path != "-") return session.save(module, path);
  write_output(path, session.print(module));
}

void print_line(const std::string& text) { write_output("", text + "\n"); }

// JSON is UTF-8; what comes from names of files may not be.
void print_json(const Json& json) { print_line(json.dump(2, ' ', false, Json::error_handler_t::replace)); }

namespace {
// "NAME=FILE.npy" of --constant, as the options of import_model.
Value import_options(const CompilerSession& session, const std::vector<std::string>& constants) {
  const Builder& b = session.builder();
  Builder::Entries tensors;
  for (const std::string& c : constants) {
    size_t equals = c.find('=');
    if (equals == std::string::npos || equals == 0)
      throw UsageError("'" + c + "' is not of the form NAME=FILE.npy", "--constant shape=shape.npy");
    tensors.emplace_back(c.substr(0, equals), read_npy(b, c.substr(equals + 1)));
  }
  return b.map({{"constants", Value(b.map(tensors))}});
}
}  // namespace

Node read_module(const CompilerSession& session, const std::string& path, const std::vector<std::string>& constants) {
  if (path != "-" && !path.ends_with(".py")) return session.import_model(path, import_options(session, constants));
  if (!constants.empty()) throw UsageError("--constant is for models; a module's text holds its constants");
  return session.parse(read_input(path), path == "-" ? "<stdin>" : path);
}

}  // namespace tenon::tool
