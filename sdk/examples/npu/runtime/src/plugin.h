/* What the device and the loader of this plugin share. */
#ifndef EXAMPLE_NPU_PLUGIN_H
#define EXAMPLE_NPU_PLUGIN_H

#include <tenon/ext/draft/loader.h>

#include "simulator.h"

typedef struct Plugin {
  const TnRuntime* runtime;
  int64_t revisions[8]; /* of the devices on this machine, in order */
  int count;
} Plugin;

/* A handle of TnDeviceApi.open. */
typedef struct Handle {
  Plugin* plugin;
  NpuDevice* device;
} Handle;

typedef struct Queue {
  Handle* handle;
  NpuQueue* queue;
} Queue;

/* Fails with TN_ERROR_DEVICE and the reason. */
int npu_lost(Handle* handle, TnValue* ret);

extern const TnDeviceApi npu_device_api;
extern const TnLoader npu_loader;

#endif
