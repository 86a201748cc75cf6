#include "subject.h"

#include <dlfcn.h>
#include <sys/stat.h>

#include <cstring>

namespace tenon::conformance {

namespace {

constexpr size_t kNewerBytes = 64;  // a newer host's tables are longer

bool is_folder(const std::string& path) {
  struct stat s;
  return stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode);
}

std::unique_ptr<CompilerSession> open_session(const Options& o, const std::string& folder, bool validate) {
  const TnCompiler* compiler = tn_compiler();
  Builder b(compiler->runtime, nullptr);
  std::vector<Value> dirs{b.string(folder)};
  for (const std::string& dir : o.plugin_dirs) dirs.push_back(b.string(dir));
  Builder::Entries options{{"plugin_dirs", b.array(dirs)}, {"probe", Value(false)}, {"validate", Value(validate)}};
  if (!o.config.empty()) options.emplace_back("config", b.string(o.config));
  return std::make_unique<CompilerSession>(compiler, b.map(options));
}

}  // namespace

std::string text_of(const Map& m, const char* key) {
  const Value* v = m.find(key);
  return v && v->is_string() ? std::string(v->as_string()) : "";
}

Place place_of(const std::string& target) {
  std::string folder = target, library;
  if (!is_folder(target)) {
    size_t slash = target.rfind('/');
    folder = slash == std::string::npos ? "." : target.substr(0, slash);
    library = target;
  }
  char* real = realpath(folder.c_str(), nullptr);
  if (!real) throw Error(TN_ERROR_NOT_FOUND, "there is no plugin at '" + target + "'", target);
  folder = real;
  std::free(real);
  struct stat s;
  if (stat((folder + "/manifest.yaml").c_str(), &s) != 0)
    throw Error(TN_ERROR_NOT_FOUND, "a plugin is checked with its manifest, and there is none",
                folder + "/manifest.yaml", "give the plugin's folder, or the library beside its manifest.yaml");
  return {folder, library};
}

Subject::Subject(const Options& options)
    : options_(options), place_(place_of(options.target)), session_(open_session(options, place_.folder, false)) {
  all_ = session_->plugins();
  for (const Value& p : all_.find("plugins")->ref<Array>()) {
    const Map& m = p.ref<Map>();
    if (text_of(m, "manifest") == place_.folder + "/manifest.yaml") info_ = m;
  }
  if (!info_) {
    for (const Value& p : all_.find("broken")->ref<Array>()) {
      const Map& m = p.ref<Map>();
      if (text_of(m, "manifest") != place_.folder + "/manifest.yaml") continue;
      const Array& complaints = m.find("complaints")->ref<Array>();
      if (complaints.empty()) continue;
      const Map& c = complaints[0].ref<Map>();
      throw Error(TN_ERROR_PLUGIN, text_of(c, "message"), text_of(c, "where"), text_of(c, "hint"));
    }
    throw Error(TN_ERROR_NOT_FOUND, "the host does not find the plugin", place_.folder);
  }
  id_ = text_of(info_, "id");
  place_.library = text_of(info_, "library");
}

std::unique_ptr<CompilerSession> Subject::another_session(bool validate) const {
  return open_session(options_, place_.folder, validate);
}

bool Subject::provides(std::string_view capability) const {
  if (capability.empty()) return true;
  for (const Value& c : list("provides"))
    if (c.as_string() == capability) return true;
  return false;
}

const Array& Subject::list(const char* key) const {
  static const Array none;
  const Value* v = info_.find(key);
  return v && v->is_array() ? v->ref<Array>() : none;
}

bool Subject::has_plugin(const std::string& id) const {
  for (const Value& p : all_.find("plugins")->ref<Array>())
    if (text_of(p.ref<Map>(), "id") == id) return true;
  return false;
}

const TnPlugin* Subject::table() const {
  if (table_) return table_;
  if (place_.library.empty()) throw Violation{"E1", "its manifest names no library"};
  void* library = dlopen(place_.library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    const char* why = dlerror();
    throw Violation{"E1", "the library cannot be opened: " + std::string(why ? why : "?")};
  }
  auto entry = reinterpret_cast<TnPluginEntry>(dlsym(library, TN_PLUGIN_SYMBOL));
  if (!entry) throw Violation{"E1", "the library exports no " TN_PLUGIN_SYMBOL};
  const TnPlugin* t = entry();
  if (!t || t->size < offsetof(TnPlugin, capability) + sizeof t->capability || !t->create || !t->destroy ||
      !t->capability)
    throw Violation{"E1", "the entry returns no whole table"};
  return table_ = t;
}

