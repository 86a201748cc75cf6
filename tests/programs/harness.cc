#include "harness.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace tenon::programs {

using test::Native;

Session::Session() : compiler_(tn_compiler()), builder_(nullptr, nullptr) {
  const Builder values(compiler_->runtime, nullptr);
  const Value options = values.map({{"plugin_dirs", values.array({values.string(TEST_PLUGINS_DIR)})}});
  call([&](TnValue* ret) { return compiler_->session_create(options.ptr(), &session_, ret); });
  builder_ = Builder(compiler_->runtime, static_cast<const TnHostIr*>(compiler_->service(session_, TN_HOST_IR)));
}

Session::~Session() { compiler_->session_destroy(session_); }

void Session::provide(const char* name, Native function) {
  const Value value = test::native(compiler_->runtime, std::move(function));
  call([&](TnValue* ret) { return compiler_->register_function(session_, name, value.ptr(), ret); });
  provided_.emplace_back(name, value);
}

namespace {

std::string read_text(const std::string& path) {
  std::ifstream in(path);
  if (!in) throw Error(TN_ERROR_IO, "cannot read " + path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

std::string read_program(const std::string& file) { return read_text(std::string(PROGRAMS_DIR) + "/" + file); }

std::vector<std::string> program_files() {
  std::set<std::string> found;
  for (const char* folder : {"loop", "graph"})
    for (const auto& entry : std::filesystem::directory_iterator(std::string(PROGRAMS_DIR) + "/" + folder))
      if (entry.path().extension() == ".py") found.insert(std::string(folder) + "/" + entry.path().filename().string());
  return {found.begin(), found.end()};
}

std::string program_name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param.substr(0, info.param.size() - 3);
  for (char& c : name)
    if (c == '/') c = '_';
  return name;
}

Node Session::parse_file(const std::string& path) { return parse_text(read_text(path), path); }

void Session::save(const Node& module, const std::string& path) {
  call([&](TnValue* ret) { return compiler_->save(session_, module.get(), path.c_str(), ret); });
}

Node Session::parse_text(const std::string& text, const std::string& name) {
  return as_node(
      call([&](TnValue* ret) { return compiler_->parse(session_, text.data(), text.size(), name.c_str(), ret); }));
}

std::string Session::print(const Node& module) {
  const Value tree(module);
  return std::string(call([&](TnValue* ret) { return compiler_->print(session_, tree.ptr(), ret); }).as_string());
}

void Session::verify(const Node& module) {
  call([&](TnValue* ret) { return compiler_->verify(session_, module.get(), ret); });
}

std::string Session::difference(const Node& a, const Node& b) {
  const Value x(a), y(b);
  const TnHostIr* ir = builder_.ir();
  return std::string(
      call([&](TnValue* ret) { return ir->structural_equal(ir->self, x.ptr(), y.ptr(), 0, ret); }).as_string());
}

Value Session::pipeline_of(const std::vector<std::string>& stages) const {
  std::vector<Value> list;
  for (const std::string& stage : stages) list.push_back(builder_.string(stage));
  const bool by_name = stages.size() == 1 && stages[0].find(':') == std::string::npos;
  return by_name ? list[0] : Value(builder_.array(list));
}

Map Session::check_each(const Node& module, const std::vector<std::string>& stages) {
  const Value name = pipeline_of(stages), options = builder_.map({{"check_each", Value(true)}});
  const Value result = call(
      [&](TnValue* ret) { return compiler_->run_pipeline(session_, module.get(), name.ptr(), options.ptr(), ret); });
  return result.ref<Map>().find("check")->ref<Map>();
}

Map Session::load(const std::string& file, const Executor& executor) {
  Node module = parse(file);
  verify(module);
  const Value none;
  if (*executor.pipeline) {
    // A full name of a pass is a pipeline of one stage.
    const bool is_pass = std::string_view(executor.pipeline).find(':') != std::string_view::npos;
    const Value pipeline =
        is_pass ? Value(builder_.array({builder_.string(executor.pipeline)})) : Value(executor.pipeline);
    const Value result = call(
        [&](TnValue* ret) { return compiler_->run_pipeline(session_, module.get(), pipeline.ptr(), none.ptr(), ret); });
    module = as_node(*result.ref<Map>().find("module"));
  }
  const Value functions =
      call([&](TnValue* ret) { return compiler_->load(session_, module.get(), executor.plugin, none.ptr(), ret); });
  return functions.ref<Map>();
}

Node Session::transform(const Node& module, const std::vector<std::string>& stages) {
  const Value none, pipeline = pipeline_of(stages);
  const Value result = call(
      [&](TnValue* ret) { return compiler_->run_pipeline(session_, module.get(), pipeline.ptr(), none.ptr(), ret); });
  return as_node(*result.ref<Map>().find("module"));
}

Map Session::load_module(const Node& module, const char* plugin) {
  const Value none;
  return call([&](TnValue* ret) { return compiler_->load(session_, module.get(), plugin, none.ptr(), ret); })
      .ref<Map>();
}

Map Session::load_artifact(const Node& module) {
  const Value none;
  std::string path = ::testing::TempDir() + "programs_" + std::to_string(getpid()) + ".so";
  call([&](TnValue* ret) { return compiler_->compile(session_, module.get(), path.c_str(), none.ptr(), ret); });
  const Value imports = builder_.map(provided_);
  const Value opened =
      call([&](TnValue* ret) { return compiler_->runtime->artifact_open(path.c_str(), imports.ptr(), 1, ret); });
  unlink(path.c_str());
  return opened.ref<Map>().find("functions")->ref<Map>();
}

Value invoke(const Map& functions, const char* name, std::vector<Value> args) {
  const Value* function = functions.find(name);
  if (!function) throw Error(TN_ERROR_NOT_FOUND, std::string("the module has no public function ") + name);
  return test::invoke(*function, args);
}

void append_floats(const Value& result, Results& out) {
  if (result.is_array()) {
    for (const Value& field : result.ref<Array>()) append_floats(field, out);
    return;
  }
  const DLTensor& t = reinterpret_cast<const TnTensor*>(result.raw().as.object)->tensor;
  int64_t n = 1;
  for (int32_t d = 0; d < t.ndim; ++d) n *= t.shape[d];
  const auto* data = reinterpret_cast<const float*>(static_cast<const char*>(t.data) + t.byte_offset);
  out.emplace_back(data, data + n);
}

}  // namespace tenon::programs
