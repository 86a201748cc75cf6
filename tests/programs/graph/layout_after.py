# What passes-graph:normalize and passes-graph:lift-layout make of layout.py: the weight is converted at the graph level, by a function
# of its own; mm stays for the call whose weight is not known while compiling.
# main(x (n, 8) float32) = x @ w for a constant w (8, 12); dynamic(x (n, 8), w (8, 12)) = x @ w.
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tir as T


@I.ir_module
class Module:
    @R.function
    def dynamic(x: R.Tensor(("n", 8), dtype="float32"), w: R.Tensor((8, 12), dtype="float32")) -> R.Tensor(("n", 12), dtype="float32"):
        n = T.int64()
        with R.dataflow():
            y = R.call_tir(cls.mm, (x, w), out_ty=R.Tensor((n, 12), dtype="float32"))
            R.output(y)
        return y

    @R.function
    def main(x: R.Tensor(("n", 8), dtype="float32")) -> R.Tensor(("n", 12), dtype="float32"):
        n = T.int64()
        with R.dataflow():
            w: R.Tensor((8, 12), dtype="float32") = R.const([[0.5, -1.5, 2.25, 0.125, 3.0, -0.75, 1.0, 4.5, -2.0, 0.0, 1.25, 6.0], [1.5, 2.5, -0.5, 0.75, -3.25, 1.0, 0.5, -4.0, 2.0, 8.0, -1.0, 0.25], [-0.125, 3.5, 1.0, -2.0, 0.5, 7.0, -1.5, 0.0, 1.0, -0.25, 2.75, 5.0], [2.0, -1.0, 0.5, 1.75, -6.0, 0.375, 3.0, 1.0, -0.5, 2.5, 4.0, -1.25], [0.0, 1.0, -2.5, 3.25, 0.5, -1.0, 9.0, -0.375, 1.5, 2.0, -3.0, 0.75], [4.0, 0.25, 1.5, -0.5, 2.0, -7.5, 0.0, 1.125, 3.0, -1.0, 0.5, 2.0], [-1.0, 5.0, 0.75, 2.0, -0.125, 1.0, -2.25, 3.0, 0.5, 1.5, -4.0, 1.0], [1.0, -2.0, 3.0, -4.0, 5.0, -6.0, 7.0, -8.0, 9.0, -10.0, 11.0, -12.0]], "float32")
            packed = R.call_tir(cls.mm_pack, (w,), out_ty=R.Tensor((3, 8, 4), dtype="float32"))
            y = R.call_tir(cls.mm_packed, (x, packed), out_ty=R.Tensor((n, 12), dtype="float32"))
            R.output(y)
        return y

    @T.prim_func(private=True)
    def mm(var_X: T.handle, w: T.Buffer((8, 12), "float32"), var_Y: T.handle):
        n = T.int64()
        X = T.match_buffer(var_X, (n, 8), "float32")
        Y = T.match_buffer(var_Y, (n, 12), "float32")
        packed = T.alloc_buffer((3, 8, 4), "float32")
        for jo, k, ji in T.grid(3, 8, 4):
            with T.sblock("pack"):
                vjo, vk, vji = T.axis.remap("SSS", [jo, k, ji])
                T.reads(w[vk, vjo * 4 + vji])
                T.writes(packed[vjo, vk, vji])
                T.sblock_attr({"meta_schedule.layout_rewrite_preproc": True})
                packed[vjo, vk, vji] = w[vk, vjo * 4 + vji]
        for i, j, k in T.grid(n, 12, 8):
            with T.sblock("matmul"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                T.reads(X[vi, vk], packed[vj // 4, vk, vj % 4])
                T.writes(Y[vi, vj])
                with T.init():
                    Y[vi, vj] = T.float32(0.0)
                Y[vi, vj] = Y[vi, vj] + X[vi, vk] * packed[vj // 4, vk, vj % 4]

    @T.prim_func(private=True)
    def mm_pack(w: T.Buffer((8, 12), "float32"), packed: T.Buffer((3, 8, 4), "float32")):
        for jo, k, ji in T.grid(3, 8, 4):
            with T.sblock("pack"):
                vjo, vk, vji = T.axis.remap("SSS", [jo, k, ji])
                T.reads(w[vk, vjo * 4 + vji])
                T.writes(packed[vjo, vk, vji])
                packed[vjo, vk, vji] = w[vk, vjo * 4 + vji]

    @T.prim_func(private=True)
    def mm_packed(var_X: T.handle, packed: T.Buffer((3, 8, 4), "float32"), var_Y: T.handle):
        n = T.int64()
        X = T.match_buffer(var_X, (n, 8), "float32")
        Y = T.match_buffer(var_Y, (n, 12), "float32")
        for i, j, k in T.grid(n, 12, 8):
            with T.sblock("matmul"):
                vi, vj, vk = T.axis.remap("SSR", [i, j, k])
                T.reads(X[vi, vk], packed[vj // 4, vk, vj % 4])
                T.writes(Y[vi, vj])
                with T.init():
                    Y[vi, vj] = T.float32(0.0)
                Y[vi, vj] = Y[vi, vj] + X[vi, vk] * packed[vj // 4, vk, vj % 4]
