#include "device_run.h"

#include <tenon/ext/codegen.h>
#include <tenon/ext/draft/partitioner.h>

#include <cstdlib>
#include <cstring>

#include "exercises.h"
#include "matches.h"
#include "meaning.h"

namespace tenon::conformance {

void call_quiet(const std::function<int(TnValue*)>& f) {
  call_slot([&](TnValue* ret) {
    *ret = {TN_NONE, 0, {0}};
    return f(ret);
  });
}

std::vector<Map> devices_of(Instance& i) {
  auto* api = i.table<TnDeviceApi>(TN_DEVICE_API);
  auto list = need(api, &TnDeviceApi::list, "list");
  Value v = call_slot([&](TnValue* ret) { return list(i.self(TN_DEVICE_API), ret); });
  if (!v.is_array()) throw Violation{"V4", "list returned no array"};
  std::vector<Map> out;
  for (const Value& d : v.ref<Array>()) {
    if (!d.is_map()) throw Violation{"V4", "list returned a device that is no map"};
    out.push_back(d.ref<Map>());
  }
  return out;
}

OpenDevice::OpenDevice(Instance& i, const std::string& name) : api(i.table<TnDeviceApi>(TN_DEVICE_API)) {
  need(api, &TnDeviceApi::queue_cancel, "queue_cancel");
  call_quiet([&](TnValue* ret) { return api->open(i.self(TN_DEVICE_API), name.c_str(), &handle, ret); });
}

OpenDevice::~OpenDevice() {
  for (void* q : queues_) {
    TnValue ret{TN_NONE, 0, {0}};
    if (api->queue_cancel(q, &ret) != 0) tn_value_release(&ret);
    api->queue_destroy(q);
  }
  for (void* f : fences_) api->fence_destroy(f);
  for (void* m : memory_) api->free(handle, 0, m);
  if (handle) api->close(handle);
}

void* OpenDevice::alloc(uint64_t bytes, int32_t space) {
  void* memory = nullptr;
  call_quiet([&](TnValue* ret) { return api->alloc(handle, space, bytes, &memory, ret); });
  if (space == 0) memory_.push_back(memory);
  return memory;
}
void OpenDevice::release(void* memory) {
  std::erase(memory_, memory);
  api->free(handle, 0, memory);
}
std::string& OpenDevice::host(std::string bytes) {
  std::lock_guard lock(mutex_);
  return host_.emplace_back(std::move(bytes));
}
void* OpenDevice::queue() {
  void* q = nullptr;
  call_quiet([&](TnValue* ret) { return api->queue_create(handle, &q, ret); });
  if (!q) throw Violation{"D2", "queue_create succeeded and gave no queue"};
  queues_.push_back(q);
  return q;
}
void* OpenDevice::fence() {
  void* f = nullptr;
  call_quiet([&](TnValue* ret) { return api->fence_create(handle, &f, ret); });
  if (!f) throw Violation{"D2", "fence_create succeeded and gave no fence"};
  fences_.push_back(f);
  return f;
}
int OpenDevice::wait(void* fence, uint64_t value, int64_t timeout_ns) {
  int status = 0;
  call_quiet([&](TnValue* ret) {
    status = api->fence_wait(fence, value, timeout_ns, ret);
    return status == 1 ? 0 : status;
  });
  return status;
}
void OpenDevice::finish(void* queue) {
  void* f = fence();
  call_quiet([&](TnValue* ret) { return api->queue_signal(queue, f, 1, ret); });
  if (wait(f, 1, 5'000'000'000) != 0) throw Violation{"D4", "what was enqueued is not done after 5 s"};
}

std::string bytes_of(const Map& payload) {
  const Value* v = payload.find("bytes");
  if (!v) return "";
  if (v->type_index() == TN_CONSTANT) {
    auto* c = reinterpret_cast<const TnConstant*>(v->raw().as.object);
    return {static_cast<const char*>(c->data), c->size};
  }
  return std::string(string_view_of(v->raw()));
}

PayloadBytes::PayloadBytes(const Map& payload, const std::string* bytes)
    : payload_(payload),
      format_(text_of(payload, "format")),
      device_(text_of(payload, "device")),
      maker_("the conformance kit") {
  const std::string own = bytes ? *bytes : bytes_of(payload);
  constexpr size_t kPage = 4096;
  page_ = std::aligned_alloc(kPage, (own.size() / kPage + 1) * kPage);
  std::memcpy(page_, own.data(), own.size());
  if (const Value* v = payload.find("requirements")) requirements_ = *v;
  if (const Value* v = payload.find("exports")) exports_ = *v;
  if (exports_.is_map()) symbol = text_of(exports_.ref<Map>(), "main");
  if (const Value* v = payload.find("constants"); v && v->is_array())
    for (const Value& c : v->ref<Array>()) {
      auto* constant = reinterpret_cast<const TnConstant*>(c.raw().as.object);
      blobs_.push_back({constant->data, constant->size});
    }
  raw_ = {};
  raw_.size = sizeof raw_;
  raw_.format = format_.c_str();
  raw_.device = device_.c_str();
  raw_.maker = maker_.c_str();
  raw_.data = page_;
  raw_.bytes = own.size();
  raw_.requirements = requirements_.ptr();
  raw_.exports = exports_.ptr();
  raw_.constants = blobs_.data();
  raw_.constant_count = blobs_.size();
}
PayloadBytes::~PayloadBytes() { std::free(page_); }

namespace {

bool lists(const Map& plugin, const char* section, const char* key, const std::string& text) {
  const Value* v = plugin.find(section);
  const Value* list = v && v->is_map() ? v->ref<Map>().find(key) : nullptr;
  if (list && list->is_array())
    for (const Value& item : list->ref<Array>())
      if (item.as_string() == text) return true;
  return false;
}

// What a code generator may take: samples, and what partitioners hand to it.
std::vector<Program> programs_for(const Subject& s, const std::string& codegen) {
  std::vector<Program> out = sample_programs(s);
  for (const Value& p : s.plugins()) {
    const Map& plugin = p.ref<Map>();
    if (patterns_of(s, plugin).empty() || codegen_of(plugin) != codegen) continue;
    for (const Match& m : matches_of(s, plugin, 2))
      out.push_back({m.pattern + " in " + m.name, module_of(s.b(), m.candidate)});
  }
  return out;
}

}  // namespace

std::vector<SamplePayload> sample_payloads(const Subject& s, size_t most, std::string* why) {
  std::vector<SamplePayload> out;
  const Value* loader = s.info().find("loader");
  *why = "no code generator that is installed makes a format of the loader's";
  if (!loader || !loader->is_map()) return out;
  for (const Value& format : loader->ref<Map>().find("formats")->ref<Array>())
    for (const Value& p : s.plugins()) {
      const Map& plugin = p.ref<Map>();
      if (!lists(plugin, "codegen", "formats", std::string(format.as_string()))) continue;
      const std::string codegen = text_of(plugin, "id");
      *why = codegen + " takes none of the programs: give --sample FILE.py";
      const bool is_graph = text_of(plugin.find("codegen")->ref<Map>(), "level") == "graph";
      for (const Program& program : programs_for(s, codegen)) {
        if (out.size() >= most) return out;
        try {
          Node module = is_graph ? program.module : lowered(s, program.module);
          Map payload = s.session().generate(module, codegen, Value());
          if (text_of(payload, "format") == format.as_string()) out.push_back({program.name, payload, program.module});
        } catch (const Error& e) { *why += "; " + e.message; }
      }
    }
  return out;
}

}  // namespace tenon::conformance
