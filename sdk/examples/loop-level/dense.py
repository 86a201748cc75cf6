# A dense layer, relu(X W + b), written as loops. The batch n is symbolic: one function serves every batch.
from tvm.script import ir as I, tir as T


@I.ir_module
class Module:
    @T.prim_func
    def main(x: T.handle, W: T.Buffer((64, 32), "float32"), b: T.Buffer((32,), "float32"), y: T.handle):
        n = T.int64()
        X = T.match_buffer(x, (n, 64), "float32")
        Y = T.match_buffer(y, (n, 32), "float32")
        S = T.alloc_buffer((n, 32), "float32")
        for i, j, k in T.grid(n, 32, 64):
            with T.sblock("matmul"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                with T.init():
                    S[vi, vj] = T.float32(0)
                S[vi, vj] = S[vi, vj] + X[vi, vk] * W[vk, vj]
        for i, j in T.grid(n, 32):
            with T.sblock("bias_relu"):
                vi, vj = T.axis.remap("SS", [i, j])
                Y[vi, vj] = T.max(S[vi, vj] + b[vj], T.float32(0))
