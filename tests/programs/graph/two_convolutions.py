# Program (f): a function of two convolutions that is marked as primitive by hand. Generic fusion would make two groups of it, one
# for each convolution; marked, it stays one function and becomes one loop function, and nothing around its call joins it.
# Corrected against the form that circulates: the mark is a function attribute in the text, the function is private, and
# the caller passes the weights.
# main(x (n, 2, 6, 6), v (3, 2, 3, 3), w (2, 3, 3, 3)) = tanh(relu(conv(relu(conv(2 * x, v)), w))), padding 1.
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tir as T


@I.ir_module
class Module:
    @R.function(private=True)
    def two_convolutions(
        x: R.Tensor(("n", 2, 6, 6), "float32"),
        v: R.Tensor((3, 2, 3, 3), "float32"),
        w: R.Tensor((2, 3, 3, 3), "float32"),
    ) -> R.Tensor(("n", 2, 6, 6), "float32"):
        R.func_attr({"primitive": True})
        n = T.int64()
        with R.dataflow():
            first = R.nn.conv2d(x, v, padding=[1, 1])
            middle = R.nn.relu(first)
            second = R.nn.conv2d(middle, w, padding=[1, 1])
            result = R.nn.relu(second)
            R.output(result)
        return result

    @R.function
    def main(
        x: R.Tensor(("n", 2, 6, 6), "float32"),
        v: R.Tensor((3, 2, 3, 3), "float32"),
        w: R.Tensor((2, 3, 3, 3), "float32"),
    ) -> R.Tensor(("n", 2, 6, 6), "float32"):
        n = T.int64()
        cls = Module
        with R.dataflow():
            doubled = R.add(x, x)
            inside = cls.two_convolutions(doubled, v, w)
            outside = R.tanh(inside)
            R.output(outside)
        return outside
