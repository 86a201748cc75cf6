#define _GNU_SOURCE
#include "simulator.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { OP_COPY_IN, OP_COPY_OUT, OP_COPY, OP_LAUNCH, OP_WAIT, OP_SIGNAL };

typedef struct Entry {
  struct Entry* next;
  int op;
  const void* from;
  void* to;
  uint64_t a, b, bytes; /* addresses; a value */
  NpuFence* fence;
  NpuLaunch launch;
} Entry;

struct NpuFence {
  NpuDevice* device;
  uint64_t value;
};

struct NpuQueue {
  NpuDevice* device;
  NpuQueue* next;
  pthread_t thread;
  Entry *first, *last;
  int busy, cancel, end;
};

typedef struct Room {
  uint64_t address, bytes;
} Room;

/* Everything below `mutex` is guarded by it; memory is written by the queues' threads alone, in the order that fences
 * give. */
struct NpuDevice {
  const NpuModel* model;
  char* memory;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  Room* used; /* in the order of addresses */
  size_t used_count;
  NpuQueue* queues;
  const char* stopped;
};

static const NpuModel kModels[] = {{1, 8, 64 << 10, 32 << 20}, {2, 16, 256 << 10, 64 << 20}};

const NpuModel* npu_model(int64_t revision) {
  for (size_t i = 0; i < sizeof kModels / sizeof *kModels; ++i)
    if (kModels[i].revision == revision) return &kModels[i];
  return NULL;
}

const NpuModel* npu_model_of(const NpuDevice* device) { return device->model; }

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The mutex is held. */
static void wait_until(NpuDevice* d, int64_t end) {
  struct timespec t = {end / 1000000000, end % 1000000000};
  pthread_cond_timedwait(&d->changed, &d->mutex, &t);
}

