#include "jit.h"

#include <llvm/ExecutionEngine/JITLink/JITLinkMemoryManager.h>
#include <llvm/ExecutionEngine/Orc/Core.h>
#include <llvm/ExecutionEngine/Orc/ExecutorProcessControl.h>
#include <llvm/ExecutionEngine/Orc/ObjectLinkingLayer.h>
#include <llvm/Support/MemoryBuffer.h>
#include <tenon/cxx/object.h>

#include <cmath>
#include <cstdio>
#include <cstring>

namespace tenon::backend {
namespace {

using llvm::orc::ExecutorAddr;

struct Symbol {
  const char* name;
  void* address;
};

template <class F>
void* address(F* f) {
  return reinterpret_cast<void*>(f);
}
template <class T>
using Unary = T(T);
template <class T>
using Binary = T(T, T);
template <class T>
using Ternary = T(T, T, T);

// What generated code may call: the memory functions and the real functions of the C library.
std::vector<Symbol> library_symbols() {
#define TENON_UNARY(f) {#f, address<Unary<double>>(&::f)}
#define TENON_UNARY_F(f) {#f, address<Unary<float>>(&::f)}
  return {
      {"memcpy", address(&std::memcpy)},
      {"memmove", address(&std::memmove)},
      {"memset", address(&std::memset)},
      {"memcmp", address(&std::memcmp)},
      {"snprintf", address(&std::snprintf)},
      TENON_UNARY(exp),
      TENON_UNARY(exp2),
      TENON_UNARY(log),
      TENON_UNARY(log2),
      TENON_UNARY(log10),
      TENON_UNARY(log1p),
      TENON_UNARY(sin),
      TENON_UNARY(cos),
      TENON_UNARY(tan),
      TENON_UNARY(asin),
      TENON_UNARY(acos),
      TENON_UNARY(atan),
      TENON_UNARY(sinh),
      TENON_UNARY(cosh),
      TENON_UNARY(tanh),
      TENON_UNARY(asinh),
      TENON_UNARY(acosh),
      TENON_UNARY(atanh),
      TENON_UNARY(erf),
      TENON_UNARY(floor),
      TENON_UNARY(ceil),
      TENON_UNARY(trunc),
      TENON_UNARY(roundeven),
      TENON_UNARY(sqrt),
      TENON_UNARY_F(floorf),
      TENON_UNARY_F(ceilf),
      TENON_UNARY_F(truncf),
      TENON_UNARY_F(roundevenf),
      TENON_UNARY_F(sqrtf),
      {"pow", address<Binary<double>>(&::pow)},
      {"atan2", address<Binary<double>>(&::atan2)},
      {"fmod", address<Binary<double>>(&::fmod)},
      {"fmodf", address<Binary<float>>(&::fmodf)},
      {"hypot", address<Binary<double>>(&::hypot)},
      {"nextafter", address<Binary<double>>(&::nextafter)},
      {"nextafterf", address<Binary<float>>(&::nextafterf)},
      {"fma", address<Ternary<double>>(&::fma)},
      {"fmaf", address<Ternary<float>>(&::fmaf)},
  };
#undef TENON_UNARY
#undef TENON_UNARY_F
}

[[noreturn]] void fail(const char* what, llvm::Error e) {
  throw Error(TN_ERROR_INTERNAL, std::string("codegen-llvm: ") + what + ": " + llvm::toString(std::move(e)));
}

}  // namespace

struct LoadedObject::Session {
  explicit Session(std::unique_ptr<llvm::orc::SelfExecutorProcessControl> control)
      : session(std::move(control)), layer(session, session.getExecutorProcessControl().getMemMgr()) {
    session.setErrorReporter([](llvm::Error e) { llvm::consumeError(std::move(e)); });  // errors come from lookup
  }
  ~Session() {
    if (auto e = session.endSession()) llvm::consumeError(std::move(e));
  }
  llvm::orc::ExecutionSession session;
  llvm::orc::ObjectLinkingLayer layer;
  llvm::orc::JITDylib* code = nullptr;
};

LoadedObject::LoadedObject(const std::string& bytes, const std::vector<std::string>& needed_symbols) {
  auto control = llvm::orc::SelfExecutorProcessControl::Create();
  if (!control) fail("no memory for code", control.takeError());
  session_ = std::make_unique<Session>(std::move(*control));
  auto& session = session_->session;
  session_->code = &session.createBareJITDylib("code");

  llvm::orc::SymbolMap known;
  std::vector<Symbol> library = library_symbols();
  for (const std::string& name : needed_symbols) {
    if (name == "_GLOBAL_OFFSET_TABLE_") continue;
    const Symbol* found = nullptr;
    for (const Symbol& s : library)
      if (name == s.name) found = &s;
    if (!found)
      throw Error(TN_ERROR_INTERNAL,
                  "codegen-llvm: generated code calls '" + name + "', which the executor does not offer");
    known[session.intern(name)] = {ExecutorAddr::fromPtr(found->address), llvm::JITSymbolFlags::Exported};
  }
  if (!known.empty())
    if (auto e = session_->code->define(llvm::orc::absoluteSymbols(std::move(known)))) fail("linking", std::move(e));
  if (auto e = session_->layer.add(*session_->code, llvm::MemoryBuffer::getMemBufferCopy(bytes, "object")))
    fail("linking", std::move(e));
}

LoadedObject::~LoadedObject() = default;

void* LoadedObject::find(const std::string& symbol) const {
  auto found = session_->session.lookup({session_->code}, symbol);
  if (!found) fail("linking", found.takeError());
  return found->getAddress().toPtr<void*>();
}

}  // namespace tenon::backend
