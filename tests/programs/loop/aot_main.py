# The ahead-of-time form: a loop-level main with its weights as constants and its intermediate on the stack, which calls one
# matmul twice by destination passing. No graph level, no host program, no packed calls.
# Corrected against the form that circulates: the weights are constants of the module (not parameters that the caller must
# pass in the right order), the intermediate is a local buffer (not a pointer from a device allocator), the calls pass buffers
# (not packed handles on an argument stack), and matmul binds its shapes from its operands.
# Parameters: X (2, 4) input, Y (2, 2) output, float32.
from tvm.script import ir as I
from tvm.script import tir as T


@I.ir_module
class Module:
    @T.prim_func(private=True)
    def matmul(a: T.handle, b: T.handle, c: T.handle):
        n, m, k = T.int64(), T.int64(), T.int64()
        A = T.match_buffer(a, (n, k), "float32")
        B = T.match_buffer(b, (k, m), "float32")
        C = T.match_buffer(c, (n, m), "float32")
        for i, j, l in T.grid(n, m, k):
            with T.sblock("matmul"):
                vi, vj, vl = T.axis.remap("SSR", [i, j, l])
                with T.init():
                    C[vi, vj] = T.float32(0)
                C[vi, vj] = C[vi, vj] + A[vi, vl] * B[vl, vj]

    @T.prim_func
    def main(X: T.Buffer((2, 4), "float32"), Y: T.Buffer((2, 2), "float32")):
        # (4, 3): 1, 2, ... 12
        W1 = T.decl_buffer(
            (4, 3),
            "float32",
            data=I.constant(
                I.data(
                    "hex:0000803f0000004000004040000080400000a0400000c0400000e0400000004100001041000020410000304100004041"
                )
            ),
        )
        # (3, 2): -1, 2, 0.5, -3, 4, 1
        W2 = T.decl_buffer(
            (3, 2),
            "float32",
            data=I.constant(I.data("hex:000080bf000000400000003f000040c0000080400000803f")),
        )
        hidden = T.alloc_buffer((2, 3), "float32", scope="local")
        Module.matmul(X, W1, hidden)
        Module.matmul(hidden, W2, Y)
