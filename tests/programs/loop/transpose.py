# Transposition in tiles of four by four that do not divide the shape: a predicate leaves the rest out.
# Parameters: A (n, m) input, B (m, n) output, int32.
from tvm.script import ir as I
from tvm.script import tir as T


@I.ir_module
class Module:
    @T.prim_func
    def main(a: T.handle, b: T.handle):
        n, m = T.int64(), T.int64()
        A = T.match_buffer(a, (n, m), "int32")
        B = T.match_buffer(b, (m, n), "int32")
        for io, jo, ii, ji in T.grid((n + 3) // 4, (m + 3) // 4, 4, 4):
            with T.sblock("transpose"):
                vi = T.axis.spatial(n, io * 4 + ii)
                vj = T.axis.spatial(m, jo * 4 + ji)
                T.where(io * 4 + ii < n and jo * 4 + ji < m)
                B[vj, vi] = A[vi, vj]
