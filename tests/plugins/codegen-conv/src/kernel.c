/* relu(conv2d(x, w)) for float32 in NCHW and OIHW. Entry K is given the numbers of function K by row K of the table. */
#include "kernel.h"

#include <tenon/kernel.h>

static int has_shape(const DLTensor* t, int64_t a, int64_t b, int64_t c, int64_t d) {
  const int64_t want[4] = {a, b, c, d};
  if (!t || t->ndim != 4 || t->dtype.code != kDLFloat || t->dtype.bits != 32 || t->dtype.lanes != 1) return 0;
  for (int i = 0; i < 4; ++i)
    if (want[i] >= 0 && t->shape[i] != want[i]) return 0;
  return 1;
}

static int run(void* self, int entry, const TnValue* args, int32_t n, TnValue* ret) {
  const TnModuleContext* context = tn_module_context(self);
  const ConvRow* row = (const ConvRow*)context->constants[0] + entry;
  const int inputs = row->weight_constant < 0 ? 2 : 1;
  const int64_t rows =
      (row->height + row->pad_top + row->pad_bottom - row->dilation_y * (row->kernel_height - 1) - 1) / row->stride_y +
      1;
  const int64_t columns =
      (row->width + row->pad_left + row->pad_right - row->dilation_x * (row->kernel_width - 1) - 1) / row->stride_x + 1;
  const int64_t depth = row->channels / row->groups, share = row->filters / row->groups;
  if (n != inputs + 1)
    return context->runtime->error(TN_ERROR_ARGUMENT, "conv_relu: a wrong number of arguments", 0, 0, 0, ret);
  const DLTensor *x = tn_tensor_argument(&args[0]), *out = tn_tensor_argument(&args[inputs]);
  if (!has_shape(x, row->batch, row->channels, row->height, row->width) ||
      !has_shape(out, x->shape[0], row->filters, rows, columns) ||
      (inputs == 2 &&
       !has_shape(tn_tensor_argument(&args[1]), row->filters, depth, row->kernel_height, row->kernel_width)))
    return context->runtime->error(TN_ERROR_SHAPE, "conv_relu: an argument is not as it was compiled for", 0, 0, 0,
                                   ret);
  const float* weight = inputs == 2 ? (float*)tn_tensor_data(tn_tensor_argument(&args[1]))
                                    : (const float*)context->constants[row->weight_constant];
  const float* input = (float*)tn_tensor_data(x);
  float* result = (float*)tn_tensor_data(out);
  for (int64_t b = 0; b < x->shape[0]; ++b)
    for (int64_t f = 0; f < row->filters; ++f)
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j) {
          float sum = 0;
          for (int64_t c = 0; c < depth; ++c)
            for (int64_t p = 0; p < row->kernel_height; ++p)
              for (int64_t q = 0; q < row->kernel_width; ++q) {
                const int64_t y = i * row->stride_y - row->pad_top + p * row->dilation_y;
                const int64_t z = j * row->stride_x - row->pad_left + q * row->dilation_x;
                if (y < 0 || y >= row->height || z < 0 || z >= row->width) continue;
                sum += input[((b * row->channels + f / share * depth + c) * row->height + y) * row->width + z] *
                       weight[((f * depth + c) * row->kernel_height + p) * row->kernel_width + q];
              }
          result[((b * row->filters + f) * rows + i) * columns + j] = sum > 0 ? sum : 0;
        }
  return tn_return_none(ret);
}

#define ENTRY(k)                                                               \
  int conv_relu_##k(void* self, const TnValue* args, int32_t n, TnValue* ret); \
  int conv_relu_##k(void* self, const TnValue* args, int32_t n, TnValue* ret) { return run(self, k, args, n, ret); }
/* clang-format off */
ENTRY(0) ENTRY(1) ENTRY(2) ENTRY(3) ENTRY(4) ENTRY(5) ENTRY(6) ENTRY(7)
ENTRY(8) ENTRY(9) ENTRY(10) ENTRY(11) ENTRY(12) ENTRY(13) ENTRY(14) ENTRY(15)
    /* clang-format on */
