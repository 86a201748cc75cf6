// Texts as TVM 0.26 prints them and as the RFCs of 2022 wrote them: each is read, printed and read again.
#include "script/test_support.h"

namespace tenon::test {

namespace {

struct Corpus {
  const char* name;
  const char* text;
};

const Corpus kCorpus[] = {
    {"matmul of TVM 0.26", R"(
# from tvm.script import ir as I
# from tvm.script import tirx as T
from tvm.script import ir as I
from tvm.script import tir as T

@I.ir_module(check_well_formed=False)
class Module:
    @T.prim_func(private=True)
    def matmul(var_A: T.handle, B: T.Buffer((T.int64(64), T.int64(32)), "float32"), var_C: T.handle):
        T.func_attr({"tir.noalias": T.bool(True), "op_pattern": 4})
        n = T.int64(is_size_var=True)
        A = T.match_buffer(var_A, (n, T.int64(64)))
        C = T.match_buffer(var_C, (n, T.int64(32)), "float32")
        # with T.sblock("root"):
        for i0, i1, k in T.grid(n, T.int64(32), T.int64(64)):
            with T.sblock("matmul"):
                v_i0, v_i1, v_k = T.axis.remap("SSR", [i0, i1, k])
                T.reads(A[v_i0, v_k], B[v_k, v_i1])
                T.writes(C[v_i0, v_i1])
                T.sblock_attr({"schedule_rule": "None", "tiles": [1, 2, 3]})
                with T.init():
                    C[v_i0, v_i1] = T.float32(0.0)
                C[v_i0, v_i1] = C[v_i0, v_i1] + A[v_i0, v_k] * B[v_k, v_i1]
)"},
    {"RFC era", R"(
from tvm.script import tir as T

@T.prim_func
def func(a: T.handle, b: T.handle, c: T.handle) -> None:
    T.func_attr({"global_symbol": "mmult", "tir.noalias": True})
    m = T.var("int32")
    n = T.var("int32")
    A = T.match_buffer(a, (m, 1024), "float32", align=64, offset_factor=1)
    B = T.match_buffer(b, [1024, n])
    C = T.match_buffer(c, (m, n), "float32")
    for i, j, k in T.grid(m, n, 1024):
        with T.block("update"):
            vi = T.axis.S(m, i)
            vj = T.axis.spatial(n, j)
            vk = T.axis.reduce(1024, k)
            with T.init():
                C[vi, vj] = 0.0
            C[vi, vj] += A[vi, vk] * B[vk, vj]
)"},
    {"loops", R"(
@T.prim_func
def loops(A: T.Buffer[(16, 16), "float32"], n: T.int32):
    for i in range(16):
        for j in T.serial(2, 10, step=3, annotations={"pragma_unroll": 1, "scale": 0.5}):
            for k in T.parallel(T.int32(4)):
                for v in T.vectorized(4):
                    for u in T.unroll(n):
                        for t in T.thread_binding(8, thread="threadIdx.x"):
                            A[i, j] = T.Cast("float32", k + u) * 2.0
    for i in range(n, n + 8):
        A[0, i % 16] = A[i // 16, 0]
    while A[0, 0] < 1.0 and not A[0, 1] >= T.float32("inf"):
        A[0, 0] = A[0, 0] + T.float32(1)
    if n > 3:
        A[0, 0] = 1
    elif n == 2 or n != 1:
        A[0, 0] = -A[0, 0]
    else:
        pass
    assert n < 10, "n is too \"large\"\n"
)"},
    {"binds and calls", R"(
@I.ir_module
class Mod:
    @T.prim_func(private=True)
    def helper(A: T.Buffer((4,), "float32"), x: T.float32) -> T.int32:
        A[0] = x
        return T.int32(3)

    @T.prim_func
    def main(A: T.Buffer((4,), "float32"), p: T.handle):
        x: T.float32 = A[0] + 1.0
        y = T.exp(x)
        z: T.let[T.int64] = 5
        w: T.int32 = Mod.helper(A.data, x)
        B = T.alloc_buffer((4, 4), scope="local")
        C = T.decl_buffer((2, 8), "float32", data=B.data, strides=(8, 1), elem_offset=z)
        B[0, 0] = T.max(x, T.min(y, 0.0))
        C[1, 2] = T.if_then_else(w > 3, x, 0.0) + T.Select(x > y, 1.0, y)
        T.evaluate(T.call_packed("external", A, B, 3, 2.5, "text"))
        T.call_packed("handle", dtype="handle")
        T.call_extern("int32", "puts", "hello")
        self.helper(A, T.float32(1))
        cls.helper(A, T.exp(x))
        T.evaluate(T.pow(x, 2))
        T.evaluate(T.shift_left(w, 2) | w & 3 ^ 5)
        T.evaluate(T.reinterpret("int32", x) + T.max_value("int32"))
        T.evaluate(T.Let(v * v, where={v: x + y}))
        T.evaluate(p)
        with T.attr(A, "storage", "global"):
            A[T.truncdiv(z, 3)] = T.truncmod(z, 2)
)"},
    {"vectors", R"(
@T.prim_func
def vectors(A: T.Buffer((16,), "float32"), B: T.Buffer((4,), "float32x4")):
    A[0:4] = A[4:8] + T.Broadcast(T.float32(1), 4)
    A[T.Ramp(0, 2, 4)] = T.Cast("float32x4", T.Ramp(0, 1, 4))
    A[8:12] = B[1] * 2.0
    B[0] = A[0:16:4]
)"},
    {"blocks", R"(
@T.prim_func
def blocks(a: T.handle, B: T.Buffer((), "float32")):
    n, m = T.int64(), T.int64()
    A = T.match_buffer(a, (n, m), "float16", strides=("s0", 1), elem_offset=0, scope="global")
    for i, j in T.grid(n, m // 4):
        with T.sblock("outer"):
            vi = T.axis.spatial((1, n), i)
            vj = T.axis.spatial(m, j * 4 + 1)
            vo = T.axis.opaque(1, 0)
            T.where(i < n - 1 and j * 4 + 1 < m)
            T.reads(A[vi, vj:vj + 4], A[0:n, 1:m])
            T.writes(B[()])
            C = T.sblock_alloc_buffer((4,), "float16", scope="shared")
            D = T.match_buffer(A[vi, vj:vj + 4], (1, 4), "float16", strides=("d0", "d1"), offset_factor=1)
            for k in range(4):
                with T.sblock("inner"):
                    vk = T.axis.spatial(4, k)
                    C[vk] = D[0, vk]
            B[()] = T.Cast("float32", C[0])
)"},
    {"dtypes", R"(
@T.prim_func
def dtypes(A: T.Buffer((4,), "int8"), B: T.Buffer((4,), "uint64"), C: T.Buffer((4,), "bool"), D: T.Buffer((4,), "float64"), E: T.Buffer((4,), "bfloat16")):
    A[0] = -128
    A[1] = A[0] + T.int8(-1)
    B[0] = T.uint64(18446744073709551615)
    B[1] = B[0] // T.uint64(3)
    C[0] = True
    C[1] = A[0] == A[1]
    D[0] = 0.1
    D[1] = T.float64("-inf")
    D[2] = T.float64("nan")
    D[3] = 1e300
    E[0] = T.bfloat16(1.5)
    T.evaluate(-9223372036854775808)
    T.evaluate(T.Add(1, 2) * T.FloorDiv(7, 2))
    T.evaluate(1 + 2 * 3 - 7 // 2)
    T.evaluate((A[0] < A[1]) == C[0])
    T.evaluate(A[0] - (A[1] - A[2]) - A[3])
    T.evaluate(not (C[0] and C[1]) or C[2])
)"},
    {"threads", R"(
@T.prim_func
def threads(A: T.Buffer((128,), "float32")):
    bx = T.launch_thread("blockIdx.x", 4)
    with T.launch_thread("threadIdx.x", 32) as tx:
        T.attr(A, "pragma", 1)
        A[bx * 32 + tx] = A.shape[0] * 1.0
)"},
    {"graph of TVM 0.26", R"(
# from tvm.script import relax as R
@I.ir_module
class Module:
    I.module_attrs({"version": 3, "nested": {"a": [1, 2.5, None, True]}})
    @T.prim_func(private=True)
    def exp(var_x: T.handle, var_y: T.handle):
        n = T.int64()
        x = T.match_buffer(var_x, (n, 4))
        y = T.match_buffer(var_y, (n, 4))
        for i, j in T.grid(n, 4):
            with T.sblock("exp"):
                vi, vj = T.axis.remap("SS", [i, j])
                y[vi, vj] = T.exp(x[vi, vj])

    @R.function
    def main(x: R.Tensor(("n", 4), dtype="float32"), w: R.Tensor((4, "m"), dtype="float32"), s: R.Shape(["n", "m * 2"])) -> R.Tensor(("n", 4), dtype="float32"):
        n = T.int64()
        m = T.int64()
        R.func_attr({"num_input": 1})
        cls = Module
        with R.dataflow():
            lv = R.call_tir(cls.exp, (x,), out_sinfo=R.Tensor((n, 4), dtype="float32"))
            lv1: R.Tensor((n, m), dtype="float32") = R.matmul(lv, w, out_dtype="void")
            lv2: R.Tuple(R.Tensor((n, m), dtype="float32"), R.Tensor((n, 4), dtype="float32")) = lv1, lv
            lv3: R.Tensor((n, m), dtype="float32") = lv2[0]
            lv4: R.Tensor((n, m), dtype="float32") = R.nn.conv2d(lv3, lv3, strides=[1, 1], padding=[0, 0, 0, 0], data_layout="NCHW")
            lv5: R.Tensor((m * 2, n), dtype="float32") = R.reshape(lv4, R.shape([m * 2, n]))
            gv: R.Tensor((n, 4), dtype="float32") = R.add(lv, R.const(1.5, "float32"))
            R.output(gv, lv5)
        return gv
)"},
    {"graph of the RFC", R"(
@I.ir_module
class Module:
    @R.function(private=True, pure=False)
    def main(x: R.Tensor((n, m), "float32"), c: R.Tensor((), "bool"), t: R.Tuple(R.Tensor(ndim=2), R.Object)):
        y = R.match_cast(x, R.Tensor((n, 4), "float32"))
        k = T.int64()
        z = R.match_cast(t[0], R.Tensor((k, 2), "float32"))
        if c:
            a = R.exp(x)
            b: R.Tensor((n, m), "float32") = R.add(a, x)
        else:
            b: R.Tensor((n, m), "float32") = R.multiply(x, x)
        d = R.call_packed("external", b, R.prim_value(3), R.str("text"), R.dtype("float16"), sinfo_args=(R.Tensor((n, m), dtype="float32"),))
        _ = R.call_packed("effect", d)
        e = R.call_dps_packed("dps", (d, x), R.Tensor((n, m), "float32"))
        f = R.call_tir_inplace(cls.prim, (e,), inplace_indices=[0], out_sinfo=[R.Tensor((n, m), "float32")], tir_vars=R.shape([n, m]))
        R.print(f, format="{}")
        g = R.call_pure_packed("pure", f, R.shape([n, 3]), ty_args=R.Object)
        h = cls.other(g, (x, x))
        i = (h, R.const([[1, 2], [3, 4]], "int64"), R.tuple())
        return i

    @R.function
    def other(x: R.Object, f: R.Callable((R.Tensor(("n",), "float32"),), R.Prim("int64"), True)) -> R.Object:
        return x

    @T.prim_func(private=True)
    def prim(x: T.Buffer((2, 2), "float32")):
        pass
)"},
    {"nested branches", R"(
@R.function
def main(c: R.Tensor((), "bool"), x: R.Tensor((4,), "float32")) -> R.Tensor((4,), "float32"):
    if c:
        with R.dataflow():
            y = R.exp(x)
            R.output(y)
        if c:
            z: R.Tensor((4,), "float32") = R.log(y)
        else:
            z = I.result(x)
    else:
        z = x
    return z
)"},
    {"escapes", R"(
@I.ir_module
class Module:
    I.module_global_infos({"mesh": [I.dtype("float32"), I.bytes("00ff"), I.shape([1, 2]), I.device(2, 0), I.bits("7ff8000000000001")]})
    external = R.ExternFunc("symbol")
    @I.name("odd-name")
    @T.prim_func
    def odd_name(A: T.Buffer((4,), "float32")):
        T.func_attr({"node": I.node("ir.IntImm/1", type=I.dtype("int32"), value=3), "data": I.data("hex:000102"), "buffer": A})
        I.name("odd-name")(A)
        I.node("tir.For/1", min=0, extent=4, loop_var=I.define("i", "int64"), body=I.node("tir.BufferStore/1", buffer=A, value=T.float32(1), indices=[i]))
        with I.seq():
            A[0] = 1.0
        with I.seq():
            pass
        C = T.decl_buffer((4,), "uint8", data=I.constant(I.data("hex:00010203"), "uint8"))
        A[1] = I.op("com.vendor.relu6")(A[0], alpha=0.5)
        T.evaluate(I.op("tir.min")(1, 2))
)"},
};

class ScriptCorpus : public testing::TestWithParam<Corpus> {};

TEST_P(ScriptCorpus, ComesBack) { round_trip(std::string_view(GetParam().text)); }

INSTANTIATE_TEST_SUITE_P(Texts, ScriptCorpus, testing::ValuesIn(kCorpus), [](const auto& info) {
  std::string name = info.param.name;
  for (char& c : name)
    if (!isalnum(static_cast<unsigned char>(c))) c = '_';
  return name;
});

}  // namespace
}  // namespace tenon::test