Instance::Instance(const Subject& subject, const CompilerSession& session, Pins* pins, bool alone)
    : subject_(subject), session_(session), pins_(pins), alone_(alone) {
  // As a newer host's: longer than this SDK knows it.
  host_bytes_.resize(sizeof(TnHost) + kNewerBytes);
  host_ = reinterpret_cast<TnHost*>(host_bytes_.data());
  *host_ = {host_bytes_.size(), this, pins ? pins->runtime() : session.builder().runtime(), &Instance::service};
  const TnPlugin* t = subject.table();
  call_slot([&](TnValue* ret) {
    ret->type_index = TN_NONE, ret->as.i = 0;  // nothing is due in it
    return t->create(host_, &self_, ret);
  });
  made_ = true;
}

Instance::Instance(const Subject& subject, const CompilerSession& session, OfTheHost)
    : subject_(subject), session_(session), of_the_host_(session.service<TnHostPlugins>(TN_HOST_PLUGINS)) {}

void Instance::destroy() {
  if (made_) subject_.table()->destroy(self_);
  made_ = false;
}

const void* Instance::service(void* self, const char* id) {
  auto* i = static_cast<Instance*>(self);
  if (std::strcmp(id, "tenon.host.ir/1") == 0 && i->pins_) return i->pins_->ir();
  if (i->alone_ && std::strncmp(id, "tenon.host.", 11) != 0) return nullptr;
  return i->session_.service<void>(id);
}

const TnProvided& Instance::provided(const char* capability) const {
  auto [at, is_new] = provided_.try_emplace(capability);
  if (is_new)
    call([&](TnValue* ret) {
      return of_the_host_->open(of_the_host_->self, subject_.id().c_str(), capability, &at->second, ret);
    });
  return at->second;
}

void* Instance::self(const char* capability) const { return of_the_host_ ? provided(capability).instance : self_; }

const void* Instance::find(const char* capability) const {
  if (of_the_host_) return provided(capability).table;
  const void* t = subject_.table()->capability(self_, capability);
  if (!t) throw Violation{"E2", "the manifest provides " + std::string(capability) + ", the library does not"};
  return t;
}

namespace {

// A context as a newer host's: longer than this SDK knows it.
struct CallContext {
  TnContext table{};
  char newer[kNewerBytes] = {};
  const Builder* b = nullptr;
  Node module;
  Value target;
};

int signature(void* self, const char* name, TnValue* ret) {
  auto* c = static_cast<CallContext*>(self);
  const Builder& b = *c->b;
  return guard(b.runtime(), ret, [&]() -> Value {
    const auto* m = c->module ? c->module.as<ir::Module>() : nullptr;
    const Value* f = m ? m->functions().find(name) : nullptr;
    if (!f) return {};
    const Node& n = as_node(*f);
    if (n.is<tir::PrimFunc>()) return b.with(n, tir::PrimFuncSlot::body, b.make<tir::Seq>({b.array({})}));
    if (n.is<relax::Function>())
      return b.with(n, relax::FunctionSlot::body, b.make<relax::Tuple>({Value(), b.array({})}));
    return *f;
  });
}

}  // namespace

const TnContext* Instance::context(const Node& module) const {
  thread_local CallContext c;
  c.b = &session_.builder();
  c.module = module;
  c.target = session_.target();
  c.table = {};
  c.table.size = sizeof c.table + sizeof c.newer;
  c.table.self = &c;
  c.table.target = c.target.ptr();
  c.table.report = [](void*, int32_t, const char*, const TnSpan*, const char*) {};
  c.table.cancelled = [](void*) { return 0; };
  c.table.signature = &signature;
  return &c.table;
}

