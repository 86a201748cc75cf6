/* "tenon.onnx_converter/1": ONNX nodes of a vendor's domain become operators. Defined by frontend-onnx, which asks for it
 * through "tenon.host.plugins/1". [isolable]
 *
 * The manifest says under `offers` which nodes:
 *   tenon.onnx_converter/1: {domain: com.vendor, operators: [FusedDense, Swish]} */
#ifndef TENON_EXT_DRAFT_ONNX_CONVERTER_H
#define TENON_EXT_DRAFT_ONNX_CONVERTER_H

#include <tenon/ext/context.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TN_ONNX_CONVERTER "tenon.onnx_converter/1"
typedef struct TnOnnxConverter {
  size_t size;
  /* `node` is a map:
   *   name, op, domain  string
   *   version           int     the opset of the domain that the model imports
   *   inputs            array   expressions with types (variables or constants); none for an optional one that is left out
   *   outputs           int     how many outputs the node has
   *   attributes        map     name -> int, float, string, array of these, or an ir.Constant for a tensor
   * `*ret` is an array with an expression for each output: calls of graph operators, nested as it likes; types are inferred
   * by the frontend, and an expression that stands in several places is computed once. Thread: any. */
  int (*convert)(void* instance, const TnContext* context, const TnValue* node, TnValue* ret);
} TnOnnxConverter;

#ifdef __cplusplus
}
#endif
#endif
