# Parallel, vectorized and unrolled loops, and vectors written as such; every kind computes what a serial loop does.
# Parameters: A (n, 16) input, B (n, 16) output, float32.
from tvm.script import ir as I
from tvm.script import tir as T


@I.ir_module
class Module:
    @T.prim_func
    def main(a: T.handle, b: T.handle):
        n = T.int64()
        A = T.match_buffer(a, (n, 16), "float32")
        B = T.match_buffer(b, (n, 16), "float32")
        for i in T.parallel(n):
            for j in T.vectorized(8):
                B[i, j] = A[i, j] * T.float32(3)
            for j in T.unroll(2):
                B[i, T.Ramp(j * 4 + 8, 1, 4)] = A[i, T.Ramp(j * 4 + 8, 1, 4)] * T.Broadcast(T.float32(3), 4)