NpuDevice* npu_open(const NpuModel* model) {
  NpuDevice* d = calloc(1, sizeof *d);
  if (!d) return NULL;
  d->model = model;
  d->stopped = "";
  d->memory = mmap(NULL, (size_t)model->memory_bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (d->memory == MAP_FAILED) {
    free(d);
    return NULL;
  }
  pthread_condattr_t monotonic;
  pthread_condattr_init(&monotonic);
  pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
  pthread_cond_init(&d->changed, &monotonic);
  pthread_condattr_destroy(&monotonic);
  pthread_mutex_init(&d->mutex, NULL);
  return d;
}

void npu_close(NpuDevice* d) {
  munmap(d->memory, (size_t)d->model->memory_bytes);
  pthread_cond_destroy(&d->changed);
  pthread_mutex_destroy(&d->mutex);
  free(d->used);
  free(d);
}

/* ---- Memory: first fit, from address 64 on --------------------------------------------------------------------------
 */

uint64_t npu_alloc(NpuDevice* d, uint64_t bytes) {
  uint64_t at = 64, wanted = (bytes + 63) / 64 * 64, end = (uint64_t)d->model->memory_bytes;
  if (bytes > end) return 0;
  pthread_mutex_lock(&d->mutex);
  size_t i = 0;
  while (i < d->used_count && d->used[i].address - at < wanted) {
    at = d->used[i].address + d->used[i].bytes;
    ++i;
  }
  Room* grown = end - at < wanted ? NULL : realloc(d->used, (d->used_count + 1) * sizeof *grown);
  if (grown) {
    d->used = grown;
    memmove(&grown[i + 1], &grown[i], (d->used_count++ - i) * sizeof *grown);
    grown[i].address = at;
    grown[i].bytes = wanted;
  } else {
    at = 0;
  }
  pthread_mutex_unlock(&d->mutex);
  return at;
}

void npu_free(NpuDevice* d, uint64_t address) {
  pthread_mutex_lock(&d->mutex);
  for (size_t i = 0; i < d->used_count; ++i)
    if (d->used[i].address == address) {
      memmove(&d->used[i], &d->used[i + 1], (--d->used_count - i) * sizeof *d->used);
      break;
    }
  pthread_mutex_unlock(&d->mutex);
}

/* ---- The array ------------------------------------------------------------------------------------------------------
 */

static int is_inside(const NpuDevice* d, uint64_t address, uint64_t bytes) {
  const uint64_t end = (uint64_t)d->model->memory_bytes;
  return address >= 64 && address <= end && bytes <= end - address;
}

static int is_cancelled(NpuQueue* q) {
  pthread_mutex_lock(&q->device->mutex);
  int cancelled = q->cancel;
  pthread_mutex_unlock(&q->device->mutex);
  return cancelled;
}

static int8_t input_of(const NpuLaunch* l, const int8_t* x, int64_t row, int64_t k) {
  const NpuCommand* c = &l->command;
  if (c->op == NPU_GEMM) return x[row * c->k + k];
  const int64_t place = row % ((int64_t)c->out_h * c->out_w), batch = row / ((int64_t)c->out_h * c->out_w);
  const int64_t channel = k / (c->kernel_h * c->kernel_w), at = k % (c->kernel_h * c->kernel_w);
  const int64_t i = place / c->out_w * c->stride_h - c->pad_top + at / c->kernel_w;
  const int64_t j = place % c->out_w * c->stride_w - c->pad_left + at % c->kernel_w;
  if (i < 0 || i >= c->height || j < 0 || j >= c->width) return 0;
  return x[((batch * c->channels + channel) * c->height + i) * c->width + j];
}

/* One row of results at a time: what enters the array is gathered once, weights are read in the order they lie in. */
static const char* multiply(NpuQueue* q, const NpuLaunch* l) {
  const NpuDevice* d = q->device;
  const NpuCommand* c = &l->command;
  const int64_t lanes = l->lanes, groups = (c->k + 3) / 4,
                places = c->op == NPU_CONV ? (int64_t)c->out_h * c->out_w : 1;
  const int64_t rows = l->rows * places;
  const uint64_t out_bytes = (uint64_t)rows * (uint64_t)c->n * (c->flags & NPU_REQUANTISE ? 1 : 4);
  if (!is_inside(d, l->tensors[c->x], l->tensor_bytes[c->x]) || !is_inside(d, l->tensors[c->out], out_bytes) ||
      l->tensor_bytes[c->out] < out_bytes || !is_inside(d, l->weight, npu_packed_bytes(lanes, c->k, c->n)) ||
      (c->flags & NPU_BIAS && !is_inside(d, l->bias, 4 * (uint64_t)c->n)))
    return "a command reached beyond the memory";
  const int8_t* x = (const int8_t*)d->memory + l->tensors[c->x];
  const int8_t* weight = (const int8_t*)d->memory + l->weight;
  const int32_t* bias = (const int32_t*)(d->memory + l->bias);
  char* out = d->memory + l->tensors[c->out];
  int8_t* entering = calloc((size_t)groups * 4, 1);
  if (!entering) return "the simulator has no memory";
  for (int64_t row = 0; row < rows; ++row) {
    if (row % 64 == 0 && is_cancelled(q)) break;
    for (int64_t k = 0; k < c->k; ++k) entering[k] = input_of(l, x, row, k);
    for (int64_t n = 0; n < c->n; ++n) {
      const int8_t* column = weight + npu_packed_at(lanes, c->k, 0, n);
      int32_t acc = c->flags & NPU_BIAS ? bias[n] : 0;
      for (int64_t g = 0; g < groups; ++g)
        for (int i = 0; i < 4; ++i)
          acc = (int32_t)((uint32_t)acc + (uint32_t)(entering[4 * g + i] * column[g * lanes * 4 + i]));
      if (c->flags & NPU_RELU && acc < 0) acc = 0;
      const int64_t at = c->op == NPU_GEMM ? row * c->n + n : (row / places * c->n + n) * places + row % places;
      if (c->flags & NPU_REQUANTISE) {
        int64_t scaled = ((int64_t)acc * c->multiplier + ((int64_t)1 << (c->shift - 1))) >> c->shift;
        ((int8_t*)out)[at] = (int8_t)(scaled < -128 ? -128 : scaled > 127 ? 127 : scaled);
      } else {
        ((int32_t*)out)[at] = acc;
      }
    }
  }
  free(entering);
  return NULL;
}

/* Null, or why the device stops. */
static const char* execute(NpuQueue* q, const NpuLaunch* l) {
  const struct timespec tick = {0, 1000000};
  switch (l->command.op) {
    case NPU_GEMM:
    case NPU_CONV: return multiply(q, l);
    case NPU_SLEEP:
      for (int64_t end = now() + (int64_t)l->command.k * 1000000; now() < end && !is_cancelled(q);)
        nanosleep(&tick, NULL);
      return NULL;
    case NPU_WEDGE:
      for (;;) nanosleep(&tick, NULL);
    case NPU_HALT: return "it was told to halt";
    default: return "an unknown command";
  }
}

/* ---- Queues ---------------------------------------------------------------------------------------------------------
 */

static const char* carry_out(NpuQueue* q, const Entry* e) {
  NpuDevice* d = q->device;
  switch (e->op) {
    case OP_COPY_IN:
      if (!is_inside(d, e->b, e->bytes)) return "a copy reached beyond the memory";
      memcpy(d->memory + e->b, e->from, e->bytes);
      return NULL;
    case OP_COPY_OUT:
      if (!is_inside(d, e->a, e->bytes)) return "a copy reached beyond the memory";
      memcpy(e->to, d->memory + e->a, e->bytes);
      return NULL;
    case OP_COPY:
      if (!is_inside(d, e->a, e->bytes) || !is_inside(d, e->b, e->bytes)) return "a copy reached beyond the memory";
      memmove(d->memory + e->b, d->memory + e->a, e->bytes);
      return NULL;
    case OP_LAUNCH: return execute(q, &e->launch);
    default: return NULL;
  }
}

static void drop_entries(NpuQueue* q) {
  while (q->first) {
    Entry* e = q->first;
    q->first = e->next;
    free(e);
  }
  q->last = NULL;
}

static void* work(void* argument) {
  NpuQueue* q = argument;
  NpuDevice* d = q->device;
  pthread_mutex_lock(&d->mutex);
  for (;;) {
    if (q->cancel || *d->stopped) drop_entries(q);
    Entry* e = q->first;
    if (!e && q->end) break;
    if (!e || (e->op == OP_WAIT && e->fence->value < e->a)) {
      pthread_cond_wait(&d->changed, &d->mutex);
      continue;
    }
    q->first = e->next;
    if (!q->first) q->last = NULL;
    q->busy = 1;
    const char* failure = NULL;
    if (e->op == OP_SIGNAL) {
      if (e->fence->value < e->a) e->fence->value = e->a;
    } else if (e->op != OP_WAIT) {
      pthread_mutex_unlock(&d->mutex);
      failure = carry_out(q, e);
      pthread_mutex_lock(&d->mutex);
    }
    if (failure && !*d->stopped) d->stopped = failure;
    free(e);
    q->busy = 0;
    pthread_cond_broadcast(&d->changed);
  }
  pthread_mutex_unlock(&d->mutex);
  return NULL;
}

NpuQueue* npu_queue(NpuDevice* d) {
  NpuQueue* q = calloc(1, sizeof *q);
  if (!q) return NULL;
  q->device = d;
  if (pthread_create(&q->thread, NULL, work, q)) {
    free(q);
    return NULL;
  }
  pthread_mutex_lock(&d->mutex);
  q->next = d->queues;
  d->queues = q;
  pthread_mutex_unlock(&d->mutex);
  return q;
}

void npu_queue_end(NpuQueue* q) {
  NpuDevice* d = q->device;
  pthread_mutex_lock(&d->mutex);
  q->end = 1;
  for (NpuQueue** at = &d->queues; *at; at = &(*at)->next)
    if (*at == q) {
      *at = q->next;
      break;
    }
  pthread_cond_broadcast(&d->changed);
  pthread_mutex_unlock(&d->mutex);
  pthread_join(q->thread, NULL);
  drop_entries(q);
  free(q);
}

int npu_queue_cancel(NpuQueue* q) {
  NpuDevice* d = q->device;
  const int64_t end = now() + 200000000;
  pthread_mutex_lock(&d->mutex);
  q->cancel = 1;
  pthread_cond_broadcast(&d->changed);
  while ((q->busy || q->first) && now() < end) wait_until(d, end);
  const int stuck = q->busy;
  q->cancel = 0;
  if (stuck && !*d->stopped) d->stopped = "a command could not be cancelled";
  pthread_mutex_unlock(&d->mutex);
  return stuck ? -1 : 0;
}

static int enqueue(NpuQueue* q, Entry entry) {
  NpuDevice* d = q->device;
  Entry* e = malloc(sizeof *e);
  if (!e) return -1;
  *e = entry;
  e->next = NULL;
  pthread_mutex_lock(&d->mutex);
  const int stopped = *d->stopped != 0;
  if (stopped) {
    free(e);
  } else {
    if (q->last)
      q->last->next = e;
    else
      q->first = e;
    q->last = e;
    pthread_cond_broadcast(&d->changed);
  }
  pthread_mutex_unlock(&d->mutex);
  return stopped ? -1 : 0;
}

int npu_copy_in(NpuQueue* q, const void* host, uint64_t address, uint64_t bytes) {
  return enqueue(q, (Entry){.op = OP_COPY_IN, .from = host, .b = address, .bytes = bytes});
}
int npu_copy_out(NpuQueue* q, uint64_t address, void* host, uint64_t bytes) {
  return enqueue(q, (Entry){.op = OP_COPY_OUT, .a = address, .to = host, .bytes = bytes});
}
int npu_copy(NpuQueue* q, uint64_t from, uint64_t to, uint64_t bytes) {
  return enqueue(q, (Entry){.op = OP_COPY, .a = from, .b = to, .bytes = bytes});
}
int npu_launch(NpuQueue* q, const NpuLaunch* launch) { return enqueue(q, (Entry){.op = OP_LAUNCH, .launch = *launch}); }
int npu_wait(NpuQueue* q, NpuFence* fence, uint64_t value) {
  return enqueue(q, (Entry){.op = OP_WAIT, .fence = fence, .a = value});
}
int npu_signal(NpuQueue* q, NpuFence* fence, uint64_t value) {
  return enqueue(q, (Entry){.op = OP_SIGNAL, .fence = fence, .a = value});
}

/* ---- Fences ---------------------------------------------------------------------------------------------------------
 */

NpuFence* npu_fence(NpuDevice* d) {
  NpuFence* f = calloc(1, sizeof *f);
  if (f) f->device = d;
  return f;
}

void npu_fence_end(NpuFence* f) { free(f); }

void npu_fence_set(NpuFence* f, uint64_t value) {
  pthread_mutex_lock(&f->device->mutex);
  if (f->value < value) f->value = value;
  pthread_cond_broadcast(&f->device->changed);
  pthread_mutex_unlock(&f->device->mutex);
}

int npu_fence_wait(NpuFence* f, uint64_t value, int64_t timeout_ns) {
  NpuDevice* d = f->device;
  const int64_t end = now() + timeout_ns;
  pthread_mutex_lock(&d->mutex);
  while (f->value < value && !*d->stopped && now() < end) wait_until(d, end);
  const int status = f->value >= value ? 0 : *d->stopped ? -1 : 1;
  pthread_mutex_unlock(&d->mutex);
  return status;
}

const char* npu_stopped(NpuDevice* d) {
  pthread_mutex_lock(&d->mutex);
  const char* why = d->stopped;
  pthread_mutex_unlock(&d->mutex);
  return why;
}
