/* tenon.loader/1: reads command streams, keeps their weights on the device, enqueues their functions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin.h"

typedef struct Module {
  Plugin* plugin;
  Handle* handle;
  NpuHeader header;
  const NpuFunction* functions;
  const NpuCommand* commands;
  void** constants; /* on the device */
  size_t constant_count;
} Module;

static int fail(Plugin* p, int32_t code, const char* hint, TnValue* ret, const char* what) {
  return p->runtime->error(code, what, NULL, hint, NULL, ret);
}
static int corrupt(Plugin* p, TnValue* ret, const char* what) {
  return fail(p, TN_ERROR_CORRUPT, "compile the model again", ret, what);
}

/* ---- Does it fit? ---------------------------------------------------------------------------------------------------
 */

static int64_t number_of(const TnValue* map, const char* key) {
  const TnValue* v = tn_map_find(map, key);
  return v && v->type_index == TN_INT ? v->as.i : 0;
}

static int accepts(void* instance, const char* format, const TnValue* requirements, const TnValue* properties,
                   int32_t* answer, TnValue* ret) {
  Plugin* p = instance;
  (void)format;
  char why[160] = "";
  const TnValue* family = tn_map_find(requirements, "family");
  const int64_t lanes = number_of(requirements, "lanes"), has_lanes = number_of(properties, "lanes");
  const int64_t sram = number_of(requirements, "sram_bytes"), has_sram = number_of(properties, "sram_bytes");
  if (!has_lanes || !family || family->type_index != TN_STRING ||
      strcmp(((const TnString*)family->as.object)->data, NPU_FAMILY) != 0) {
    *answer = TN_ACCEPT_NO;
    snprintf(why, sizeof why, "it was compiled for another family of accelerators");
  } else if (lanes > has_lanes) {
    *answer = TN_ACCEPT_RECOMPILE;
    snprintf(why, sizeof why, "its weights are packed for %lld lanes, and this accelerator has %lld", (long long)lanes,
             (long long)has_lanes);
  } else if (sram > has_sram) {
    *answer = TN_ACCEPT_RECOMPILE;
    snprintf(why, sizeof why, "it needs %lld bytes of fast memory, and this accelerator has %lld", (long long)sram,
             (long long)has_sram);
  } else if (lanes < has_lanes) {
    *answer = TN_ACCEPT_WORKS;
    snprintf(why, sizeof why, "its weights are packed for %lld of the %lld lanes", (long long)lanes,
             (long long)has_lanes);
  } else {
    *answer = TN_ACCEPT_BEST;
  }
  return p->runtime->string(why, strlen(why), ret);
}

/* ---- Loading --------------------------------------------------------------------------------------------------------
 */

/* What is wrong with a command; null when nothing is. */
static const char* complaint(const Module* m, const NpuFunction* f, const NpuCommand* c, const TnPayload* payload) {
  const int tensors = f->inputs + f->outputs;
  if (c->op >= NPU_HALT) return NULL;
  if (c->op != NPU_GEMM && c->op != NPU_CONV) return "the command stream has a command that this accelerator lacks";
  if (c->x >= f->inputs || c->out < f->inputs || c->out >= tensors) return "a command names a tensor that is not there";
  if (c->k < 1 || c->n < 1 || c->k > 1 << 24 || c->n > 1 << 24) return "a command has an impossible size";
  if (f->tensors[c->x].bits != 8 || f->tensors[c->out].bits != (c->flags & NPU_REQUANTISE ? 8 : 32))
    return "a command does not fit the dtypes of its tensors";
  if (c->flags & NPU_REQUANTISE && (c->shift < 1 || c->shift > 62)) return "a command shifts too far";
  if (c->weight >= payload->constant_count ||
      payload->constants[c->weight].bytes < npu_packed_bytes(m->header.lanes, c->k, c->n))
    return "a weight of the command stream is missing or too small";
  if (c->flags & NPU_BIAS &&
      (c->bias >= payload->constant_count || payload->constants[c->bias].bytes < 4 * (uint64_t)c->n))
    return "a bias of the command stream is missing or too small";
  if (c->op == NPU_CONV && (c->channels < 1 || c->kernel_h < 1 || c->kernel_w < 1 || c->stride_h < 1 ||
                            c->stride_w < 1 || c->out_h < 1 || c->out_w < 1 || c->height < 1 || c->width < 1 ||
                            (int64_t)c->channels * c->kernel_h * c->kernel_w != c->k || f->tensors[c->x].ndim != 4))
    return "a convolution of the command stream is impossible";
  return NULL;
}

