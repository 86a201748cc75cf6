# The index of the greatest element of each row, the first one on ties: a reduction over two buffers of integers.
# Parameters: A (n, m) input int32, index (n,) output int64, value (n,) output int32.
from tvm.script import ir as I
from tvm.script import tir as T


@I.ir_module
class Module:
    @T.prim_func
    def main(a: T.handle, index_handle: T.handle, value_handle: T.handle):
        n, m = T.int64(), T.int64()
        A = T.match_buffer(a, (n, m), "int32")
        index = T.match_buffer(index_handle, (n,), "int64")
        value = T.match_buffer(value_handle, (n,), "int32")
        for i, j in T.grid(n, m):
            with T.sblock("argmax"):
                vi, vj = T.axis.remap("SR", [i, j])
                with T.init():
                    index[vi] = T.int64(-1)
                    value[vi] = T.min_value("int32")
                better: T.bool = A[vi, vj] > value[vi] or index[vi] < T.int64(0)
                index[vi] = T.Select(better, vj, index[vi])
                value[vi] = T.Select(better, A[vi, vj], value[vi])
