// Random loop functions: after the pass they compute in the interpreter what they computed before, bit by bit, and
// compiled what the interpreter computes. Values are small integers, so that sums are exact in every dtype.
#include <gtest/gtest.h>
#include <tenon/compiler_session.h>

#include <cmath>
#include <random>
#include <string>
#include <vector>

namespace tenon {
namespace {

struct Dim {
  std::string text;
  int64_t value;
};
struct Tensor {
  std::string name;
  std::vector<Dim> shape;
  std::string dtype;
  int64_t padding = 0;  // elements between rows
  std::string shape_text() const {
    std::string s = "(";
    for (const Dim& d : shape) s += d.text + ", ";
    return s + ")";
  }
};

// A function under construction.
struct Program {
  std::vector<Tensor> params;
  std::vector<std::string> symbols;
  std::string allocations, nests;
  bool exact = true;  // compiled code computes the same bits
  std::string text() const {
    std::string s = "@I.ir_module\nclass Module:\n    @T.prim_func\n    def main(";
    for (const Tensor& t : params) s += "var_" + t.name + ": T.handle, ";
    s += "):\n";
    for (const std::string& n : symbols) s += "        " + n + " = T.int64()\n";
    for (const Tensor& t : params) {
      s += "        " + t.name + " = T.match_buffer(var_" + t.name + ", " + t.shape_text() + ", \"" + t.dtype + "\"";
      if (t.padding) { s += ", strides=[" + t.shape[1].text + " + " + std::to_string(t.padding) + ", 1]"; }
      s += ")\n";
    }
    return s + allocations + nests;
  }
};

class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}
  int64_t pick(int64_t n) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(n)); }

  Program program(int64_t kind) {
    p_ = Program();
    switch (kind) {
      case 0: contraction(); break;
      case 1: convolution(); break;
      case 2: reduction(); break;
      case 3: softmax(); break;
      case 4: argmax(); break;
      default: elementwise(); break;
    }
    return p_;
  }
  static constexpr int kKinds = 6;

 private:
  struct Loop {
    std::string name;  // of the loop; the axis is v + name
    Dim extent;
    char kind;
  };

  Dim dim(const std::string& name, bool may_be_symbolic = true) {
    constexpr int64_t sizes[] = {1, 2, 3, 5, 7, 8, 10, 13, 16, 17, 24, 31, 33, 48, 67};
    int64_t n = sizes[pick(std::size(sizes))];
    if (may_be_symbolic && pick(3) == 0) {
      p_.symbols.push_back("d" + name);  // apart from the loops' names
      return {"d" + name, n};
    }
    return {std::to_string(n), n};
  }
  static Dim constant(int64_t n) { return {std::to_string(n), n}; }
  std::string type() {
    constexpr const char* types[] = {"float32", "float32", "float32", "float64", "int32", "int8", "int64"};
    return types[pick(std::size(types))];
  }
  Tensor param(const std::string& name, std::vector<Dim> shape, const std::string& dtype) {
    Tensor t{name, std::move(shape), dtype};
    if (t.shape.size() == 2 && pick(5) == 0) t.padding = 1 + pick(4);
    p_.params.push_back(t);
    return t;
  }
  void alloc(const std::string& name, const std::vector<Dim>& shape, const std::string& dtype) {
    Tensor t{name, shape, dtype};
    p_.allocations += "        " + name + " = T.alloc_buffer(" + t.shape_text() + ", \"" + dtype + "\")\n";
  }
  static std::string literal(const std::string& dtype, int64_t v) {
    return "T." + dtype + "(" + std::to_string(v) + ")";
  }

  // One nest with its loops in a random order; `body` are the lines of the block, `init` those of its init.
  void nest(const std::string& name, std::vector<Loop> loops, const std::vector<std::string>& init,
            const std::vector<std::string>& body) {
    if (pick(2)) std::shuffle(loops.begin(), loops.end(), random_);
    std::string in = "        ";
    auto line = [&](const std::string& text) { p_.nests += in + text + "\n"; };
    auto deeper = [&] { in += "    "; };
    for (const Loop& l : loops) {
      line("for " + l.name + " in range(" + l.extent.text + "):");
      deeper();
    }
    line("with T.sblock(\"" + name + "\"):");
    deeper();
    for (const Loop& l : loops)
      line("v" + l.name + " = T.axis." + (l.kind == 'S' ? "spatial(" : "reduce(") + l.extent.text + ", " + l.name +
           ")");
    if (!init.empty()) {
      line("with T.init():");
      for (const std::string& s : init) line("    " + s);
    }
    for (const std::string& s : body) line(s);
  }

  // C = sum of A * B, and something elementwise behind it.
  void contraction() {
    Dim m = dim("m"), n = dim("n"), k = dim("k"), batch = dim("b");
    std::string t = type();
    bool batched = pick(3) == 0, a_turned = pick(3) == 0, b_turned = pick(3) == 0;
    int64_t epilogue = pick(8);
    auto shape = [&](bool with, const Dim& x, const Dim& y) {
      std::vector<Dim> s{x, y};
      if (with) s.insert(s.begin(), batch);
      return s;
    };
    bool square = epilogue == 7;  // what follows overwrites an operand
    if (square) k = n, a_turned = false;
    param("A", a_turned ? shape(batched, k, m) : shape(batched, m, k), t);
    param("B", b_turned ? shape(false, n, k) : shape(false, k, n), t);
    std::string at = batched ? "vb, " : "";
    std::string a = "A[" + at + (a_turned ? "vk, vi]" : "vi, vk]"), b = b_turned ? "B[vj, vk]" : "B[vk, vj]";
    if (pick(4) == 0) std::swap(a, b);
    std::string ct = t == "int8" ? "int32" : t;
    if (ct != t) a = "T.Cast(\"int32\", " + a + ")", b = "T.Cast(\"int32\", " + b + ")";
    std::vector<Dim> c_shape = shape(batched, m, n);
    bool kept = epilogue == 0 || epilogue == 4 || pick(6) == 0;
    if (kept)
      param("C", c_shape, ct);
    else
      alloc("C", c_shape, ct);
    std::vector<Loop> space{{"i", m, 'S'}, {"j", n, 'S'}};
    if (batched) space.insert(space.begin(), {"b", batch, 'S'});
    std::vector<Loop> loops = space;
    loops.push_back({"k", k, 'R'});
    std::string c = "C[" + at + "vi, vj]";
    bool is_max = pick(5) == 0;
    nest("product", loops, {c + " = " + literal(ct, is_max ? -100 : 0)},
         {is_max ? c + " = T.max(" + c + ", " + a + " - " + b + ")" : c + " = " + c + " + " + a + " * " + b});
    if (epilogue == 0) return;
    std::string d = "D[" + at + "vi, vj]";
    if (square) {
      std::string into = "A[" + at + "vi, vj]";
      // The operand has the dtype of the elements; a wider sum is not stored back into it.
      if (ct == t) nest("back", space, {}, {into + " = " + c + " + " + literal(ct, 1)});
      if (ct != t || pick(2)) {
        param("D", c_shape, ct);
        nest("copy", space, {}, {d + " = " + c});
      }
      return;
    }
    param("D", epilogue == 5 ? shape(batched, n, m) : c_shape, ct);
    param("bias", {n}, ct);
    switch (epilogue) {
      case 1:
      case 4: nest("bias_relu", space, {}, {d + " = T.max(" + c + " + bias[vj], " + literal(ct, 0) + ")"}); break;
      case 2:
        alloc("E", c_shape, ct);
        nest("bias", space, {}, {"E[" + at + "vi, vj] = " + c + " + bias[vj]"});
        nest("twice", space, {}, {d + " = E[" + at + "vi, vj] * E[" + at + "vi, vj] - " + c});
        break;
      case 3: nest("residual", space, {}, {d + " = " + c + " + " + d}); break;
      case 5: nest("turn", space, {}, {"D[" + at + "vj, vi] = " + c + " - bias[vj]"}); break;
      default:
        // Two readers, and one that reads another element.
        alloc("E", c_shape, ct);
        nest("first", space, {}, {"E[" + at + "vi, vj] = " + c + " + bias[vj]"});
        nest("mirror", space, {}, {d + " = E[" + at + m.text + " - 1 - vi, vj] + " + c});
        break;
    }
  }

  void convolution() {
    Dim n = dim("n"), c = constant(1 + pick(5)), o = dim("o"), h = constant(3 + pick(9)), w = constant(3 + pick(30));
    if (pick(3) == 0) p_.symbols.push_back("dw"), w.text = "dw";
    int64_t kernel = 1 + pick(3), stride = 1 + pick(2), pad = pick(2);
    std::string t = type();
    if (t == "int8") t = "int32";
    param("X", {n, c, h, w}, t);
    param("W", {o, c, constant(kernel), constant(kernel)}, t);
    auto extent = [&](const Dim& d) {
      int64_t value = (d.value + 2 * pad - kernel) / stride + 1;
      return Dim{"((" + d.text + " + " + std::to_string(2 * pad - kernel) + ") // " + std::to_string(stride) + " + 1)",
                 value};
    };
    Dim oh = extent(h), ow = extent(w);
    std::string x = "X";
    if (pad) {
      Dim ph{"(" + h.text + " + 2)", h.value + 2}, pw{"(" + w.text + " + 2)", w.value + 2};
      alloc("P", {n, c, ph, pw}, t);
      nest("pad", {{"n", n, 'S'}, {"c", c, 'S'}, {"y", ph, 'S'}, {"x", pw, 'S'}}, {},
           {"P[vn, vc, vy, vx] = T.if_then_else(vy >= 1 and vy < " + h.text + " + 1 and vx >= 1 and vx < " + w.text +
            " + 1, X[vn, vc, vy - 1, vx - 1], " + literal(t, 0) + ")"});
      x = "P";
    }
    param("Y", {n, o, oh, ow}, t);
    std::string s = std::to_string(stride);
    nest("conv",
         {{"n", n, 'S'},
          {"o", o, 'S'},
          {"y", oh, 'S'},
          {"x", ow, 'S'},
          {"c", c, 'R'},
          {"p", constant(kernel), 'R'},
          {"q", constant(kernel), 'R'}},
         {"Y[vn, vo, vy, vx] = " + literal(t, 0)},
         {"Y[vn, vo, vy, vx] = Y[vn, vo, vy, vx] + " + x + "[vn, vc, vy * " + s + " + vp, vx * " + s +
          " + vq] * W[vo, vc, vp, vq]"});
    if (pick(2)) {
      param("Z", {n, o, oh, ow}, t);
      nest("relu", {{"n", n, 'S'}, {"o", o, 'S'}, {"y", oh, 'S'}, {"x", ow, 'S'}}, {},
           {"Z[vn, vo, vy, vx] = T.max(Y[vn, vo, vy, vx], " + literal(t, 0) + ")"});
    }
  }

  void reduction() {
    Dim m = dim("m"), n = dim("n"), k = dim("k");
    std::string t = type();
    if (t == "int8") t = "int32";
    param("A", {m, n, k}, t);
    int64_t which = pick(3);  // the axis that goes
    const Dim* dims[] = {&m, &n, &k};
    std::vector<Loop> loops;
    std::string out, names[] = {"i", "j", "k"};
    std::vector<Dim> shape;
    for (int64_t d = 0; d < 3; ++d) {
      loops.push_back({names[d], *dims[d], d == which ? 'R' : 'S'});
      if (d == which) {
        if (pick(2)) shape.push_back(constant(1)), out += "0, ";
      } else {
        shape.push_back(*dims[d]);
        out += "v" + names[d] + ", ";
      }
    }
    param("S", shape, t);
    std::string s = "S[" + out + "]";
    bool is_max = pick(2);
    nest("reduce", loops, {s + " = " + literal(t, is_max ? -50 : 3)},
         {s + " = " + (is_max ? "T.max(" + s + ", A[vi, vj, vk])" : s + " + A[vi, vj, vk] * A[vi, vj, vk]")});
  }

  void softmax() {
    Dim m = dim("m"), n = dim("n");
    p_.exact = false;
    param("A", {m, n}, "float32");
    alloc("M", {m}, "float32");
    alloc("E", {m, n}, "float32");
    alloc("S", {m}, "float32");
    param("Y", {m, n}, "float32");
    std::vector<Loop> both{{"i", m, 'S'}, {"k", n, 'R'}}, each{{"i", m, 'S'}, {"k", n, 'S'}};
    nest("max", both, {"M[vi] = T.float32(-1e30)"}, {"M[vi] = T.max(M[vi], A[vi, vk])"});
    nest("exp", each, {}, {"E[vi, vk] = T.exp(A[vi, vk] - M[vi])"});
    nest("sum", both, {"S[vi] = T.float32(0)"}, {"S[vi] = S[vi] + E[vi, vk]"});
    nest("divide", each, {}, {"Y[vi, vk] = E[vi, vk] / S[vi]"});
  }

  void argmax() {
    Dim m = dim("m"), n = dim("n");
    param("A", {m, n}, "float32");
    param("V", {m}, "float32");
    param("P", {m}, "int64");
    nest("argmax", {{"i", m, 'S'}, {"k", n, 'R'}}, {"V[vi] = T.float32(-1e30)", "P[vi] = T.int64(0)"},
         {"if A[vi, vk] > V[vi]:", "    V[vi] = A[vi, vk]", "    P[vi] = vk"});
  }

  void elementwise() {
    Dim m = dim("m"), n = dim("n");
    std::string t = type();
    param("A", {m, n}, t);
    param("B", {n}, t);
    param("C", {m, n}, t);
    std::vector<Loop> loops{{"i", m, 'S'}, {"j", n, 'S'}};
    std::string mirrored = "A[vi, " + n.text + " - 1 - vj]";
    switch (pick(5)) {
      case 4:
        param("D", {n, m}, t);
        nest("turn", loops, {}, {"D[vj, vi] = A[vi, vj] + B[vj]"});
        break;
      case 0: nest("add", loops, {}, {"C[vi, vj] = A[vi, vj] + B[vj]"}); break;
      case 1: nest("mirror", loops, {}, {"C[vi, vj] = " + mirrored + " - B[vj]"}); break;
      case 2: nest("in_place", loops, {}, {"C[vi, vj] = C[vi, vj] + A[vi, vj]"}); break;
      default:
        // Rows depend on the rows before: the steps are not independent, whatever the axes are called.
        p_.nests += "        for i, j in T.grid(" + m.text + ", " + n.text + "):\n" +
                    "            with T.sblock(\"running\"):\n" +
                    "                vi, vj = T.axis.remap(\"SS\", [i, j])\n" +
                    "                C[vi, vj] = T.if_then_else(vi > 0, C[T.max(vi - 1, 0), vj], B[vj]) + A[vi, vj]\n";
        break;
    }
  }

  std::mt19937_64 random_;
  Program p_;
};