static const char* decode(Module* m, const TnPayload* payload) {
  const char* bytes = payload->data;
  if (payload->bytes < sizeof m->header) return "the command stream is cut off";
  memcpy(&m->header, bytes, sizeof m->header);
  const NpuHeader* h = &m->header;
  if (h->magic != NPU_MAGIC) return "the payload is no command stream";
  if (h->lanes < 1 || h->lanes > 1024 || h->function_count > 1 << 20 || h->command_count > 1 << 20 ||
      payload->bytes != sizeof *h + h->function_count * sizeof(NpuFunction) + h->command_count * sizeof(NpuCommand))
    return "the command stream is not as long as it says";
  m->functions = (const NpuFunction*)(const void*)(bytes + sizeof *h); /* at the begin of a page: aligned */
  m->commands = (const NpuCommand*)(const void*)(m->functions + h->function_count);
  for (uint32_t i = 0; i < h->function_count; ++i) {
    const NpuFunction* f = &m->functions[i];
    if (!memchr(f->symbol, 0, NPU_SYMBOL) || f->inputs < 0 || f->outputs < 0 || f->inputs > NPU_TENSORS ||
        f->outputs > NPU_TENSORS - f->inputs || f->first_command > h->command_count ||
        f->command_count > h->command_count - f->first_command)
      return "a function of the command stream is impossible";
    for (int t = 0; t < f->inputs + f->outputs; ++t)
      if ((f->tensors[t].bits != 8 && f->tensors[t].bits != 32) || f->tensors[t].ndim < 1 ||
          f->tensors[t].ndim > NPU_RANK)
        return "a tensor of the command stream is impossible";
    for (uint32_t c = 0; c < f->command_count; ++c) {
      const char* why = complaint(m, f, &m->commands[f->first_command + c], payload);
      if (why) return why;
    }
  }
  return NULL;
}

static void unload(void* module) {
  Module* m = module;
  for (size_t i = 0; i < m->constant_count; ++i)
    if (m->constants[i]) npu_device_api.free(m->handle, 0, m->constants[i]);
  free(m->constants);
  free(m);
}

static int upload(Module* m, const TnPayload* payload, TnValue* ret) {
  const TnDeviceApi* api = &npu_device_api;
  void *queue = NULL, *fence = NULL;
  if (api->queue_create(m->handle, &queue, ret)) return -1;
  int status = api->fence_create(m->handle, &fence, ret);
  for (; m->constant_count < payload->constant_count && status == 0; ++m->constant_count) {
    const TnBlob* blob = &payload->constants[m->constant_count];
    status = api->alloc(m->handle, 0, blob->bytes ? blob->bytes : 1, &m->constants[m->constant_count], ret);
    if (status) break;
    status = api->copy_in(queue, blob->data, m->constants[m->constant_count], 0, blob->bytes, ret);
  }
  if (status == 0) status = api->queue_signal(queue, fence, 1, ret);
  while (status == 0 && (status = api->fence_wait(fence, 1, 1000000000, ret)) == 1) status = 0;
  TnValue ignored;
  if (status) {
    if (api->queue_cancel(queue, &ignored)) tn_value_release(&ignored);
  }
  if (fence) api->fence_destroy(fence);
  api->queue_destroy(queue);
  return status;
}

static int load(void* instance, const TnPayload* payload, const TnLoadTarget* target, void** module, TnValue* ret) {
  Plugin* p = instance;
  if (target->api != &npu_device_api)
    return fail(p, TN_ERROR_UNSUPPORTED, "use the device of the same plugin", ret,
                "the loader works with the devices of its own plugin");
  Module* m = calloc(1, sizeof *m);
  if (m) m->constants = calloc(payload->constant_count + 1, sizeof *m->constants);
  if (!m || !m->constants) {
    free(m);
    return fail(p, TN_ERROR_OUT_OF_MEMORY, NULL, ret, "out of memory");
  }
  m->plugin = p;
  m->handle = target->device;
  const char* why = decode(m, payload);
  int status = why ? corrupt(p, ret, why) : upload(m, payload, ret);
  if (status) {
    unload(m);
    return -1;
  }
  *module = m;
  return 0;
}

