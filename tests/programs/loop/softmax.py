# Softmax over the last axis: a maximum, an exponential, a sum and a division, each a block over its own buffer.
# Parameters: X (n, m) input, Y (n, m) output, float32.
from tvm.script import ir as I
from tvm.script import tir as T


@I.ir_module
class Module:
    @T.prim_func
    def main(x: T.handle, y: T.handle):
        n, m = T.int64(), T.int64()
        X = T.match_buffer(x, (n, m), "float32")
        Y = T.match_buffer(y, (n, m), "float32")
        with T.sblock("root"):
            T.reads()
            T.writes()
            peak = T.sblock_alloc_buffer((n,), "float32")
            powers = T.sblock_alloc_buffer((n, m), "float32")
            total = T.sblock_alloc_buffer((n,), "float32")
            for i, j in T.grid(n, m):
                with T.sblock("peak"):
                    vi, vj = T.axis.remap("SR", [i, j])
                    with T.init():
                        peak[vi] = T.min_value("float32")
                    peak[vi] = T.max(peak[vi], X[vi, vj])
            for i, j in T.grid(n, m):
                with T.sblock("powers"):
                    vi, vj = T.axis.remap("SS", [i, j])
                    powers[vi, vj] = T.exp(X[vi, vj] - peak[vi])
            for i, j in T.grid(n, m):
                with T.sblock("total"):
                    vi, vj = T.axis.remap("SR", [i, j])
                    with T.init():
                        total[vi] = T.float32(0)
                    total[vi] = total[vi] + powers[vi, vj]
            for i, j in T.grid(n, m):
                with T.sblock("divide"):
                    vi, vj = T.axis.remap("SS", [i, j])
                    Y[vi, vj] = powers[vi, vj] / total[vi]
