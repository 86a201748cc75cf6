#include <tenon/compute.h>

using namespace tenon;

struct Plugin : PluginInstance {
  using PluginInstance::PluginInstance;
};

// The meaning of the operator; its type follows from it.
static void swish(Compute& f) {
  const Tensor& x = f.in(0);
  if (!is_floating(x.dtype)) f.refuse(TN_ERROR_TYPE, "takes floating point, not " + dtype_text(x.dtype));
  Node beta = f.b.constant_of(f.attr_float("beta", 1.0), x.dtype);
  Tensor y = f.output(x.shape, x.dtype);
  f.spatial(y, "swish", [&](const Indices& i) {
    return f.b.mul(x(i), f.b.intrinsic(x.dtype, "tir.sigmoid", {f.b.mul(beta, x(i))}));
  });
}

static constexpr OpDefinition ops[] = {{"@ID@.swish", &swish}};
static constexpr TnOp op_table_of_rows = op_table<Plugin, ops>();
TENON_PLUGIN(Plugin, op_table_of_rows)
