# Program (a): a graph function calls a loop function with symbolic n, d, m through call_tir, flattens the result to (n * m,),
# applies exp, and calls a registered external function that updates it in place. main(x (n, d), w (d, m)) -> (n * m,).
# Corrected against the form that circulates: the loop function declares all of its buffers by their shapes, the flattening is a
# reshape to a shape that the symbols give, and the update in place is an impure call whose result is the tensor that it was given.
# External: test.negate_in_place(tensor) -> the same tensor.
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tir as T


@I.ir_module
class Module:
    @T.prim_func(private=True)
    def matmul(x: T.handle, w: T.handle, y: T.handle):
        n, d, m = T.int64(), T.int64(), T.int64()
        X = T.match_buffer(x, (n, d), "float32")
        W = T.match_buffer(w, (d, m), "float32")
        Y = T.match_buffer(y, (n, m), "float32")
        for i, j, k in T.grid(n, m, d):
            with T.sblock("matmul"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    Y[vi, vj] = T.float32(0)
                Y[vi, vj] = Y[vi, vj] + X[vi, vk] * W[vk, vj]

    @R.function(pure=False)
    def main(x: R.Tensor(("n", "d"), "float32"), w: R.Tensor(("d", "m"), "float32")) -> R.Tensor(("n * m",), "float32"):
        n, d, m = T.int64(), T.int64(), T.int64()
        cls = Module
        with R.dataflow():
            product = R.call_tir(cls.matmul, (x, w), out_sinfo=R.Tensor((n, m), "float32"))
            flat = R.reshape(product, R.shape([n * m]))
            powers = R.exp(flat)
            R.output(powers)
        updated = R.call_packed("test.negate_in_place", powers, sinfo_args=(R.Tensor((n * m,), "float32"),))
        return updated
