# Program (f) after fusion: the marked function is one loop function with both convolutions; the relu between them is computed where
# the second one is padded.
# main(x (n, 2, 6, 6), v (3, 2, 3, 3), w (2, 3, 3, 3)) = tanh(relu(conv(relu(conv(2 * x, v)), w))), padding 1.
from tvm.script import ir as I
from tvm.script import tir as T
from tvm.script import relax as R

@I.ir_module
class Module:
    @T.prim_func(private=True)
    def add(var_x: T.handle, var_x_1: T.handle, var_out: T.handle):
        n = T.int64()
        x = T.match_buffer(var_x, (n, 2, 6, 6), "float32")
        x_1 = T.match_buffer(var_x_1, (n, 2, 6, 6), "float32")
        out = T.match_buffer(var_out, (n, 2, 6, 6), "float32")
        for i0, i1, i2, i3 in T.grid(n, 2, 6, 6):
            with T.sblock("add"):
                vi0, vi1, vi2, vi3 = T.axis.remap("SSSS", [i0, i1, i2, i3])
                T.reads(x[vi0, vi1, vi2, vi3], x_1[vi0, vi1, vi2, vi3])
                T.writes(out[vi0, vi1, vi2, vi3])
                out[vi0, vi1, vi2, vi3] = x[vi0, vi1, vi2, vi3] + x_1[vi0, vi1, vi2, vi3]

    @R.function
    def main(x: R.Tensor(("n", 2, 6, 6), dtype="float32"), v: R.Tensor((3, 2, 3, 3), dtype="float32"), w: R.Tensor((2, 3, 3, 3), dtype="float32")) -> R.Tensor(("n", 2, 6, 6), dtype="float32"):
        n = T.int64()
        with R.dataflow():
            doubled = R.call_tir(cls.add, (x, x), out_ty=R.Tensor((n, 2, 6, 6), dtype="float32"))
            inside = R.call_tir(cls.two_convolutions, (doubled, v, w), out_ty=R.Tensor((n, 2, 6, 6), dtype="float32"))
            outside = R.call_tir(cls.tanh, (inside,), out_ty=R.Tensor((n, 2, 6, 6), dtype="float32"))
            R.output(outside)
        return outside

    @T.prim_func(private=True)
    def tanh(var_inside: T.handle, var_out: T.handle):
        n = T.int64()
        inside = T.match_buffer(var_inside, (n, 2, 6, 6), "float32")
        out = T.match_buffer(var_out, (n, 2, 6, 6), "float32")
        for i0, i1, i2, i3 in T.grid(n, 2, 6, 6):
            with T.sblock("tanh"):
                vi0, vi1, vi2, vi3 = T.axis.remap("SSSS", [i0, i1, i2, i3])
                T.reads(inside[vi0, vi1, vi2, vi3])
                T.writes(out[vi0, vi1, vi2, vi3])
                out[vi0, vi1, vi2, vi3] = T.tanh(inside[vi0, vi1, vi2, vi3])

    @T.prim_func(private=True)
    def two_convolutions(var_x: T.handle, v: T.Buffer((3, 2, 3, 3), "float32"), w: T.Buffer((2, 3, 3, 3), "float32"), var_out: T.handle):
        n = T.int64()
        x = T.match_buffer(var_x, (n, 2, 6, 6), "float32")
        out = T.match_buffer(var_out, (n, 2, 6, 6), "float32")
        first = T.alloc_buffer((n, 3, 6, 6), "float32")
        padded = T.alloc_buffer((n, 2, 8, 8), "float32")
        second = T.alloc_buffer((n, 2, 6, 6), "float32")
        padded_1 = T.alloc_buffer((n, 3, 8, 8), "float32")
        for i0, i1, i2, i3 in T.grid(n, 2, 8, 8):
            with T.sblock("pad"):
                vi0, vi1, vi2, vi3 = T.axis.remap("SSSS", [i0, i1, i2, i3])
                T.reads(x[vi0, vi1, vi2 - 1, vi3 - 1])
                T.writes(padded[vi0, vi1, vi2, vi3])
                padded[vi0, vi1, vi2, vi3] = T.if_then_else(vi2 >= 1 and vi2 - 1 < 6 and vi3 >= 1 and vi3 - 1 < 6, x[vi0, vi1, vi2 - 1, vi3 - 1], T.float32(0.0))
        for i0, i1, i2, i3, r0, r1, r2 in T.grid(n, 3, 6, 6, 2, 3, 3):
            with T.sblock("conv"):
                vi0, vi1, vi2, vi3, vr0, vr1, vr2 = T.axis.remap("SSSSRRR", [i0, i1, i2, i3, r0, r1, r2])
                T.reads(padded[vi0, vr0, vi2 + vr1, vi3 + vr2], v[vi1, vr0, vr1, vr2])
                T.writes(first[vi0, vi1, vi2, vi3])
                with T.init():
                    first[vi0, vi1, vi2, vi3] = T.float32(0.0)
                first[vi0, vi1, vi2, vi3] = first[vi0, vi1, vi2, vi3] + padded[vi0, vr0, vi2 + vr1, vi3 + vr2] * v[vi1, vr0, vr1, vr2]
        for i0, i1, i2, i3 in T.grid(n, 3, 8, 8):
            with T.sblock("pad"):
                vi0, vi1, vi2, vi3 = T.axis.remap("SSSS", [i0, i1, i2, i3])
                T.reads(first[vi0, vi1, vi2 - 1, vi3 - 1])
                T.writes(padded_1[vi0, vi1, vi2, vi3])
                padded_1[vi0, vi1, vi2, vi3] = T.if_then_else(vi2 >= 1 and vi2 - 1 < 6 and vi3 >= 1 and vi3 - 1 < 6, T.max(first[vi0, vi1, vi2 - 1, vi3 - 1], T.float32(0.0)), T.float32(0.0))
        for i0, i1, i2, i3, r0, r1, r2 in T.grid(n, 2, 6, 6, 3, 3, 3):
            with T.sblock("conv"):
                vi0, vi1, vi2, vi3, vr0, vr1, vr2 = T.axis.remap("SSSSRRR", [i0, i1, i2, i3, r0, r1, r2])
                T.reads(padded_1[vi0, vr0, vi2 + vr1, vi3 + vr2], w[vi1, vr0, vr1, vr2])
                T.writes(second[vi0, vi1, vi2, vi3])
                with T.init():
                    second[vi0, vi1, vi2, vi3] = T.float32(0.0)
                second[vi0, vi1, vi2, vi3] = second[vi0, vi1, vi2, vi3] + padded_1[vi0, vr0, vi2 + vr1, vi3 + vr2] * w[vi1, vr0, vr1, vr2]
        for i0, i1, i2, i3 in T.grid(n, 2, 6, 6):
            with T.sblock("relu"):
                vi0, vi1, vi2, vi3 = T.axis.remap("SSSS", [i0, i1, i2, i3])
                T.reads(second[vi0, vi1, vi2, vi3])
                T.writes(out[vi0, vi1, vi2, vi3])
                out[vi0, vi1, vi2, vi3] = T.max(second[vi0, vi1, vi2, vi3], T.float32(0.0))
