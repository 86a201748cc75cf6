// The checks of what devices and loaders do.
#include <tenon/cxx/numbers.h>

#include <algorithm>
#include <cstring>
#include <thread>

#include "check.h"
#include "device_run.h"
#include "meaning.h"

namespace tenon::conformance {

namespace {

constexpr uint64_t kBytes = 1 << 16;
constexpr int64_t kLong = 5'000'000'000;

std::string numbers(size_t n, unsigned seed) {
  std::string out(n, '\0');
  uint32_t x = seed * 2654435761u + 1;
  for (char& c : out) x = x * 1664525 + 1013904223, c = static_cast<char>(x >> 24);
  return out;
}

void copy_in(OpenDevice& d, void* q, const std::string& from, void* to, uint64_t offset = 0) {
  call_quiet([&](TnValue* r) { return d.api->copy_in(q, from.data(), to, offset, from.size(), r); });
}
void copy_out(OpenDevice& d, void* q, void* from, std::string& to, uint64_t offset = 0) {
  call_quiet([&](TnValue* r) { return d.api->copy_out(q, from, offset, to.data(), to.size(), r); });
}

// The properties, and what the manifest says.
std::string judge_properties(const Subject& s, const Map& m, Findings& f) {
  const std::string name = text_of(m, "name");
  size_t colon = name.rfind(':');
  bool listed = false;
  const Value* section = s.info().find("device");
  if (section && section->is_map())
    for (const Value& kind : section->ref<Map>().find("kinds")->ref<Array>())
      listed = listed || (colon != std::string::npos && kind.as_string() == name.substr(0, colon));
  if (!listed) f.fail("D1", "the device '" + name + "' is not KIND:NUMBER of a kind that the manifest lists");
  const Value* spaces = m.find("spaces");
  if (!spaces || !spaces->is_array() || spaces->ref<Array>().empty()) {
    f.fail("D1", name + " has no list of memory spaces");
  } else {
    for (const Value& v : spaces->ref<Array>()) {
      const Value* bytes = v.is_map() ? v.ref<Map>().find("bytes") : nullptr;
      if (!bytes || !bytes->is_int() || bytes->as_int() <= 0 || text_of(v.ref<Map>(), "name").empty())
        f.fail("D1", name + " has a memory space without a name or a size");
    }
  }
  for (const char* key : {"alignment", "queues"})
    if (const Value* v = m.find(key); v && (!v->is_int() || v->as_int() < 1))
      f.fail("D1", name + ": " + key + " is no positive number");
  return name;
}

void judge_copies(OpenDevice& d, Findings& f) {
  void *q = d.queue(), *a = d.alloc(kBytes), *c = d.alloc(kBytes);
  if (a == c) f.fail("D3", "two allocations are one");
  const std::string &x = d.host(numbers(kBytes, 1)), &y = d.host(numbers(kBytes, 2)), &part = d.host(numbers(1000, 3));
  std::string &from_a = d.host(std::string(kBytes, '\0')), &from_c = d.host(std::string(kBytes, '\0')),
              &piece = d.host(std::string(500, '\0'));
  copy_in(d, q, x, a);
  copy_in(d, q, y, c);
  copy_in(d, q, part, a, 777);
  call_quiet([&](TnValue* r) { return d.api->copy_within(q, a, 700, c, 33, 5000, r); });
  call_quiet([&](TnValue* r) { return d.api->copy_within(q, a, 0, c, 0, 0, r); });
  copy_out(d, q, a, from_a);
  copy_out(d, q, c, from_c);
  copy_out(d, q, a, piece, 1000);
  d.finish(q);
  std::string due_a = x, due_c = y;
  due_a.replace(777, part.size(), part);
  due_c.replace(33, 5000, due_a, 700, 5000);
  if (from_a != due_a) f.fail("D3", "what was copied in at an offset does not come back");
  if (from_c != due_c) f.fail("D3", "a copy within the device does not move just the bytes that it names");
  if (piece != due_a.substr(1000, piece.size())) f.fail("D3", "a copy out at an offset gives other bytes");
}

void judge_fences(OpenDevice& d, Findings& f) {
  void *q = d.queue(), *host = d.fence(), *done = d.fence(), *a = d.alloc(64);
  std::string &first = d.host(std::string(64, 'a')), &second = d.host(std::string(64, 'b')),
              &got = d.host(std::string(64, '\0'));
  copy_in(d, q, first, a);
  call_quiet([&](TnValue* r) { return d.api->queue_signal(q, done, 1, r); });
  call_quiet([&](TnValue* r) { return d.api->queue_wait(q, host, 2, r); });
  copy_in(d, q, second, a);
  copy_out(d, q, a, got);
  call_quiet([&](TnValue* r) { return d.api->queue_signal(q, done, 7, r); });
  if (d.wait(done, 1, kLong) != 0) f.fail("D4", "a signal before a wait of the queue does not arrive");
  call_quiet([&](TnValue* r) { return d.api->fence_signal(host, 1, r); });
  if (d.wait(done, 7, 50'000'000) == 0) f.fail("D4", "the queue does not wait for the value of a fence");
  if (d.wait(done, 2, 0) == 0) f.fail("D5", "a fence is said to have reached more than it has");
  call_quiet([&](TnValue* r) { return d.api->fence_signal(host, 2, r); });
  if (d.wait(done, 7, kLong) != 0) return f.fail("D4", "the queue does not go on when the fence is signalled");
  if (got != second) f.fail("D3", "commands of a queue are not carried out in order");
  call_quiet([&](TnValue* r) { return d.api->fence_signal(done, 3, r); });
  if (d.wait(done, 7, 0) != 0) f.fail("D5", "the value of a fence went down");
}

void judge_cancel(OpenDevice& d, Findings& f) {
  void *q = d.queue(), *never = d.fence(), *done = d.fence(), *a = d.alloc(64);
  std::string &first = d.host(std::string(64, 'a')), &second = d.host(std::string(64, 'b')),
              &got = d.host(std::string(64, '\0'));
  copy_in(d, q, first, a);
  d.finish(q);
  call_quiet([&](TnValue* r) { return d.api->queue_wait(q, never, 1, r); });
  copy_in(d, q, second, a);
  call_quiet([&](TnValue* r) { return d.api->queue_signal(q, done, 1, r); });
  call_quiet([&](TnValue* r) { return d.api->queue_cancel(q, r); });
  if (d.wait(done, 1, 20'000'000) == 0) f.fail("D6", "what was cancelled has signalled its fence");
  copy_out(d, q, a, got);
  d.finish(q);
  if (got != first) f.fail("D6", "a command that had not begun when its queue was cancelled was carried out");
}

void judge_threads(Instance& i, const std::string& name, int64_t queues, Findings& f) {
  OpenDevice d(i, name);
  const size_t n = static_cast<size_t>(std::clamp<int64_t>(queues, 1, 4));
  std::vector<void*> q, memory;
  for (size_t k = 0; k < n; ++k) q.push_back(d.queue()), memory.push_back(d.alloc(kBytes));
  std::vector<void*> fences;
  for (size_t k = 0; k < n; ++k) fences.push_back(d.fence());
  std::vector<std::string> broken(n);
  std::vector<std::thread> threads;
  for (size_t k = 0; k < n; ++k)
    threads.emplace_back([&, k] {
      try {
        for (unsigned round = 1; round <= 20 && broken[k].empty(); ++round) {
          const std::string& x = d.host(numbers(kBytes, round * 10 + static_cast<unsigned>(k)));
          std::string& got = d.host(std::string(kBytes, '\0'));
          copy_in(d, q[k], x, memory[k]);
          copy_out(d, q[k], memory[k], got);
          call_quiet([&](TnValue* r) { return d.api->queue_signal(q[k], fences[k], round, r); });
          if (d.wait(fences[k], round, kLong) != 0 || got != x) broken[k] = "a queue gave other bytes than its own";
        }
      } catch (const Violation& v) { broken[k] = v.what; } catch (const Error& e) {
        broken[k] = e.message;
      }
    });
  for (std::thread& t : threads) t.join();
  for (const std::string& why : broken)
    if (!why.empty()) f.fail("T4", std::to_string(n) + " queues at once: " + why);
}

}  // namespace

void check_device_meaning(const Subject& s, Findings& f) {
  f.at("the list of devices");
  Instance i(s, s.session());
  std::vector<Map> all = devices_of(i);
  if (all.empty()) return f.skip("this machine has no such device");
  size_t n = 0;
  for (const Map& m : all) {
    if (++n > 2) break;
    f.at("the properties of a device");
    const std::string name = judge_properties(s, m, f);
    auto part = [&](const char* what, void (*judge)(OpenDevice&, Findings&)) {
      f.at(name + ": " + what);
      try {
        OpenDevice d(i, name);
        judge(d, f);
      } catch (const Violation& v) { f.fail(v.rule, v.what); } catch (const Error& e) {
        f.fail("D2", "it refused: " + e.message);
      }
    };
    part("copies", &judge_copies);
    part("fences", &judge_fences);
    part("cancelling", &judge_cancel);
    f.at(name + ": queues from several threads");
    const Value* queues = m.find("queues");
    try {
      judge_threads(i, name, queues && queues->is_int() ? queues->as_int() : 4, f);
    } catch (const Violation& v) { f.fail(v.rule, v.what); } catch (const Error& e) {
      f.fail("T4", "it refused: " + e.message);
    }
    f.at(name + ": opened twice");
    attempt(f, [&] {
      OpenDevice first(i, name), second(i, name);
      void *q = first.queue(), *r = second.queue(), *a = first.alloc(64), *c = second.alloc(64);
      std::string &x = first.host(std::string(64, 'x')), &y = second.host(std::string(64, 'y')),
                  &got = first.host(std::string(64, '\0'));
      copy_in(first, q, x, a);
      first.finish(q);
      copy_in(second, r, y, c);
      second.finish(r);
      copy_out(first, q, a, got);
      first.finish(q);
      if (got != x) throw Violation{"D3", "what one opening wrote shows in the other"};
    });
    f.at(name + ": all of its memory comes back");
    attempt(f, [&] {
      OpenDevice d(i, name);
      const Value* spaces = m.find("spaces");
      if (!spaces || !spaces->is_array() || spaces->ref<Array>().empty()) return;
      const Value* bytes = spaces->ref<Array>()[0].ref<Map>().find("bytes");
      const auto half = static_cast<uint64_t>(bytes->as_int()) / 2 + 1;
      if (half > (uint64_t{1} << 30)) return;
      for (int round = 0; round < 4; ++round) try {
          d.release(d.alloc(half));
        } catch (const Error& e) {
          throw Violation{
              "D2", "half of its memory cannot be allocated the " + std::to_string(round + 1) + ". time: " + e.message};
        }
    });
  }
  f.note(std::to_string(all.size()) + " devices");
}

namespace {

// The plugins that a payload needs: the one under test first.
Value plugin_paths(const Subject& s) {
  const Builder& b = s.b();
  std::vector<Value> paths{b.string(s.library())};
  if (!s.provides(TN_DEVICE_API))
    for (const Value& p : s.plugins())
      for (const Value& c : p.ref<Map>().find("provides")->ref<Array>())
        if (c.as_string() == TN_DEVICE_API) paths.push_back(b.string(text_of(p.ref<Map>(), "library")));
  return Value(b.array(paths));
}

Value tensor_like(const Builder& b, const Value& v) {
  const DLTensor& t = reinterpret_cast<const TnTensor*>(v.raw().as.object)->tensor;
  return call([&](TnValue* ret) { return b.runtime()->tensor({kDLCPU, 0}, t.dtype, t.ndim, t.shape, ret); });
}

bool refuses(const Value& function, const std::vector<Value>& args) {
  try {
    call_function(function, args);
    return false;
  } catch (const Error&) { return true; }
}

// The same tensor with another dtype of the same size, or with one extent more at the end.
Value other_tensor(const Builder& b, const Value& v, bool dtype) {
  const DLTensor& t = reinterpret_cast<const TnTensor*>(v.raw().as.object)->tensor;
  std::vector<int64_t> shape(t.shape, t.shape + t.ndim);
  if (!dtype) shape.back() += 1;
  DLDataType type = t.dtype;
  if (dtype) type.code = type.code == kDLUInt ? kDLInt : kDLUInt;
  Value out = call([&](TnValue* ret) {
    return b.runtime()->tensor({kDLCPU, 0}, type, static_cast<int32_t>(shape.size()), shape.data(), ret);
  });
  const DLTensor& made = reinterpret_cast<const TnTensor*>(out.raw().as.object)->tensor;
  std::memset(made.data, 0, static_cast<size_t>(element_count(made) * dtype_bytes(made.dtype)));
  return out;
}

}  // namespace

void check_loader_meaning(const Subject& s, Findings& f) {
  if (!needs_interpreter(s, f)) return;
  const Builder& b = s.b();
  std::string why;
  f.at("payloads of its formats");
  std::vector<SamplePayload> payloads = sample_payloads(s, 8, &why);
  if (payloads.empty()) return f.skip("there is no payload to load: " + why);
  size_t right = 0, refused = 0;
  for (const SamplePayload& p : payloads) {
    f.at(p.name);
    try {
      PayloadBytes bytes(p.payload);
      Value options(b.map({{"plugins", plugin_paths(s)}}));
      Value loaded =
          call([&](TnValue* ret) { return b.runtime()->payload_load(bytes.raw(), nullptr, options.ptr(), ret); });
      const Value* main = loaded.ref<Map>().find("functions")->ref<Map>().find("main");
      if (!main) throw Error(TN_ERROR_PLUGIN, "the loaded payload has no function main");
      for (int64_t size : {1, 5}) {
        std::vector<Value> inputs = make_inputs(b, main_of(p.module), size);
        std::vector<Value> due = outcome_in(s, kInterpreter, lowered(s, p.module), inputs);
        due.resize(due.size() - inputs.size());  // without the parameters
        std::vector<Value> got, args = inputs;
        for (const Value& v : due) got.push_back(tensor_like(b, v)), args.push_back(got.back());
        call_function(*main, args);
        std::string d = difference(due, got);
        if (!d.empty()) f.fail("R3", d);
        f.at(p.name + ", called again");
        call_function(*main, args);
        if (!difference(due, got).empty()) f.fail("R1", "the second call gives another result");
        for (bool dtype : {true, false})
          for (size_t k = 0; k < args.size(); ++k) {
            std::vector<Value> wrong = args;
            wrong[k] = other_tensor(b, args[k], dtype);
            f.at(p.name + ", with a wrong " + (dtype ? "dtype" : "shape") + " of argument " + std::to_string(k));
            if (!refuses(*main, wrong)) f.fail("D9", "it accepts the argument");
          }
      }
      ++right;
    } catch (const Error& e) {
      if (is_bug(e)) f.fail("D8", e.message);
      why = e.message;
      ++refused;
    }
  }
  f.note(counts(right, refused));
  if (right == 0) f.fail("D8", "it loads none of the payloads (" + why + ")");
}

}  // namespace tenon::conformance
