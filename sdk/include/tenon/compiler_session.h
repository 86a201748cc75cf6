// A session of libtenon in C++: the C table of compiler.h with owning values and exceptions.
#ifndef TENON_SDK_COMPILER_SESSION_H
#define TENON_SDK_COMPILER_SESSION_H

#include <tenon/compiler.h>
#include <tenon/cxx/builder.h>

namespace tenon {

class CompilerSession {
 public:
  // `options` as TnCompiler.session_create takes them.
  CompilerSession(const TnCompiler* compiler, const Value& options)
      : c_(compiler),
        session_(create(compiler, options)),
        b_(compiler->runtime, service<TnHostIr>("tenon.host.ir/1")) {}
  CompilerSession(const CompilerSession&) = delete;
  CompilerSession& operator=(const CompilerSession&) = delete;
  virtual ~CompilerSession() { c_->session_destroy(session_); }

  const Builder& builder() const { return b_; }
  TnSession* session() const { return session_; }
  template <class Table>
  const Table* service(const char* id) const {
    return static_cast<const Table*>(c_->service(session_, id));
  }

  Map plugins() const { return map(invoke(c_->plugins)); }
  void load_plugin(const std::string& id) const { invoke(c_->load_plugin, id.c_str()); }
  Map probe(const std::string& id) const { return map(invoke(c_->probe, id.c_str())); }
  Map replay(const std::string& folder) const { return map(invoke(c_->replay, folder.c_str())); }
  Value pipelines() const { return invoke(c_->pipelines); }
  Map pipeline(const std::string& name_or_file) const { return map(invoke(c_->pipeline, name_or_file.c_str())); }
  std::string lock(const Value& parts) const { return std::string(invoke(c_->lock, parts.ptr()).as_string()); }
  Map read_lock(std::string_view text, const std::string& file, const Value& options) const {
    return map(invoke(c_->read_lock, text.data(), text.size(), file.c_str(), options.ptr()));
  }
  Value check_manifest(const std::string& file) const { return invoke(c_->check_manifest, file.c_str()); }
  Map target() const { return map(invoke(c_->target)); }

  Node parse(std::string_view text, const std::string& file) const {
    return as_node(invoke(c_->parse, text.data(), text.size(), file.c_str()));
  }
  std::string print(const Value& tree) const { return std::string(invoke(c_->print, tree.ptr()).as_string()); }
  void verify(const Node& module) const { invoke(c_->verify, module.get()); }
  Map run_pipeline(const Node& module, const Value& pipeline, const Value& options) const {
    return map(invoke(c_->run_pipeline, module.get(), pipeline.ptr(), options.ptr()));
  }
  // What the validation layer found: an array of maps {rule, plugin, during, message}.
  Value violations(bool finish) const { return invoke(c_->violations, finish ? 1 : 0); }
  Value diagnostics() const { return invoke(c_->diagnostics); }
  void register_function(const std::string& name, const Value& function) const {
    invoke(c_->register_function, name.c_str(), function.ptr());
  }
  Map load(const Node& module, const std::string& executor, const Value& options) const {
    return map(invoke(c_->load, module.get(), executor.empty() ? nullptr : executor.c_str(), options.ptr()));
  }
  Map generate(const Node& module, const std::string& codegen, const Value& options) const {
    return map(invoke(c_->generate, module.get(), codegen.empty() ? nullptr : codegen.c_str(), options.ptr()));
  }
  Node import_model(const std::string& path, const Value& options) const {
    return as_node(invoke(c_->import_model, path.c_str(), options.ptr()));
  }
  void save(const Node& module, const std::string& path) const { invoke(c_->save, module.get(), path.c_str()); }
  Map instantiate(const std::string& path, const Value& options) const {
    return map(invoke(c_->instantiate, path.c_str(), options.ptr()));
  }
  void compile(const Node& module, const std::string& path, const Value& options) const {
    invoke(c_->compile, module.get(), path.c_str(), options.ptr());
  }
  // Packages and trust: TnCompiler.package.
  Map package(const std::string& action, const Value& options) const {
    return map(invoke(c_->package, action.c_str(), options.ptr()));
  }

 private:
  static TnSession* create(const TnCompiler* compiler, const Value& options) {
    TnSession* session = nullptr;
    call([&](TnValue* ret) { return compiler->session_create(options.ptr(), &session, ret); });
    return session;
  }
  template <class Slot, class... Args>
  Value invoke(Slot slot, Args... args) const {
    return call([&](TnValue* ret) { return slot(session_, args..., ret); });
  }
  static Map map(const Value& v) { return v.is_map() ? v.ref<Map>() : Map(); }

  const TnCompiler* c_;
  TnSession* session_;
  Builder b_;
};

// Calls a function value.
inline Value call_function(const Value& function, std::span<const Value> args) {
  auto* f = reinterpret_cast<TnFunction*>(function.raw().as.object);
  return call([&](TnValue* ret) {
    return f->call(f, reinterpret_cast<const TnValue*>(args.data()), static_cast<int32_t>(args.size()), ret);
  });
}

}  // namespace tenon
#endif
