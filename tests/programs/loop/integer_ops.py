# Integer arithmetic of several widths: floor and truncating division, remainders, shifts, masks, casts that cut.
# Parameters: A, B (n,) int32 inputs without zeros in B; out (8, n) int32 output.
from tvm.script import ir as I
from tvm.script import tir as T


@I.ir_module
class Module:
    @T.prim_func
    def main(a: T.handle, b: T.handle, out_handle: T.handle):
        n = T.int64()
        A = T.match_buffer(a, (n,), "int32")
        B = T.match_buffer(b, (n,), "int32")
        out = T.match_buffer(out_handle, (8, n), "int32")
        for i in range(n):
            out[0, i] = A[i] // B[i]
            out[1, i] = A[i] % B[i]
            out[2, i] = T.truncdiv(A[i], B[i])
            out[3, i] = T.truncmod(A[i], B[i])
            out[4, i] = A[i] * B[i]
            out[5, i] = T.shift_right(A[i], 3) + T.shift_left(B[i], 5)
            out[6, i] = T.bitwise_xor(T.bitwise_and(A[i], 255), B[i])
            out[7, i] = T.Cast("int32", T.Cast("int8", A[i])) + T.Cast("int32", T.Cast("uint8", B[i]))
