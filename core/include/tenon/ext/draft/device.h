/* "tenon.device/1" (draft): one kind of device, with memory and queues of its own. [in-process]
 *
 * A device is named by text, KIND:ORDINAL ("com.vendor.npu:0"), in IR, manifests and artifacts. A tensor on it carries the
 * DLDevice that TnRuntime.device_number hands out; the numbers differ from process to process and are stored nowhere.
 *
 * Memory is named by what `alloc` gives, which need not be an address, and a byte offset in it. Commands of one queue are
 * carried out in order, those of different queues concurrently. What fails while a command is carried out is told by the
 * next fence that is waited for; a device that answers no longer fails every slot with TN_ERROR_DEVICE.
 * Slots that take a queue enqueue and return at once; the host memory of a copy stays until the copy is done.
 * Thread: any, but one at a time for one queue; `fence_wait` and `fence_signal` always. */
#ifndef TENON_EXT_DRAFT_DEVICE_H
#define TENON_EXT_DRAFT_DEVICE_H

#include "../../runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TN_DEVICE_API "tenon.device/1"
typedef struct TnDeviceApi {
  size_t size;
  /* The devices that are present, without opening one: an array of maps
   *   name       string  KIND:ORDINAL
   *   spaces     array   of maps {name: string, bytes: int}; space 0 is where tensors lie
   *   alignment  int     of what `alloc` gives; 64 when absent
   *   queues     int     that may be open at once; 4 when absent
   * and whatever else a loader judges by: {revision: 2, sram_bytes: 262144}. */
  int (*list)(void* instance, TnValue* ret);
  /* One device may be opened several times: what is allocated through one handle is not seen through another. */
  int (*open)(void* instance, const char* name, void** device, TnValue* ret);
  void (*close)(void* device); /* its memory, queues and fences are gone before */

  int (*alloc)(void* device, int32_t space, uint64_t bytes, void** memory, TnValue* ret); /* TN_ERROR_OUT_OF_MEMORY */
  void (*free)(void* device, int32_t space, void* memory); /* no command that uses it waits or runs */

  int (*queue_create)(void* device, void** queue, TnValue* ret);
  void (*queue_destroy)(void* queue); /* it is empty */
  int (*copy_in)(void* queue, const void* host, void* memory, uint64_t offset, uint64_t bytes, TnValue* ret);
  int (*copy_out)(void* queue, void* memory, uint64_t offset, void* host, uint64_t bytes, TnValue* ret);
  int (*copy_within)(void* queue, void* from, uint64_t from_offset, void* to, uint64_t to_offset, uint64_t bytes,
                     TnValue* ret);

  /* A fence is a number that only grows, from 0. The queue waits until it is at least `value`, or sets it to `value`. */
  int (*fence_create)(void* device, void** fence, TnValue* ret);
  void (*fence_destroy)(void* fence); /* no queue uses it any more */
  int (*queue_wait)(void* queue, void* fence, uint64_t value, TnValue* ret);
  int (*queue_signal)(void* queue, void* fence, uint64_t value, TnValue* ret);
  /* The host waits: 0 it is reached, 1 `timeout_ns` went by, -1 it will never be, with the reason. */
  int (*fence_wait)(void* fence, uint64_t value, int64_t timeout_ns, TnValue* ret);
  int (*fence_signal)(void* fence, uint64_t value, TnValue* ret);

  /* Drops the commands that have not begun and returns when none of the queue is running: its memory may be freed then.
   * Fences that they would have set stay as they are. Fails when the device cannot stop: it counts as lost. */
  int (*queue_cancel)(void* queue, TnValue* ret);
} TnDeviceApi;

#ifdef __cplusplus
}
#endif
#endif
