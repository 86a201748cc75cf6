/* What the plugin and the kernel agree on: one row of 64-bit numbers for each function, in the payload's first
 * constant. */
#ifndef CODEGEN_CONV_KERNEL_H
#define CODEGEN_CONV_KERNEL_H

#include <stdint.h>

enum { CONV_ENTRIES = 16 }; /* entries of one object: conv_relu_0 and so on */

typedef struct ConvRow {
  int64_t batch; /* -1: any */
  int64_t channels, height, width;
  int64_t filters, kernel_height, kernel_width;
  int64_t stride_y, stride_x, pad_top, pad_left, pad_bottom, pad_right, dilation_y, dilation_x, groups;
  int64_t weight_constant; /* which constant of the payload holds the weight, or -1: the second argument does */
} ConvRow;

#endif
