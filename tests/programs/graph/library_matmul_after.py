# Program (d) after dispatch-library:dispatch: the product is a call of a function that the application registers.
# External: mylib.matmul(x (b, 6, 16), w (16, 10), out (b, 6, 10)).
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tir as T


@I.ir_module
class Module:
    @R.function
    def main(
        x: R.Tensor(("b", 6, 16), "float32"), w: R.Tensor((16, 10), "float32"), bias: R.Tensor((10,), "float32")
    ) -> R.Tensor(("b", 6, 10), "float32"):
        b = T.int64()
        with R.dataflow():
            product = R.call_dps_packed("mylib.matmul", (x, w), out_ty=R.Tensor((b, 6, 10), "float32"))
            positive = R.nn.relu(product)
            y = R.add(positive, bias)
            R.output(y)
        return y
