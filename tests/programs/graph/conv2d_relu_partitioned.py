# Program (c) after passes-graph:partition: each match is a private function that asks for a code generator.
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tir as T


@I.ir_module
class Module:
    @R.function(private=True)
    def conv2d_relu(
        x: R.Tensor(("n", 3, 9, 8), "float32"), w: R.Tensor((4, 3, 3, 3), "float32")
    ) -> R.Tensor(("n", 4, 5, 8), "float32"):
        n = T.int64()
        R.func_attr({"codegen": "codegen-conv", "composite": "conv2d_relu"})
        with R.dataflow():
            first = R.nn.conv2d(x, w, strides=[2, 1], padding=[1, 0, 1, 2])
            second = R.nn.relu(first)
            R.output(second)
        return second

    @R.function(private=True)
    def conv2d_relu_1(
        x: R.Tensor(("n", 4, 5, 8), "float32"), w: R.Tensor((4, 2, 1, 1), "float32")
    ) -> R.Tensor(("n", 4, 5, 8), "float32"):
        n = T.int64()
        R.func_attr({"codegen": "codegen-conv", "composite": "conv2d_relu"})
        with R.dataflow():
            third = R.nn.conv2d(x, w, groups=2)
            fourth = R.nn.relu(third)
            R.output(fourth)
        return fourth

    @R.function
    def main(
        x: R.Tensor(("n", 3, 9, 8), "float32"),
        w: R.Tensor((4, 3, 3, 3), "float32"),
        v: R.Tensor((4, 2, 1, 1), "float32"),
    ) -> R.Tensor(("n", 4, 1, 1), "float32"):
        n = T.int64()
        cls = Module
        with R.dataflow():
            second = cls.conv2d_relu(x, w)
            fourth = cls.conv2d_relu_1(second, v)
            y = R.mean(fourth, axis=[2, 3], keepdims=True)
            R.output(y)
        return y