// The arguments of one call, filled from a seed.
class Arguments {
 public:
  Arguments(const Program& p, uint64_t seed) {
    std::mt19937_64 random(seed);
    memory_.resize(p.params.size());
    tensors_.resize(p.params.size());
    shapes_.resize(p.params.size());
    strides_.resize(p.params.size());
    for (size_t i = 0; i < p.params.size(); ++i) {
      const Tensor& t = p.params[i];
      int64_t elements = 1;
      for (const Dim& d : t.shape) shapes_[i].push_back(d.value), elements *= d.value;
      if (t.padding) {
        strides_[i] = {t.shape[1].value + t.padding, 1};
        elements = t.shape[0].value * strides_[i][0];
      }
      DLDataType dtype = *dtype_from_text(t.dtype);
      memory_[i].resize(static_cast<size_t>(elements * dtype_bytes(dtype)) + 8);
      for (int64_t e = 0; e < elements; ++e) {
        auto v = static_cast<int>(random() % 9) - 4;
        void* at = memory_[i].data() + e * dtype_bytes(dtype);
        auto put = [&](auto value) { std::memcpy(at, &value, sizeof value); };
        if (t.dtype == "float32") put(static_cast<float>(v));
        if (t.dtype == "float64") put(static_cast<double>(v));
        if (t.dtype == "int8") put(static_cast<int8_t>(v));
        if (t.dtype == "int32") put(static_cast<int32_t>(v));
        if (t.dtype == "int64") put(static_cast<int64_t>(v));
      }
      tensors_[i] = {memory_[i].data(),
                     {kDLCPU, 0},
                     static_cast<int32_t>(shapes_[i].size()),
                     dtype,
                     shapes_[i].data(),
                     strides_[i].empty() ? nullptr : strides_[i].data(),
                     0};
    }
  }
  void call(const Map& functions) {
    std::vector<Value> args;
    for (DLTensor& t : tensors_) args.emplace_back(&t);
    call_function(*functions.find("main"), args);
  }
  const std::vector<std::vector<char>>& memory() const { return memory_; }

