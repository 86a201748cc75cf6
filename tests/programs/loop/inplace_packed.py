# An external function updates a buffer in place between two loops, and another one returns a number.
# Parameters: A (n,) input, B (n,) output, float32. Externals: test.double_in_place(tensor), test.add_one(int) -> int.
from tvm.script import ir as I
from tvm.script import tir as T


@I.ir_module
class Module:
    @T.prim_func
    def main(a: T.handle, b: T.handle):
        n = T.int64()
        A = T.match_buffer(a, (n,), "float32")
        B = T.match_buffer(b, (n,), "float32")
        for i in range(n):
            B[i] = A[i] + T.float32(1)
        T.evaluate(T.call_packed("test.double_in_place", B))
        for i in range(n):
            B[i] = B[i] - T.float32(0.5)
        B[0] = B[0] + T.Cast("float32", T.call_packed("test.add_one", T.int32(41)))
