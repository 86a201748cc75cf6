# Program (g): a graph function calls a loop function, and a second loop function calls a second graph function, all by
# destination passing in one module. main(x) = square(x) + 1; entry(X, Y): Y = twice(X) = 2 * X.
# Corrected against the form that circulates: outputs are parameters of loop functions and results of graph functions, so the
# loop function hands its output buffer after the arguments; no function returns through a packed handle.
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tir as T


@I.ir_module
class Module:
    @T.prim_func(private=True)
    def square_plus_one(x: T.handle, y: T.handle):
        n = T.int64()
        X = T.match_buffer(x, (n,), "float32")
        Y = T.match_buffer(y, (n,), "float32")
        for i in range(n):
            Y[i] = X[i] * X[i] + T.float32(1)

    @T.prim_func(private=True)
    def double(x: T.handle, y: T.handle):
        n = T.int64()
        X = T.match_buffer(x, (n,), "float32")
        Y = T.match_buffer(y, (n,), "float32")
        for i in range(n):
            Y[i] = X[i] * T.float32(2)

    @R.function
    def main(x: R.Tensor(("n",), "float32")) -> R.Tensor(("n",), "float32"):
        n = T.int64()
        cls = Module
        with R.dataflow():
            y = R.call_tir(cls.square_plus_one, (x,), out_sinfo=R.Tensor((n,), "float32"))
            R.output(y)
        return y

    @R.function(private=True)
    def twice(x: R.Tensor(("n",), "float32")) -> R.Tensor(("n",), "float32"):
        n = T.int64()
        cls = Module
        with R.dataflow():
            y = R.call_tir(cls.double, (x,), out_sinfo=R.Tensor((n,), "float32"))
            R.output(y)
        return y

    @T.prim_func
    def entry(x: T.handle, y: T.handle):
        n = T.int64()
        X = T.match_buffer(x, (n,), "float32")
        Y = T.match_buffer(y, (n,), "float32")
        Module.twice(X, Y)
