#include "pins.h"

#include <algorithm>
#include <cstring>
#include <tuple>

namespace tenon::conformance {

namespace {

constexpr uint32_t kPins = 1000;

// The slots of the runtime's table have no self: what watches them is found here, one at a time, in a test program.
Pins* g_active = nullptr;
const TnRuntime* g_runtime = nullptr;
const TnHostIr* g_ir = nullptr;

template <class... Args>
TnValue* last_of(Args... args) {
  return std::get<sizeof...(Args) - 1>(std::tuple<Args...>(args...));
}

// A slot of a table with the pinning around it.
template <auto slot>
struct Watched;
template <class... Args, int (*TnRuntime::*slot)(Args...)>
struct Watched<slot> {
  static const char* name;
  static int call(Args... args) {
    int status = (g_runtime->*slot)(args...);
    if (g_active) g_active->pin(last_of(args...), name);
    return status;
  }
};
template <class... Args, int (*TnHostIr::*slot)(void*, Args...)>
struct Watched<slot> {
  static const char* name;
  static int call(void* self, Args... args) {
    int status = (g_ir->*slot)(self, args...);
    if (g_active) g_active->pin(last_of(args...), name);
    return status;
  }
};
template <class... Args, int (*TnRuntime::*slot)(Args...)>
const char* Watched<slot>::name = "";
template <class... Args, int (*TnHostIr::*slot)(void*, Args...)>
const char* Watched<slot>::name = "";

template <auto slot, class Table>
void watch(Table& table, const char* name) {
  Watched<slot>::name = name;
  table.*slot = &Watched<slot>::call;
}

uint32_t count_of(const TnObject* o) { return static_cast<uint32_t>(__atomic_load_n(&o->counts, __ATOMIC_ACQUIRE)); }

}  // namespace

Pins::Pins(const TnRuntime* runtime, const TnHostIr* ir) : runtime_(*runtime), ir_(*ir) {
  g_runtime = runtime;
  g_ir = ir;
  g_active = this;
  watch<&TnRuntime::string>(runtime_, "string");
  watch<&TnRuntime::bytes>(runtime_, "bytes");
  watch<&TnRuntime::shape>(runtime_, "shape");
  watch<&TnRuntime::array>(runtime_, "array");
  watch<&TnRuntime::map>(runtime_, "map");
  watch<&TnRuntime::error>(runtime_, "error");
  watch<&TnRuntime::function>(runtime_, "function");
  watch<&TnRuntime::object>(runtime_, "object");
  watch<&TnRuntime::tensor>(runtime_, "tensor");
  watch<&TnRuntime::tensor_view>(runtime_, "tensor_view");
  watch<&TnHostIr::make>(ir_, "make");
  watch<&TnHostIr::substitute>(ir_, "substitute");
  watch<&TnHostIr::rewrite>(ir_, "rewrite");
  watch<&TnHostIr::parse>(ir_, "parse");
  watch<&TnHostIr::print>(ir_, "print");
  watch<&TnHostIr::renew>(ir_, "renew");
  watch<&TnHostIr::structural_equal>(ir_, "structural_equal");
}

Pins::~Pins() {
  finish();
  g_active = nullptr;
}

void Pins::pin(const TnValue* v, const char* maker) {
  // What has another owner already is nothing that the plugin made.
  if (!tn_is_object(v) || count_of(v->as.object) != 1) return;
  __atomic_fetch_add(&v->as.object->counts, uint64_t{kPins}, __ATOMIC_RELAXED);
  std::scoped_lock lock(mutex_);
  pinned_.push_back({v->as.object, maker});
}

std::vector<std::string> Pins::finish() {
  std::scoped_lock lock(mutex_);
  std::vector<std::string> out;
  // The latest first: what holds others was made after them.
  for (auto it = pinned_.rbegin(); it != pinned_.rend(); ++it) {
    const uint32_t left = count_of(it->object);
    if (left != kPins && out.size() < 5)
      out.push_back("what " + std::string(it->maker) + " gave it " +
                    (left > kPins ? "is still held " + std::to_string(left - kPins) + " times: it leaks"
                                  : "was released " + std::to_string(kPins - left) + " times too often"));
    __atomic_fetch_sub(&it->object->counts, uint64_t{std::min(left, kPins)} - 1, __ATOMIC_RELAXED);
    if (left <= kPins) tn_object_release(it->object);
  }
  pinned_.clear();
  return out;
}

}  // namespace tenon::conformance
