#include "harness.h"

#include <fstream>
#include <sstream>

namespace tenon::programs {

using Native = std::function<Value(const TnValue* args, int32_t n)>;

Session::Session() : compiler_(tn_compiler()), builder_(nullptr, nullptr) {
  const TnValue none{TN_NONE, 0, {0}};
  call([&](TnValue* ret) { return compiler_->session_create(&none, &session_, ret); });
  builder_ = Builder(compiler_->runtime, static_cast<const TnHostIr*>(compiler_->service(session_, TN_HOST_IR)));
}

Session::~Session() { compiler_->session_destroy(session_); }

void Session::provide(const char* name, Native function) {
  struct Context {
    const TnRuntime* runtime;
    Native native;
  };
  auto* context = new Context{compiler_->runtime, std::move(function)};
  const Value value = call([&](TnValue* ret) {
    return compiler_->runtime->function(
        [](void* self, const TnValue* args, int32_t n, TnValue* r) {
          auto* c = static_cast<Context*>(static_cast<TnFunction*>(self)->context);
          return guard(c->runtime, r, [&] { return c->native(args, n); });
        },
        context, [](void* c) { delete static_cast<Context*>(c); }, ret);
  });
  call([&](TnValue* ret) { return compiler_->register_function(session_, name, value.ptr(), ret); });
}

Node Session::parse(const std::string& file) {
  const std::string path = std::string(PROGRAMS_DIR) + "/" + file;
  std::ifstream in(path);
  if (!in) throw Error(TN_ERROR_IO, "cannot read " + path);
  std::stringstream text;
  text << in.rdbuf();
  const std::string s = text.str();
  return as_node(call([&](TnValue* ret) { return compiler_->parse(session_, s.data(), s.size(), path.c_str(), ret); }));
}

Map Session::load(const std::string& file, const Executor& executor) {
  Node module = parse(file);
  const Value none;
  if (*executor.pipeline) {
    const Value pipeline(executor.pipeline);
    const Value result = call(
        [&](TnValue* ret) { return compiler_->run_pipeline(session_, module.get(), pipeline.ptr(), none.ptr(), ret); });
    module = as_node(*result.ref<Map>().find("module"));
  }
  const Value functions =
      call([&](TnValue* ret) { return compiler_->load(session_, module.get(), executor.plugin, none.ptr(), ret); });
  return functions.ref<Map>();
}

Value invoke(const Map& functions, const char* name, std::vector<Value> args) {
  const Value* function = functions.find(name);
  if (!function) throw Error(TN_ERROR_NOT_FOUND, std::string("the module has no public function ") + name);
  auto* f = reinterpret_cast<TnFunction*>(function->raw().as.object);
  return call([&](TnValue* ret) {
    return f->call(f, reinterpret_cast<const TnValue*>(args.data()), static_cast<int32_t>(args.size()), ret);
  });
}

}  // namespace tenon::programs
