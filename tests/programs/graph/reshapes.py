# Shapes in which a symbol stands only within a product, and a result whose length only a match_cast names.
# main(x (n, m)) = (relu of x twice, one after the other, as (m, n * 2), the sums of the rows).
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tir as T


@I.ir_module
class Module:
    @R.function
    def main(x: R.Tensor(("n", "m"), "float32")) -> R.Tuple(
        R.Tensor(("m", "n * 2"), "float32"), R.Tensor(ndim=1, dtype="float32")
    ):
        n, m, k = T.int64(), T.int64(), T.int64()
        flat = R.reshape(x, R.shape([n * m]))
        twice = R.concat((flat, flat), axis=0)
        turned = R.reshape(twice, R.shape([m, n * 2]))
        positive = R.nn.relu(turned)
        sums = R.sum(x, axis=[1])
        length = R.match_cast(sums, R.Tensor((k,), "float32"))
        return (positive, length)
