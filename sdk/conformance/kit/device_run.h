// A device of the plugin under test, opened; payloads that its loader reads.
#ifndef TENON_CONFORMANCE_DEVICE_RUN_H
#define TENON_CONFORMANCE_DEVICE_RUN_H

#include <tenon/ext/draft/loader.h>

#include <deque>
#include <mutex>

#include "corpus.h"

namespace tenon::conformance {

// As call_slot, for slots that leave the result alone when all is well.
void call_quiet(const std::function<int(TnValue*)>& f);

// The properties of the devices that are present: the entries of TnDeviceApi.list.
std::vector<Map> devices_of(Instance& instance);

class OpenDevice {
 public:
  OpenDevice(Instance& instance, const std::string& name);
  OpenDevice(const OpenDevice&) = delete;
  ~OpenDevice();

  const TnDeviceApi* api;
  void* handle = nullptr;

  // Freed with the device.
  void* alloc(uint64_t bytes, int32_t space = 0);
  void* queue();
  void* fence();
  // 0 or 1, as fence_wait says.
  int wait(void* fence, uint64_t value, int64_t timeout_ns);
  // Signals and waits until what is in the queue is done; throws Violation when that takes five seconds.
  void finish(void* queue);
  // Frees memory before the device goes.
  void release(void* memory);
  // Memory of the host for copies. It stays until the queues are gone: a device that says too early that it is done
  // still writes there.
  std::string& host(std::string bytes);

 private:
  std::vector<void*> memory_, queues_, fences_;
  std::mutex mutex_;
  std::deque<std::string> host_;
};

// A payload that a code generator of this installation made in a format of the plugin's loader.
struct SamplePayload {
  std::string name;
  Map payload;
  Node module;  // what main computes
};
// Why there is none is in `*why`.
std::vector<SamplePayload> sample_payloads(const Subject& subject, size_t most, std::string* why);

// A payload as loaders are given it. `bytes` replaces what it holds.
class PayloadBytes {
 public:
  explicit PayloadBytes(const Map& payload, const std::string* bytes = nullptr);
  PayloadBytes(const PayloadBytes&) = delete;
  ~PayloadBytes();
  const TnPayload* raw() const { return &raw_; }
  TnPayload* edit() { return &raw_; }
  std::string symbol;  // of main

 private:
  Map payload_;
  std::string format_, device_, maker_;
  std::vector<TnBlob> blobs_;
  Value requirements_, exports_;
  void* page_ = nullptr;
  TnPayload raw_{};
};
std::string bytes_of(const Map& payload);

}  // namespace tenon::conformance
#endif
