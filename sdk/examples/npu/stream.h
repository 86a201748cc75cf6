/* The private command stream of the example accelerator: what its code generator writes and its loader reads.
 *
 * The accelerator multiplies int8 matrices into int32 and works on what leaves the array: bias, relu, and a shift back
 * to int8. It has `lanes` columns; weights are packed for that number, in an order that is nobody else's business.
 *
 * A stream is a header, its functions, its commands, one after another, little endian. Weights and biases are not in
 * it: commands name them by their place in the payload's list of constants. */
#ifndef EXAMPLE_NPU_STREAM_H
#define EXAMPLE_NPU_STREAM_H

#include <stddef.h>
#include <stdint.h>

#define NPU_KIND "com.example.npu"
#define NPU_FORMAT "com.example.npu-stream/1"
#define NPU_FAMILY "q" /* in a payload's requirements: {family, lanes, sram_bytes} */

enum { NPU_MAGIC = 0x3155504e, NPU_TENSORS = 4, NPU_RANK = 4, NPU_SYMBOL = 64 };

typedef struct NpuHeader {
  uint32_t magic;
  uint32_t lanes; /* that the weights are packed for */
  uint32_t function_count;
  uint32_t command_count;
} NpuHeader;

typedef struct NpuTensor {
  int32_t bits; /* 8 or 32, signed integers */
  int32_t ndim;
  int64_t dims[NPU_RANK]; /* -1: any; the same for all that are -1 at dimension 0, the batch */
} NpuTensor;

typedef struct NpuFunction {
  char symbol[NPU_SYMBOL];
  int32_t inputs, outputs;
  NpuTensor tensors[NPU_TENSORS]; /* inputs, then outputs */
  uint32_t first_command, command_count;
} NpuFunction;

enum {
  NPU_GEMM = 1,    /* out[rows, n] = x[rows, k] * w[k, n]; rows: whatever stands before k in x's shape */
  NPU_CONV = 2,    /* out[b, n, out_h, out_w] of x[b, channels, height, width]; k is channels * kernel_h * kernel_w */
  NPU_HALT = 240,  /* the device stops answering, as a broken one would */
  NPU_SLEEP = 241, /* for k milliseconds, unless it is cancelled */
  NPU_WEDGE = 242  /* for ever, and cannot be cancelled */
};

enum {
  NPU_BIAS = 1,
  NPU_RELU = 2,
  NPU_REQUANTISE = 4 /* int8 out: clamp((acc * multiplier + (1 << (shift - 1))) >> shift, -128, 127), in 64 bits */
};

typedef struct NpuCommand {
  uint16_t op, flags;
  uint8_t x, out;       /* numbers of tensors */
  uint8_t weight, bias; /* numbers of constants: int8, packed; int32[n] */
  int32_t k, n;
  int32_t channels, height, width, kernel_h, kernel_w, stride_h, stride_w, pad_top, pad_left, out_h, out_w;
  int32_t multiplier, shift; /* shift: 1 to 62 */
} NpuCommand;

/* Weights: panels of `lanes` columns; in a panel, groups of four rows; in a group, the four of each column together.
 * What the matrix lacks is zero. */
static inline size_t npu_packed_bytes(int64_t lanes, int64_t k, int64_t n) {
  return (size_t)((n + lanes - 1) / lanes * lanes) * (size_t)((k + 3) / 4 * 4);
}
static inline size_t npu_packed_at(int64_t lanes, int64_t k, int64_t row, int64_t column) {
  const int64_t groups = (k + 3) / 4;
  return (size_t)(((column / lanes * groups + row / 4) * lanes + column % lanes) * 4 + row % 4);
}
/* The weight of row r and column c is at from[r * row_stride + c * column_stride]. */
static inline void npu_pack(int64_t lanes, int64_t k, int64_t n, const int8_t* from, int64_t row_stride,
                            int64_t column_stride, int8_t* to) {
  for (size_t i = 0; i < npu_packed_bytes(lanes, k, n); ++i) to[i] = 0;
  for (int64_t r = 0; r < k; ++r)
    for (int64_t c = 0; c < n; ++c) to[npu_packed_at(lanes, k, r, c)] = from[r * row_stride + c * column_stride];
}

#endif