Value call_slot(const std::function<int(TnValue*)>& f) {
  constexpr int32_t kPoison = 0x5eed;
  TnValue ret{kPoison, 0, {0}};  // nothing may be expected of it
  ret.as.i = 0x5eed5eed5eed5eed;
  int status = 0;
  try {
    status = f(&ret);
  } catch (...) { throw Violation{"F1", "an exception crossed the boundary"}; }
  const int32_t type = ret.type_index;
  if (status == -1) {
    if (type != TN_ERROR) throw Violation{"F3", "it failed without an error object"};
    Value owned = Value::adopt(ret);
    const auto* e = reinterpret_cast<const TnError*>(ret.as.object);
    if (e->code < TN_ERROR_INTERNAL || e->code > TN_ERROR_CHECK_FAILED + 32)
      throw Violation{"F4", "its error has the code " + std::to_string(e->code)};
    if (!e->message || !e->message[0]) throw Violation{"F4", "its error has no message"};
    throw Error(e);
  }
  if (status != 0) throw Violation{"F2", "a slot returned " + std::to_string(status)};
  if (type == kPoison) throw Violation{"V4", "it succeeded and left the result as it was"};
  if (type == TN_ERROR) {
    Value::adopt(ret);
    throw Violation{"F5", "it succeeded and returned an error"};
  }
  if (type == TN_C_STRING || type == TN_DLTENSOR || type == TN_BYTE_ARRAY || type == TN_RVALUE)
    throw Violation{"V1", "it returned a borrowed value"};
  if (type < 0 || (type > TN_SMALL_BYTES && type < TN_OBJECT) || (type > TN_MAP && type < TN_NODE))
    throw Violation{"V2", "it returned a value of the type index " + std::to_string(type)};
  if (tn_is_object(&ret) && (!ret.as.object || ret.as.object->type_index != type))
    throw Violation{"V2", "it returned a value whose payload is of another type"};
  return Value::adopt(ret);
}

std::string canonical(const Builder& b, const Value& v) {
  switch (v.type_index()) {
    case TN_NONE: return "none";
    case TN_INT:
    case TN_BOOL: return std::to_string(v.as_int());
    case TN_FLOAT: {
      char text[40];
      std::snprintf(text, sizeof text, "%a", v.as_float());
      return text;
    }
    case TN_DTYPE: return dtype_text(v.as_dtype());
    case TN_STRING:
    case TN_SMALL_STRING:
    case TN_BYTES:
    case TN_SMALL_BYTES: return "'" + std::string(string_view_of(v.raw())) + "'";
    case TN_CONSTANT: return reinterpret_cast<const TnConstant*>(v.raw().as.object)->digest;
    case TN_FUNCTION: return "function";
    case TN_NODE: {
      Value bytes = call([&](TnValue* ret) { return b.ir()->encode(b.ir()->self, v.ptr(), ret); });
      return std::string(string_view_of(bytes.raw()));
    }
    case TN_TENSOR: {
      const DLTensor& t = reinterpret_cast<const TnTensor*>(v.raw().as.object)->tensor;
      size_t bytes = (static_cast<size_t>(t.dtype.bits) * t.dtype.lanes + 7) / 8;
      std::string out = dtype_text(t.dtype);
      for (int32_t d = 0; d < t.ndim; ++d)
        bytes *= static_cast<size_t>(t.shape[d]), out += "," + std::to_string(t.shape[d]);
      return out + ":" + std::string(static_cast<const char*>(t.data) + t.byte_offset, bytes);
    }
    case TN_ARRAY: {
      std::string out = "[";
      for (const Value& item : v.ref<Array>()) out += canonical(b, item) + ";";
      return out + "]";
    }
    case TN_MAP: {
      std::string out = "{";
      for (const Map::Entry& e : v.ref<Map>()) out += std::string(e.key()) + "=" + canonical(b, e.value()) + ";";
      return out + "}";
    }
    default: return "value " + std::to_string(v.type_index());
  }
}

bool attempt(Findings& findings, const std::function<void()>& f, std::string* refusal) {
  try {
    f();
    return true;
  } catch (const Violation& v) {
    findings.fail(v.rule, v.what);
    if (refusal) *refusal = v.what;
  } catch (const Error& e) {
    if (refusal) *refusal = e.message;
  }
  return false;
}

}  // namespace tenon::conformance
