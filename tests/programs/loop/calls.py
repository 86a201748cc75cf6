# Loop functions that call loop functions by destination passing, recursively too: a sum over the halves of a vector.
# Parameters: A (n,) input int64, out (1,) output int64.
from tvm.script import ir as I
from tvm.script import tir as T


@I.ir_module
class Module:
    @T.prim_func(private=True)
    def sum_range(a: T.handle, out_handle: T.handle, begin: T.int64, end: T.int64):
        n = T.int64()
        A = T.match_buffer(a, (n,), "int64")
        out = T.match_buffer(out_handle, (1,), "int64")
        left = T.alloc_buffer((1,), "int64")
        right = T.alloc_buffer((1,), "int64")
        if end - begin == 1:
            out[0] = A[begin]
        else:
            if end - begin == 0:
                out[0] = T.int64(0)
            else:
                Module.sum_range(A, left, begin, begin + (end - begin) // 2)
                Module.sum_range(A, right, begin + (end - begin) // 2, end)
                out[0] = left[0] + right[0]

    @T.prim_func
    def main(a: T.handle, out_handle: T.handle):
        n = T.int64()
        A = T.match_buffer(a, (n,), "int64")
        out = T.match_buffer(out_handle, (1,), "int64")
        Module.sum_range(A, out, T.int64(0), n)
