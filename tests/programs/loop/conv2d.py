# 3x3 convolution, NCHW, stride 2, padding 1, then relu: a padded copy whose outside is read lazily, a reduction over three
# axes, and an elementwise block.
# Parameters: X (1, 3, 9, 9), W (4, 3, 3, 3) inputs, Y (1, 4, 5, 5) output, float32.
from tvm.script import ir as I
from tvm.script import tir as T


@I.ir_module
class Module:
    @T.prim_func
    def main(X: T.Buffer((1, 3, 9, 9), "float32"), W: T.Buffer((4, 3, 3, 3), "float32"), Y: T.Buffer((1, 4, 5, 5), "float32")):
        with T.sblock("root"):
            T.reads()
            T.writes()
            padded = T.sblock_alloc_buffer((1, 3, 11, 11))
            conv = T.sblock_alloc_buffer((1, 4, 5, 5))
            for n, c, h, w in T.grid(1, 3, 11, 11):
                with T.sblock("pad"):
                    vn, vc, vh, vw = T.axis.remap("SSSS", [n, c, h, w])
                    padded[vn, vc, vh, vw] = T.if_then_else(
                        1 <= vh and vh < 10 and 1 <= vw and vw < 10, X[vn, vc, vh - 1, vw - 1], T.float32(0)
                    )
            for n, f, y, x, c, ry, rx in T.grid(1, 4, 5, 5, 3, 3, 3):
                with T.sblock("conv"):
                    vn, vf, vy, vx, vc, vry, vrx = T.axis.remap("SSSSRRR", [n, f, y, x, c, ry, rx])
                    with T.init():
                        conv[vn, vf, vy, vx] = T.float32(0)
                    conv[vn, vf, vy, vx] = (
                        conv[vn, vf, vy, vx] + padded[vn, vc, vy * 2 + vry, vx * 2 + vrx] * W[vf, vc, vry, vrx]
                    )
            for n, f, y, x in T.grid(1, 4, 5, 5):
                with T.sblock("relu"):
                    vn, vf, vy, vx = T.axis.remap("SSSS", [n, f, y, x])
                    Y[vn, vf, vy, vx] = T.max(conv[vn, vf, vy, vx], T.float32(0))
