# The calls of the graph level: a loop function with a scalar of its own, an external function in destination-passing style, one
# that makes its result, a match_cast that brings its shape in, a branch, a tuple.
# main(x (n, m) float32, flag bool) = (flag ? 3 * x : negate(x), shrink(x) as (k, m)). Externals: test.negate(x, out),
# test.shrink(x) -> the first rows of x, as many as it likes.
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tir as T


@I.ir_module
class Module:
    @T.prim_func(private=True)
    def scale(x: T.handle, y: T.handle, factor: T.int64):
        n, m = T.int64(), T.int64()
        X = T.match_buffer(x, (n, m), "float32")
        Y = T.match_buffer(y, (n, m), "float32")
        for i, j in T.grid(n, m):
            with T.sblock("scale"):
                vi, vj = T.axis.remap("SS", [i, j])
                Y[vi, vj] = X[vi, vj] * T.Cast("float32", factor)

    @R.function
    def main(x: R.Tensor(("n", "m"), "float32"), flag: R.Tensor((), "bool")) -> R.Tuple(
        R.Tensor(("n", "m"), "float32"), R.Tensor(ndim=2, dtype="float32")
    ):
        n, m, k = T.int64(), T.int64(), T.int64()
        cls = Module
        if flag:
            tripled = R.call_tir(cls.scale, (x,), out_sinfo=R.Tensor((n, m), "float32"), tir_vars=R.shape([3]))
            y = tripled
        else:
            negated = R.call_dps_packed("test.negate", (x,), out_sinfo=R.Tensor((n, m), "float32"))
            y = negated
        rows = R.call_pure_packed("test.shrink", x, sinfo_args=(R.Tensor(ndim=2, dtype="float32"),))
        shrunk = R.match_cast(rows, R.Tensor((k, m), "float32"))
        kept: R.Tensor(ndim=2, dtype="float32") = shrunk
        return (y, kept)
