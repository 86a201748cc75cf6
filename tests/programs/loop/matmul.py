# Matrix multiplication with symbolic n, m, k: a block with two spatial axes, one reduction axis and an init.
# Written in the spelling of the TVM Unity RFC (T.block, T.axis.remap).
# Parameters: A (n, k), B (k, m) inputs, C (n, m) output, float32.
from tvm.script import ir as I, tir as T


@I.ir_module
class Module:
    @T.prim_func
    def main(a: T.handle, b: T.handle, c: T.handle):
        n, m, k = T.int64(), T.int64(), T.int64()
        A = T.match_buffer(a, (n, k), "float32")
        B = T.match_buffer(b, (k, m), "float32")
        C = T.match_buffer(c, (n, m), "float32")
        for i, j, l in T.grid(n, m, k):
            with T.block("matmul"):
                vi, vj, vl = T.axis.remap("SSR", [i, j, l])
                with T.init():
                    C[vi, vj] = T.float32(0)
                C[vi, vj] = C[vi, vj] + A[vi, vl] * B[vl, vj]
