# Program (c) after passes-graph:external-codegen, without the payload: its bytes are those of a compiled object.
# Externals, which the payload implements: conv2d_relu(x (n, 3, 9, 8), w (4, 3, 3, 3), out (n, 4, 5, 8)) and
# conv2d_relu_1(x (n, 4, 5, 8), w (4, 2, 1, 1), out (n, 4, 5, 8)).
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tir as T


@I.ir_module
class Module:
    @R.function
    def main(
        x: R.Tensor(("n", 3, 9, 8), "float32"),
        w: R.Tensor((4, 3, 3, 3), "float32"),
        v: R.Tensor((4, 2, 1, 1), "float32"),
    ) -> R.Tensor(("n", 4, 1, 1), "float32"):
        n = T.int64()
        with R.dataflow():
            second = R.call_dps_packed("conv2d_relu", (x, w), out_ty=R.Tensor((n, 4, 5, 8), "float32"))
            fourth = R.call_dps_packed("conv2d_relu_1", (second, v), out_ty=R.Tensor((n, 4, 5, 8), "float32"))
            y = R.mean(fourth, axis=[2, 3], keepdims=True)
            R.output(y)
        return y
