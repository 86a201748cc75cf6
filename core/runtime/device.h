// Plugins that bring devices and loaders, devices that are open, and their queues.
#ifndef TENON_RUNTIME_DEVICE_H
#define TENON_RUNTIME_DEVICE_H

#include "runtime/values.h"
#include "tenon/ext/draft/loader.h"

namespace tenon::rt {

struct Plugin {
  TnObject header;
  const TnPlugin* table;
  void* instance;
  const TnDeviceApi* devices;  // or null
  const TnLoader* loader;      // or null
  bool owns_instance;
  TnObject* owner;  // of an instance that the caller made, or null
  TnHost host;
  char* file;  // or null
};

// What a slot of a plugin gave, held to the contract: 0 with a value in `*ret`, or -1 with an error that has a code and
// words, and says whose bug it is where it is one. `doing` is for messages; with `lead` every error is told with it.
int settle(const Plugin* p, const char* doing, int status, TnValue* ret, bool lead = false);
constexpr const char* kListing = "listing its devices";

// A fence that a queue waits for, or is to signal: the latter fails when the queue is emptied before.
struct Pending {
  TnObject* fence;
  uint64_t value;
  bool is_signal;
};

// A queue with a fence of its own, and memory for the copies of what lies on the host. Used by one call at a time.
struct Queue {
  void* handle;
  void* fence;
  uint64_t last;  // what the fence is set to by the newest command
  void* staging;
  uint64_t staging_bytes;
  Pending* pending;
  size_t pending_count;
  Queue* next;  // of those that are idle
};

struct Device {
  TnObject header;
  Plugin* plugin;
  const TnDeviceApi* api;
  void* handle;
  DLDevice number;
  TnValue properties;  // the entry of TnDeviceApi.list
  uint64_t alignment;
  int32_t max_queues;
  char* name;
  pthread_mutex_t mutex;  // of what follows
  pthread_cond_t freed;
  Queue* idle;
  int32_t open_queues;
  bool lost;
  bool stuck;  // it could not be stopped: what it may still use is never freed
};

struct QueueObject {
  TnObject header;
  Device* device;
  Queue queue;
};

// Null when the object is none.
Plugin* as_plugin(const TnObject* object);
Device* as_device(const TnObject* object);
QueueObject* as_queue(const TnObject* object);

// device_names.cc
// `ordinal` is -1 when the name is that of a kind alone.
bool split_device_name(const char* name, size_t* kind_bytes, int32_t* ordinal);
int device_number(const char* name, DLDevice* device, TnValue* ret);
int device_name(DLDevice device, TnValue* ret);

// plugin_open.cc
int plugin_open(const char* path, TnValue* ret);
int plugin_wrap(const TnPlugin* plugin, void* instance, TnObject* owner, TnValue* ret);

// device.cc
int device_open(TnObject* plugin, const char* name, TnValue* ret);
int make_queue(TnObject* device, TnValue* ret);
int device_tensor(TnObject* device, DLDataType dtype, int32_t ndim, const int64_t* shape, TnValue* ret);
int copy_tensor(const TnValue* from, const TnValue* to, TnValue* ret);
// A queue of the device's own; waits for one when all are in use. Give it back with `give_queue`.
int take_queue(Device* device, Queue** out, TnValue* ret);
void give_queue(Device* device, Queue* queue);
// Returns when everything in the queue is carried out. `doing` is for messages. When the run is cancelled, or fails,
// the queue is empty all the same; where that cannot be done the device is lost, and its memory stays.
int wait_queue(Device* device, Queue* queue, const char* doing, TnValue* ret);
// Enqueues the wait for a fence of the device, or its signal.
int wait_on_queue(Device* device, Queue* queue, TnObject* fence, uint64_t value, TnValue* ret);
int signal_from_queue(Device* device, Queue* queue, TnObject* fence, uint64_t value, TnValue* ret);
// Marks what came from a slot of the device as its own, and the device as lost where it says so.
int device_failed(Device* device, const char* doing, TnValue* ret);
// Memory in the queue's staging area of at least `bytes`; what it held is gone. The queue is empty.
int reserve_staging(Device* device, Queue* queue, uint64_t bytes, TnValue* ret);

// tensor.cc
// A tensor over device memory: `release(owner, memory)` runs when it dies.
int tensor_over(DLDevice device, void* memory, DLDataType dtype, int32_t ndim, const int64_t* shape, TnObject* owner,
                void (*release)(TnObject* owner, void* memory), TnValue* ret);
// The bytes of a tensor of this shape; -1 with an error for a bad one.
int tensor_bytes(DLDataType dtype, int32_t ndim, const int64_t* shape, uint64_t* bytes, TnValue* ret);
// The device that the memory of a tensor made by `tensor_over`, or of a view of one, belongs to; null otherwise.
TnObject* tensor_owner(const TnTensor* tensor);
bool is_contiguous(const DLTensor& t);

// fence.cc
int make_fence(TnObject* device, TnValue* ret);
int fence_signal(TnObject* fence, uint64_t value, TnObject* error, TnValue* ret);
int fence_wait(TnObject* fence, uint64_t value, int64_t timeout_ns, TnValue* ret);
// The device of a fence, null for one of the host; its handle on the device.
Device* fence_device(const TnObject* fence, void** handle);
bool is_fence(const TnObject* fence);
// Why the fence has failed, owned by the caller; null when it has not.
TnObject* fence_error(const TnObject* fence);

}  // namespace tenon::rt
#endif
