# Blocks that see tiles of their operands as buffers of their own (match_buffer of a region, with symbolic strides), and a
# workspace that is seen as two buffers through element offsets.
# Parameters: A (8, 8) input, B (8, 8) output, float32: B = 2 * A transposed within tiles of 4 by 4.
from tvm.script import ir as I
from tvm.script import tir as T


@I.ir_module
class Module:
    @T.prim_func
    def main(A: T.Buffer((8, 8), "float32"), B: T.Buffer((8, 8), "float32")):
        arena = T.alloc_buffer((32,), "float32")
        tile = T.decl_buffer((4, 4), "float32", data=arena.data)
        doubled = T.decl_buffer((4, 4), "float32", data=arena.data, elem_offset=16)
        for io, jo in T.grid(2, 2):
            with T.sblock("tile"):
                vi, vj = T.axis.remap("SS", [io, jo])
                T.reads(A[vi * 4 : vi * 4 + 4, vj * 4 : vj * 4 + 4])
                T.writes(B[vi * 4 : vi * 4 + 4, vj * 4 : vj * 4 + 4])
                s0, s1 = T.int64(), T.int64()
                source = T.match_buffer(
                    A[vi * 4 : vi * 4 + 4, vj * 4 : vj * 4 + 4], (4, 4), "float32", strides=[s0, s1], offset_factor=1
                )
                target = T.match_buffer(
                    B[vi * 4 : vi * 4 + 4, vj * 4 : vj * 4 + 4], (4, 4), "float32", offset_factor=1
                )
                for i, j in T.grid(4, 4):
                    tile[j, i] = source[i, j]
                for i, j in T.grid(4, 4):
                    doubled[i, j] = tile[i, j] * T.float32(2)
                for i, j in T.grid(4, 4):
                    target[i, j] = doubled[i, j]
