# Inclusive prefix sum by doubling distances: a while loop whose state lies in a one-element buffer.
# Parameters: A (n,) input, B (n,) output, int64.
from tvm.script import ir as I
from tvm.script import tir as T


@I.ir_module
class Module:
    @T.prim_func
    def main(a: T.handle, b: T.handle):
        n = T.int64()
        A = T.match_buffer(a, (n,), "int64")
        B = T.match_buffer(b, (n,), "int64")
        distance = T.alloc_buffer((1,), "int64")
        before = T.alloc_buffer((n,), "int64")
        for i in range(n):
            B[i] = A[i]
        distance[0] = T.int64(1)
        while distance[0] < n:
            for i in range(n):
                before[i] = B[i]
            for i in range(n):
                if i >= distance[0]:
                    B[i] = before[i] + before[i - distance[0]]
            distance[0] = distance[0] * T.int64(2)
