// Calls of devices and loaders.
#include <algorithm>

#include "device_run.h"
#include "exercises.h"

namespace tenon::conformance {

namespace {

constexpr uint64_t kBytes = 4096;

std::string first_device(Instance& i) {
  std::vector<Map> all = devices_of(i);
  if (all.empty()) throw Error(TN_ERROR_NOT_FOUND, "this machine has no such device");
  return text_of(all[0], "name");
}

std::string pattern(size_t n, unsigned seed) {
  std::string out(n, '\0');
  for (size_t k = 0; k < n; ++k) out[k] = static_cast<char>((k * 31 + seed) ^ (k >> 8));
  return out;
}

// Into the device, from one place of its memory to another, and back.
Value copies(Instance& i) {
  OpenDevice d(i, first_device(i));
  void *q = d.queue(), *a = d.alloc(kBytes), *c = d.alloc(kBytes);
  const std::string& in = d.host(pattern(kBytes, 7));
  std::string& out = d.host(std::string(kBytes, 'x'));
  call_quiet([&](TnValue* r) { return d.api->copy_in(q, in.data(), a, 0, kBytes, r); });
  call_quiet([&](TnValue* r) { return d.api->copy_within(q, a, 64, c, 128, kBytes - 192, r); });
  call_quiet([&](TnValue* r) { return d.api->copy_within(q, a, 0, c, 0, 128, r); });
  call_quiet([&](TnValue* r) { return d.api->copy_within(q, a, kBytes - 64, c, kBytes - 64, 64, r); });
  call_quiet([&](TnValue* r) { return d.api->copy_out(q, c, 0, out.data(), kBytes, r); });
  d.finish(q);
  return i.subject().b().string(out);
}

Value fences(Instance& i) {
  OpenDevice d(i, first_device(i));
  void *q = d.queue(), *before = d.fence(), *after = d.fence();
  call_quiet([&](TnValue* r) { return d.api->queue_wait(q, before, 3, r); });
  call_quiet([&](TnValue* r) { return d.api->queue_signal(q, after, 2, r); });
  call_quiet([&](TnValue* r) { return d.api->fence_signal(before, 3, r); });
  return Value(d.wait(after, 2, 5'000'000'000));
}

Value cancelled(Instance& i) {
  OpenDevice d(i, first_device(i));
  void *q = d.queue(), *never = d.fence(), *a = d.alloc(kBytes);
  const std::string& in = d.host(pattern(kBytes, 9));
  call_quiet([&](TnValue* r) { return d.api->queue_wait(q, never, 1, r); });
  call_quiet([&](TnValue* r) { return d.api->copy_in(q, in.data(), a, 0, kBytes, r); });
  call_quiet([&](TnValue* r) { return d.api->queue_cancel(q, r); });
  return {};
}

void add_device(std::vector<Exercise>& out, bool few) {
  out.push_back({"list the devices",
                 true,
                 [](Instance& i) {
                   std::vector<Value> all;
                   for (const Map& m : devices_of(i)) all.push_back(Value(m));
                   return Value(i.subject().b().array(all));
                 },
                 {}});
  out.push_back({"copies on a device", true, &copies, {}});
  out.push_back({"a queue that waits for a fence", true, &fences, {}});
  out.push_back({"a queue that is cancelled", true, &cancelled, {}});
  if (!few)
    out.push_back({"open and close a device",
                   true,
                   [](Instance& i) {
                     OpenDevice d(i, first_device(i));
                     return Value();
                   },
                   {}});
}

// What the device cannot do must be an error.
Value must_refuse(const char* what, const std::function<void()>& f) {
  f();
  throw Violation{"D2", std::string("it succeeded: ") + what};
}

void add_wrong_device(std::vector<Exercise>& out) {
  for (const char* name : {"", "cpu:0", "com.vendor.no-such-device:0", "com.vendor.no-such-device", ":", ":0"})
    out.push_back({"open of a device '" + std::string(name) + "'",
                   false,
                   [=](Instance& i) { return must_refuse("opening it", [&] { OpenDevice d(i, name); }); },
                   {}});
  for (const char* end : {":4711", ":-1", ":x"})
    out.push_back({"open of a device with the number " + std::string(end),
                   false,
                   [=](Instance& i) {
                     std::string name = first_device(i);
                     name = name.substr(0, name.rfind(':')) + end;
                     return must_refuse("opening it", [&] { OpenDevice d(i, name); });
                   },
                   {}});
  for (uint64_t bytes : {uint64_t{1} << 62, UINT64_MAX, UINT64_MAX - 63})
    out.push_back({"alloc of " + std::to_string(bytes) + " bytes",
                   false,
                   [=](Instance& i) {
                     OpenDevice d(i, first_device(i));
                     return must_refuse("more memory than there is", [&] { d.alloc(bytes); });
                   },
                   {}});
  for (int32_t space : {-1, 999})
    out.push_back({"alloc in space " + std::to_string(space),
                   false,
                   [=](Instance& i) {
                     OpenDevice d(i, first_device(i));
                     return must_refuse("memory in a space that is not there", [&] { d.alloc(64, space); });
                   },
                   {}});
}

// ---- Loaders

struct Loaded {
  const TnLoader* loader;
  void* module = nullptr;
  ~Loaded() {
    if (module) loader->unload(module);
  }
};

// Where the plugin's own devices serve its loader; a payload for the host needs none.
std::unique_ptr<OpenDevice> device_for(Instance& i, const Map& payload, TnLoadTarget& target, std::string& name) {
  target = {};
  target.size = sizeof target;
  name = text_of(payload, "device").empty() ? "cpu:0" : i.subject().provides(TN_DEVICE_API) ? first_device(i) : "";
  if (name.empty()) throw Error(TN_ERROR_UNSUPPORTED, "the plugin has no device of its own to load this on");
  std::unique_ptr<OpenDevice> device;
  if (name != "cpu:0") device = std::make_unique<OpenDevice>(i, name);
  target.name = name.c_str();
  if (device) target.api = device->api, target.device = device->handle;
  return device;
}

Value load(Instance& i, const Map& payload, const std::string* bytes, const char* symbol, bool no_constants = false) {
  auto* t = i.table<TnLoader>(TN_LOADER);
  need(t, &TnLoader::launch, "launch");
  TnLoadTarget target;
  std::string name;
  auto device = device_for(i, payload, target, name);
  PayloadBytes p(payload, bytes);
  if (no_constants) p.edit()->constants = nullptr, p.edit()->constant_count = 0;
  Loaded loaded{t};
  call_quiet([&](TnValue* r) { return t->load(i.self(TN_LOADER), p.raw(), &target, &loaded.module, r); });
  TnLoadedFunction f{};
  f.size = sizeof f;
  call_quiet([&](TnValue* r) { return t->function(loaded.module, symbol ? symbol : p.symbol.c_str(), &f, r); });
  if (f.inputs < 0 || f.outputs < 0 || f.inputs + f.outputs > 4096)
    throw Violation{"D8", "a function of it has " + std::to_string(f.inputs) + " inputs"};
  return Value(i.subject().b().array({Value(int64_t{f.inputs}), Value(int64_t{f.outputs})}));
}

Value accepts(Instance& i, const std::string& format, const Value& requirements, const Value& properties) {
  auto* t = i.table<TnLoader>(TN_LOADER);
  auto run = need(t, &TnLoader::accepts, "accepts");
  int32_t answer = 77;
  Value reason = call_slot([&](TnValue* ret) {
    return run(i.self(TN_LOADER), format.c_str(), requirements.ptr(), properties.ptr(), &answer, ret);
  });
  if (answer < TN_ACCEPT_NO || answer > TN_ACCEPT_BEST)
    throw Violation{"D7", "accepts answered " + std::to_string(answer)};
  if (!reason.is_string()) throw Violation{"V4", "accepts returned no string"};
  if (answer != TN_ACCEPT_BEST && reason.as_string().empty())
    throw Violation{"D7", "accepts gives no reason for an answer that is not best"};
  return Value(i.subject().b().array({Value(int64_t{answer}), reason}));
}

void add_loader(std::vector<Exercise>& out, const Subject& s, bool few) {
  std::string why;
  for (const SamplePayload& p : sample_payloads(s, few ? 1 : 4, &why)) {
    out.push_back({"load of " + p.name, true, [=](Instance& i) { return load(i, p.payload, nullptr, nullptr); }, {}});
    out.push_back({"accepts of " + p.name,
                   true,
                   [=](Instance& i) {
                     const Value* r = p.payload.find("requirements");
                     std::vector<Value> answers;
                     const std::string format = text_of(p.payload, "format");
                     if (!i.subject().provides(TN_DEVICE_API))
                       answers.push_back(accepts(i, format, r ? *r : Value(), Value()));
                     else
                       for (const Map& m : devices_of(i))
                         answers.push_back(accepts(i, format, r ? *r : Value(), Value(m)));
                     return Value(i.subject().b().array(answers));
                   },
                   {}});
  }
}

void add_wrong_loader(std::vector<Exercise>& out, const Subject& s) {
  const Builder& b = s.b();
  const std::vector<std::pair<const char*, Value>> requirements = {
      {"none", Value()},
      {"an empty map", Value(b.map({}))},
      {"texts for numbers", Value(b.map({{"family", Value(1)}, {"lanes", b.string("x")}, {"revision", b.string("")}}))},
      {"great numbers",
       Value(b.map({{"lanes", Value(INT64_MAX)}, {"sram_bytes", Value(INT64_MIN)}, {"x", Value(1.5)}}))}};
  std::vector<std::string> formats{"com.vendor.no-such-format/1", ""};
  for (const Value& f : s.info().find("loader")->ref<Map>().find("formats")->ref<Array>())
    formats.emplace_back(f.as_string());
  for (const std::string& format : formats)
    for (const auto& r : requirements) {
      const Value value = r.second;
      out.push_back({"accepts of '" + format + "' with the requirements " + r.first,
                     false,
                     [=](Instance& i) { return accepts(i, format, value, Value(i.subject().b().map({}))); },
                     {}});
    }
  std::string why;
  for (const SamplePayload& p : sample_payloads(s, 1, &why)) {
    out.push_back({"a symbol that no payload has",
                   false,
                   [=](Instance& i) -> Value {
                     load(i, p.payload, nullptr, "no_such_symbol");
                     throw Violation{"D8", "it found a function that is not there"};
                   },
                   {}});
    out.push_back(
        {"load without constants", false, [=](Instance& i) { return load(i, p.payload, nullptr, nullptr, true); }, {}});
    const std::string bytes = bytes_of(p.payload);
    for (size_t k = 0; k < 24; ++k) {
      const std::string cut = bytes.substr(0, bytes.size() * k / 24);
      out.push_back({"load of a payload cut to " + std::to_string(cut.size()) + " bytes",
                     false,
                     [=](Instance& i) -> Value {
                       load(i, p.payload, &cut, nullptr);
                       throw Violation{"D8", "it loaded a payload that is cut off"};
                     },
                     {}});
    }
    for (size_t k = 0; k < 64 && !bytes.empty(); ++k) {
      std::string damaged = bytes;
      const size_t at = k * 7919 % std::min<size_t>(bytes.size(), 4096);
      damaged[at] = static_cast<char>(damaged[at] ^ (1 << k % 8));
      out.push_back({"load of a payload with a bit flipped in byte " + std::to_string(at),
                     false,
                     [=](Instance& i) { return load(i, p.payload, &damaged, nullptr); },
                     {}});
    }
  }
}

}  // namespace

void add_device_exercises(std::vector<Exercise>& out, const Subject& s, bool few) {
  if (s.provides(TN_DEVICE_API)) add_device(out, few);
  if (s.provides(TN_LOADER)) add_loader(out, s, few);
}

void add_device_wrong_calls(std::vector<Exercise>& out, const Subject& s) {
  if (s.provides(TN_DEVICE_API)) add_wrong_device(out);
  if (s.provides(TN_LOADER)) add_wrong_loader(out, s);
}

}  // namespace tenon::conformance
