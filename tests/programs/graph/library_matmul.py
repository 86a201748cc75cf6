# Program (d): a product with a symbolic batch goes to a function of a library; what stands around it does not.
# main(x (b, 6, 16), w (16, 10)) -> relu(x @ w) + bias, (b, 6, 10). The form after the pass is library_matmul_after.py.
# Corrected against the form that circulates: the product is called with its operands alone (its result type follows from them),
# and the library function gets its result as its last argument.
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
            product = R.matmul(x, w)
            positive = R.nn.relu(product)
            y = R.add(positive, bias)
            R.output(y)
        return y
