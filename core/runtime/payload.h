// Payloads that a loader makes callable: which loader and device take one, loading it, calling it.
#ifndef TENON_RUNTIME_PAYLOAD_H
#define TENON_RUNTIME_PAYLOAD_H

#include "runtime/device.h"

namespace tenon::rt {

// The options of TnRuntime.instantiate and payload_load, borrowed, and what is opened for them, owned.
struct Environment {
  const TnValue* devices;       // a map, or null
  const TnValue* imports;       // likewise
  const TnValue* find_plugins;  // a function, or null
  bool verify_constants;
  bool check_only;
  TnRunContext defaults;  // threads, profiler, allocator
  Plugin** plugins;
  size_t plugin_count;
  Device** open_devices;
  size_t device_count;
};
int read_options(const TnValue* options, Environment* out, TnValue* ret);
void release_environment(Environment* e);

// The best that loaders and devices say of a payload.
struct Choice {
  Plugin* loader;  // of an environment
  Plugin* opener;  // of the device; null in the host
  Device* device;  // that is open already, or null
  char name[160];  // of the device
  int32_t answer;  // TN_ACCEPT_*
  Owned reason;    // text, or none
};
// Fails when no loader reads the format or no device is there; an answer of no or recompile is no failure.
int choose(Environment* e, const TnPayload& payload, Choice* out, TnValue* ret);
// Fails, with the reason, when the answer is no or recompile.
int require_accepted(const TnPayload& payload, const Choice& choice, TnValue* ret);
const char* answer_text(int32_t answer);

struct LoadedPayload {
  TnObject header;
  TnPayload payload;  // a copy; what it points to is the owner's
  const TnLoader* loader;
  void* module;
  Plugin* plugin;
  Device* device;   // null in the host
  TnObject* owner;  // or null
  char* name;       // of the device, "cpu:0" in the host
};
// Opens the device and loads. `payload` and what it points to live as long as `owner`, or, when that is null, as long
// as the caller sees to it.
int load_payload(Environment* e, const TnPayload& payload, const Choice& choice, TnObject* owner, LoadedPayload** out,
                 TnValue* ret);
// A map of the functions that it exports. `keep` is released with each of them (both may be null).
int payload_functions(LoadedPayload* payload, void (*retain)(void*), void (*release)(void*), void* keep, TnValue* ret);
// Whether a function is one of those, on a device.
bool is_device_function(const TnFunction* function);
// What TnRuntime.instantiate says of a payload; `functions` may be null.
int describe_payload(const TnPayload& payload, const Choice& choice, const TnValue* functions, TnValue* ret);

int payload_load(const TnPayload* payload, TnObject* owner, const TnValue* options, TnValue* ret);

}  // namespace tenon::rt
#endif