 private:
  std::vector<std::vector<char>> memory_;
  std::vector<DLTensor> tensors_;
  std::vector<std::vector<int64_t>> shapes_, strides_;
};

bool close(const std::vector<char>& a, const std::vector<char>& b) {
  for (size_t i = 0; i + 4 <= a.size(); i += 4) {
    float x, y;
    std::memcpy(&x, a.data() + i, 4);
    std::memcpy(&y, b.data() + i, 4);
    if (!(std::abs(x - y) <= 1e-5F * std::max(1.0F, std::abs(y)))) return false;
  }
  return true;
}

TEST(Random, ComputesTheSame) {
  const TnCompiler* compiler = tn_compiler();
  CompilerSession session(compiler, Value());
  const Builder& b = session.builder();
  compiler->runtime->set_thread_count(3);
  const char* env = std::getenv("TENON_SCHEDULE_SEED");
  uint64_t seed = env ? std::strtoull(env, nullptr, 10) : std::random_device()();
  const char* count = std::getenv("TENON_SCHEDULE_PROGRAMS");
  int programs = count ? std::atoi(count) : 120, tiled = 0;
  std::printf("seed %llu (set TENON_SCHEDULE_SEED to run it again)\n", static_cast<unsigned long long>(seed));
  for (int i = 0; i < programs; ++i) {
    Generator g(seed + static_cast<uint64_t>(i));
    Program p = g.program(i % Generator::kKinds);
    std::string options = "grain: " + std::to_string(g.pick(2) ? 1 : 20000);
    if (g.pick(3) == 0) options += ", tile_rows: " + std::to_string(1 + g.pick(5));
    if (g.pick(3) == 0) options += ", tile_vectors: " + std::to_string(1 + g.pick(3));
    if (g.pick(4) == 0) options += ", fuse_epilogues: false";
    const char* targets[] = {"cpu", "cpu:+avx2,+fma", "cpu:generic"};
    const char* target = targets[g.pick(3)];
    SCOPED_TRACE("program " + std::to_string(i) + " of seed " + std::to_string(seed) + ", target " + target + ", {" +
                 options + "}\n" + p.text());
    call([&](TnValue* ret) { return compiler->set_target(session.session(), target, ret); });
    try {
      Node before = session.parse(p.text(), "random.py");
      session.verify(before);
      auto run_passes = [&](const Node& module, const std::vector<std::string>& passes) {
        std::vector<Value> stages;
        for (const std::string& s : passes) stages.push_back(b.string(s));
        Map result = session.run_pipeline(module, b.array(stages), Value());
        return as_node(*result.find("module"));
      };
      Node after = run_passes(before, {"schedule-cpu:schedule{" + options + "}"});
      if (session.print(Value(after)).find("acc = ") != std::string::npos) ++tiled;
      Node lowered =
          run_passes(after, {"passes-loop:sink-spatial", "passes-loop:decompose-reduction",
                             "passes-loop:lower-match-buffers", "passes-loop:lower-blocks", "passes-loop:simplify",
                             "passes-loop:vectorize-loops", "passes-loop:unroll-loops", "passes-loop:simplify"});
      Arguments expected(p, seed), interpreted(p, seed), compiled(p, seed);
      expected.call(session.load(before, "eval-interp", Value()));
      interpreted.call(session.load(after, "eval-interp", Value()));
      compiled.call(session.load(lowered, "codegen-llvm", Value()));
      for (size_t a = 0; a < p.params.size(); ++a) {
        ASSERT_EQ(expected.memory()[a] == interpreted.memory()[a], true)
            << "the interpreter computes another " << p.params[a].name << " after the pass\n"
            << session.print(Value(after));
        bool same =
            p.exact ? expected.memory()[a] == compiled.memory()[a] : close(compiled.memory()[a], expected.memory()[a]);
        ASSERT_TRUE(same) << "compiled, " << p.params[a].name << " is another\n" << session.print(Value(after));
      }
    } catch (const Error& e) { FAIL() << e.message << "\n" << e.where << "\n" << e.hint; }
  }
  EXPECT_GE(tiled, programs / 3) << "few reductions are tiled";
}

}  // namespace
}  // namespace tenon
