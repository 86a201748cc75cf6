# What the refused calls are made to: symbolic dimensions, one of them composed, and two scalars.
from tvm.script import ir as I, tir as T


@I.ir_module
class Module:
    @T.prim_func
    def main(a: T.handle, b: T.handle, flat: T.handle, c: T.handle, scale: T.float32, rows: T.int32):
        n, m, k = T.int64(), T.int64(), T.int64()
        A = T.match_buffer(a, (n, k), "float32")
        B = T.match_buffer(b, (k, m), "float32")
        Flat = T.match_buffer(flat, (n * m,), "float32")
        C = T.match_buffer(c, (n, m), "float32")
        for i, j, l in T.grid(n, m, k):
            with T.block("matmul"):
                vi, vj, vl = T.axis.remap("SSR", [i, j, l])
                with T.init():
                    C[vi, vj] = Flat[vi * m + vj] * T.Cast("float32", rows)
                C[vi, vj] = C[vi, vj] + A[vi, vl] * B[vl, vj] * scale
