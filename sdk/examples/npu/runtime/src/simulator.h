/* The accelerator, simulated: memory of its own, which the host reaches by copies only, and a thread for each queue.
 * Nothing here knows Tenon; a vendor would have a driver in its place. */
#ifndef EXAMPLE_NPU_SIMULATOR_H
#define EXAMPLE_NPU_SIMULATOR_H

#include "../../stream.h"

typedef struct NpuDevice NpuDevice;
typedef struct NpuQueue NpuQueue;
typedef struct NpuFence NpuFence;

/* The hardware of a revision: its lanes, its fast memory, its memory. */
typedef struct NpuModel {
  int64_t revision, lanes, sram_bytes, memory_bytes;
} NpuModel;
/* Null for a revision that was never built. */
const NpuModel* npu_model(int64_t revision);

NpuDevice* npu_open(const NpuModel* model); /* null without memory */
void npu_close(NpuDevice* device);
const NpuModel* npu_model_of(const NpuDevice* device);

/* Addresses are numbers in the device's memory, multiples of 64, never 0; 0 is for no room. */
uint64_t npu_alloc(NpuDevice* device, uint64_t bytes);
void npu_free(NpuDevice* device, uint64_t address);

NpuQueue* npu_queue(NpuDevice* device);
void npu_queue_end(NpuQueue* queue);
/* 0; -1 when the queue could not be emptied in time. */
int npu_queue_cancel(NpuQueue* queue);

/* What a command works on: the addresses of its tensors and constants, and the batch. */
typedef struct NpuLaunch {
  NpuCommand command;
  uint32_t lanes; /* that the weights are packed for */
  uint64_t tensors[NPU_TENSORS];
  uint64_t tensor_bytes[NPU_TENSORS];
  uint64_t weight, bias;
  int64_t rows; /* of a GEMM; the batch of a CONV */
} NpuLaunch;

/* Enqueue: 0, or -1 when the device has stopped or there is no memory. */
int npu_copy_in(NpuQueue* queue, const void* host, uint64_t address, uint64_t bytes);
int npu_copy_out(NpuQueue* queue, uint64_t address, void* host, uint64_t bytes);
int npu_copy(NpuQueue* queue, uint64_t from, uint64_t to, uint64_t bytes);
int npu_launch(NpuQueue* queue, const NpuLaunch* launch);
int npu_wait(NpuQueue* queue, NpuFence* fence, uint64_t value);
int npu_signal(NpuQueue* queue, NpuFence* fence, uint64_t value);

NpuFence* npu_fence(NpuDevice* device);
void npu_fence_end(NpuFence* fence);
void npu_fence_set(NpuFence* fence, uint64_t value);
/* 0 reached, 1 time is over, -1 the device has stopped. */
int npu_fence_wait(NpuFence* fence, uint64_t value, int64_t timeout_ns);

/* Why the device has stopped; "" while it runs. */
const char* npu_stopped(NpuDevice* device);

#endif
