// Which operator has which definition. The manifest says what each is called with.
#include "definitions.h"

namespace tenon::ops {
namespace {

struct OpsRelax : PluginInstance {
  using PluginInstance::PluginInstance;
};

constexpr OpDefinition definitions[] = {
    // Elementwise, two operands
    {"relax.add", &add},
    {"relax.subtract", &subtract},
    {"relax.multiply", &multiply},
    {"relax.divide", &divide},
    {"relax.floor_divide", &floor_divide},
    {"relax.floor_mod", &floor_mod},
    {"relax.maximum", &maximum},
    {"relax.minimum", &minimum},
    {"relax.power", &power},
    // Comparisons
    {"relax.equal", &equal},
    {"relax.not_equal", &not_equal},
    {"relax.less", &less},
    {"relax.less_equal", &less_equal},
    {"relax.greater", &greater},
    {"relax.greater_equal", &greater_equal},
    {"relax.logical_and", &logical_and},
    {"relax.logical_or", &logical_or},
    // Elementwise, one operand
    {"relax.negative", &negative},
    {"relax.abs", &absolute},
    {"relax.square", &square},
    {"relax.clip", &clip},
    {"relax.astype", &cast},
    {"relax.where", &where},
    {"relax.logical_not", &logical_not},
    {"relax.exp", &intrinsic},
    {"relax.log", &intrinsic},
    {"relax.sqrt", &intrinsic},
    {"relax.rsqrt", &intrinsic},
    {"relax.tanh", &intrinsic},
    {"relax.sigmoid", &intrinsic},
    {"relax.erf", &intrinsic},
    {"relax.floor", &intrinsic},
    {"relax.ceil", &intrinsic},
    {"relax.round", &intrinsic},
    {"relax.sin", &intrinsic},
    {"relax.cos", &intrinsic},
    {"relax.nn.relu", &relu},
    {"relax.nn.leakyrelu", &leaky_relu},
    // Products and normalisation
    {"relax.matmul", &matmul},
    {"relax.nn.batch_norm_inference", &batch_norm_inference},
    {"relax.nn.bias_add", &bias_add},
    // Convolution
    {"relax.nn.conv1d", &conv},
    {"relax.nn.conv2d", &conv},
    {"relax.nn.conv3d", &conv},
    // Pooling
    {"relax.nn.max_pool1d", &max_pool},
    {"relax.nn.max_pool2d", &max_pool},
    {"relax.nn.max_pool3d", &max_pool},
    {"relax.nn.max_pool_indices", &max_pool_indices},
    {"relax.nn.avg_pool1d", &avg_pool},
    {"relax.nn.avg_pool2d", &avg_pool},
    {"relax.nn.avg_pool3d", &avg_pool},
    // Reductions
    {"relax.sum", &sum},
    {"relax.mean", &mean},
    {"relax.prod", &product},
    {"relax.max", &max},
    {"relax.min", &min},
    {"relax.nn.softmax", &softmax},
    {"relax.nn.log_softmax", &log_softmax},
    // Shapes
    {"relax.reshape", &reshape},
    {"relax.flatten", &flatten},
    {"relax.permute_dims", &permute_dims},
    {"relax.concat", &concat},
    {"relax.expand_dims", &expand_dims},
    {"relax.squeeze", &squeeze},
    {"relax.broadcast_to", &broadcast_to},
    {"relax.shape_to_tensor", &shape_to_tensor},
};

constexpr TnOp table = op_table<OpsRelax, definitions>();

}  // namespace
}  // namespace tenon::ops

TENON_PLUGIN(tenon::ops::OpsRelax, tenon::ops::table)
