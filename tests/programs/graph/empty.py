# Reductions that may have nothing to reduce: they give the value that they begin with.
# main(x (n, m), w (m, n)) = (sums of the rows, sums of the columns, x @ w, the sum of all).
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tir as T


@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n", "m"), "float32"), w: R.Tensor(("m", "n"), "float32")):
        with R.dataflow():
            rows = R.sum(x, axis=[1])
            columns = R.sum(x, axis=[0])
            product = R.matmul(x, w)
            everything = R.sum(x)
            R.output(rows, columns, product, everything)
        return (rows, columns, product, everything)