static int function(void* module, const char* symbol, TnLoadedFunction* out, TnValue* ret) {
  Module* m = module;
  for (uint32_t i = 0; i < m->header.function_count; ++i)
    if (!strcmp(m->functions[i].symbol, symbol)) {
      out->function = (void*)(uintptr_t)&m->functions[i];
      out->inputs = m->functions[i].inputs;
      out->outputs = m->functions[i].outputs;
      return 0;
    }
  char text[160];
  snprintf(text, sizeof text, "the command stream has no function '%.100s'", symbol);
  return fail(m->plugin, TN_ERROR_NOT_FOUND, NULL, ret, text);
}

/* ---- Calling --------------------------------------------------------------------------------------------------------
 */

static int wrong_tensor(Module* m, const NpuFunction* f, int i, TnValue* ret) {
  char text[192];
  snprintf(text, sizeof text, "%s: tensor %d has another dtype, rank or shape than the stream was compiled for",
           f->symbol, i);
  return fail(m->plugin, TN_ERROR_SHAPE, NULL, ret, text);
}

static int launch(void* module, void* function, void* queue, const TnValue* args, int32_t n, TnValue* ret) {
  Module* m = module;
  const NpuFunction* f = function;
  Queue* q = queue;
  NpuLaunch l;
  memset(&l, 0, sizeof l);
  l.lanes = m->header.lanes;
  int64_t batch = -1;
  for (int i = 0; i < n; ++i) {
    if (args[i].type_index != TN_DLTENSOR) return wrong_tensor(m, f, i, ret);
    const DLTensor* t = args[i].as.p;
    const NpuTensor* wanted = &f->tensors[i];
    if (t->dtype.code != kDLInt || t->dtype.bits != wanted->bits || t->dtype.lanes != 1 || t->ndim != wanted->ndim)
      return wrong_tensor(m, f, i, ret);
    uint64_t bytes = (uint64_t)wanted->bits / 8;
    for (int d = 0; d < t->ndim; ++d) {
      if (wanted->dims[d] >= 0 && wanted->dims[d] != t->shape[d]) return wrong_tensor(m, f, i, ret);
      if (wanted->dims[d] < 0 && d == 0) {
        if (batch >= 0 && batch != t->shape[0]) return wrong_tensor(m, f, i, ret);
        batch = t->shape[0];
      }
      bytes *= (uint64_t)t->shape[d];
    }
    l.tensors[i] = (uint64_t)(uintptr_t)t->data + t->byte_offset;
    l.tensor_bytes[i] = bytes;
  }
  for (uint32_t c = 0; c < f->command_count; ++c) {
    l.command = m->commands[f->first_command + c];
    if (l.command.op < NPU_HALT) {
      const DLTensor* x = args[l.command.x].as.p;
      if (l.command.op == NPU_GEMM && x->shape[x->ndim - 1] != l.command.k) return wrong_tensor(m, f, l.command.x, ret);
      l.rows = l.command.op == NPU_CONV ? x->shape[0] : (int64_t)l.tensor_bytes[l.command.x] / l.command.k;
      if (l.rows == 0) continue;
      l.weight = (uint64_t)(uintptr_t)m->constants[l.command.weight];
      l.bias = l.command.flags & NPU_BIAS ? (uint64_t)(uintptr_t)m->constants[l.command.bias] : 0;
      if (l.command.op == NPU_CONV && l.tensor_bytes[l.command.x] != (uint64_t)l.rows * (uint64_t)l.command.channels *
                                                                         (uint64_t)l.command.height *
                                                                         (uint64_t)l.command.width)
        return wrong_tensor(m, f, l.command.x, ret);
    }
    if (npu_launch(q->queue, &l)) return npu_lost(q->handle, ret);
  }
  ret->type_index = TN_NONE;
  ret->small_size = 0;
  ret->as.i = 0;
  return 0;
}

static const char* const kFormats[] = {NPU_FORMAT, NULL};
const TnLoader npu_loader = {sizeof(TnLoader), kFormats, accepts, load, unload, function, launch};
