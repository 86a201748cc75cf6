# Rows of a table chosen by an index input; an index outside of the table is an error, not a crash.
# Parameters: table (n, m) float32, rows (k,) int64, inputs; out (k, m) float32 output.
from tvm.script import ir as I
from tvm.script import tir as T


@I.ir_module
class Module:
    @T.prim_func
    def main(table_handle: T.handle, rows_handle: T.handle, out_handle: T.handle):
        n, m, k = T.int64(), T.int64(), T.int64()
        table = T.match_buffer(table_handle, (n, m), "float32")
        rows = T.match_buffer(rows_handle, (k,), "int64")
        out = T.match_buffer(out_handle, (k, m), "float32")
        for i, j in T.grid(k, m):
            with T.sblock("gather"):
                vi, vj = T.axis.remap("SS", [i, j])
                out[vi, vj] = table[rows[vi], vj]
