// What is refused, where, and in which words.
#include "script/test_support.h"

namespace tenon::test {
namespace {

struct Refusal {
  const char* text;
  const char* where;    // line:col
  const char* message;  // in full, or its beginning when it ends with "..."
  const char* hint;     // likewise; "" is not compared
};

#define F "@T.prim_func\ndef main(A: T.Buffer((16,), \"float32\"), n: T.int64):\n"
#define G "@R.function\ndef main(x: R.Tensor((4,), \"float32\"), c: R.Tensor((), \"bool\")):\n"

const Refusal kRefusals[] = {
    // Nothing, or not a module.
    {"", "1:1", "the text holds no module", "write `@I.ir_module`..."},
    {"x = 1", "1:1",
     "an assignment outside of a module cannot be read: the script is a subset of TVMScript and no Python is run", ""},
    {"class M:\n    pass", "1:1", "met the class 'M' without a decorator, expected @I.ir_module", ""},
    {"def f():\n    pass", "1:1", "met the function 'f' without a decorator, expected @T.prim_func or @R.function", ""},
    {"@T.prim_fun\ndef f():\n    pass", "1:2", "unknown T.prim_fun", "did you mean T.prim_func?"},
    {"@T.prim_func(privat=True)\ndef f():\n    pass", "1:14", "@T.prim_func has no argument 'privat'",
     "did you mean 'private'?"},
    {"@I.ir_module\nclass M:\n    @T.prim_func\n    def f():\n        pass\n    @T.prim_func\n    def f():\n        "
     "pass",
     "6:5", "two functions are called 'f'", ""},
    // Symbols that nothing gives a value.
    {"@T.prim_func\ndef f(A: T.Buffer((4,), \"float32\")):\n    k = T.int64()\n    for i in range(k):\n        A[i] = "
     "A[i + k]",
     "4:20", "the symbol 'k' is used, but nothing gives it a value there",
     "a dimension of a parameter that is k alone does, or a parameter k: T.int64"},
    {"@T.prim_func\ndef f(A: T.Buffer((\"m + 1\",), \"float32\")):\n    m = T.int64()\n    A[m] = 1.0", "2:21",
     "the symbol 'm' is used, but nothing gives it a value there",
     "a dimension of a parameter that is m alone does, or a parameter m: T.int64"},
    {"@R.function\ndef f(x: R.Tensor((4, 2), \"float32\")):\n    k = T.int64()\n    y = R.reshape(x, R.shape([8]))\n   "
     " z = "
     "R.call_pure_packed(\"g\", y, ty_args=R.Tensor((k, 2), \"float32\"))\n    return z",
     "5:54", "the symbol 'k' is used, but nothing gives it a value there",
     "the type of a parameter does, or x = R.match_cast(y, R.Tensor((k, ...)))"},
    // The lexer.
    {F "    A[0] = 'x", "3:12", "this string is never closed; expected '", ""},
    {F "    A[0] = (1", "3:12", "this '(' is never closed", ""},
    {F "    A[0] = 1]", "3:13", "met ']', but no bracket is open", ""},
    {F "    A[0) = 1", "3:8", "met ')', expected ']' for the '[' at test.py:3:6", ""},
    {F "\tA[0] = 1", "3:1", "this line is indented with a tab", "indent with spaces"},
    {F "    A[0] = 1\n  A[1] = 2", "4:3", "this line is indented by 2 spaces, like no block around it",
     "the nearest block is indented by 0"},
    {F "    A[0] = 1\n      A[1] = 2", "4:7", "met a deeper indentation, expected a statement of the same block", ""},
    {F "    A[0] = 12abc", "3:14", "met 'a' in the number 12", ""},
    {F "    A[0] = 99999999999999999999", "3:12", "the integer 99999999999999999999 does not fit 64 bits", ""},
    {F "    A[0] = 1 ? 2", "3:14", "met '?', which begins nothing", ""},
    {F "    A[0] = !n", "3:12", "met '!', which begins nothing", "write `not x`, or != for unequal"},
    {F "    A[0] = f\"x\"", "3:12", "an f-string cannot be read...", ""},
    {"@T.prim_func\ndef f():\n    \xc3\xa9 = 1", "3:5", "met the byte 0xc3 outside of a string or comment", ""},
    // The syntax.
    {F "    A[0] = ", "3:12", "met the end of the line, expected an expression", ""},
    {F "    for i in range(4)\n        pass", "3:22",
     "met the end of the line, expected ':' after the range of the loop", ""},
    {F "    if n == 1:\n    pass", "4:5", "met 'pass', expected an indented block after ':'",
     "write `pass` for an empty block"},
    {F "    A[0] = 1 2", "3:14", "met the number 2, expected the end of the line", ""},
    {F "    A[0] = f(a=1, 2)", "3:19", "met a positional argument after the keyword argument 'a'", ""},
    {F "    else:\n        pass", "3:5", "met 'else' without an `if` before it", ""},
    {F "    for class in range(4):\n        pass", "3:9", "met 'class', expected the name of a loop variable",
     "'class' is a word of Python; choose another name"},
    // Python that is not run.
    {"import numpy as np\n", "1:1", "this import of 'numpy' cannot be read...", ""},
    {"from tvm.script import topi\n", "1:24", "this import of 'topi' cannot be read...", ""},
    {F "    import os\n", "3:5", "an import inside of a definition cannot be read...", ""},
    {F "    A[0] = [x for x in n]", "3:15", "a list comprehension cannot be read...", "write the elements"},
    {F "    A[0] = (lambda x: x)(1)", "3:13", "a lambda cannot be read...", ""},
    {F "    A[0] = 1 if n == 1 else 2", "3:14", "a conditional expression cannot be read...",
     "write T.if_then_else..."},
    {F "    A[0] = n ** 2", "3:14", "the operator ** cannot be read...", "write T.pow(x, y)..."},
    {F "    T.evaluate(0 < n < 4)", "3:22", "a chained comparison cannot be read...", "write `a < b and b < c`"},
    {F "    def inner():\n        pass", "3:5", "a function inside of a function cannot be read...", ""},
    {F "    try:\n        pass", "3:5", "exception handling cannot be read...", ""},
    {F "    while n > 0:\n        break", "4:9", "`break` cannot be read...", ""},
    {F "    n += 1", "3:5", "an update of a name cannot be read...", ""},
    {"@I.ir_module\nclass M(Base):\n    pass", "2:9", "a base class cannot be read...", ""},
    {"@I.ir_module\nclass M:\n    @T.prim_func\n    def f(self):\n        pass", "4:11", "a method cannot be read...",
     ""},
    {G "    return metadata[\"relax.expr.Constant\"][0]", "3:12", "TVM's `metadata` cannot be read...",
     "write constants with R.const or I.data(\"sha256:...\")"},
    {"metadata = 1", "1:1", "TVM's `metadata` cannot be read...", ""},
    // Names and forms.
    {F "    A[0] = m", "3:12", "the name 'm' is not defined here", ""},
    {F "    A[0] = AA[0]", "3:12", "the name 'AA' is not defined here", "did you mean 'A'?"},
    {F "    for i in T.gird(4):\n        pass", "3:14", "unknown T.gird", "did you mean T.grid?"},
    {F "    with T.blok(\"b\"):\n        pass", "3:10", "unknown T.blok", "did you mean T.block?"},
    {F "    B = T.allocate([4], \"float32\")", "3:9", "T.allocate cannot be read...",
     "write A = T.alloc_buffer(shape, dtype)"},
    {F "    B = T.alloc_buffer((4,), \"flaot32\")", "3:30", "\"flaot32\" is no dtype; expected the dtype of the buffer",
     "did you mean \"float32\"?"},
    {F "    B = T.alloc_buffer((4,), \"int\\n8\")", "3:30", "\"int\\n8\" is no dtype; expected the dtype of the buffer",
     ""},
    {F "    B = T.alloc_buffer((4,), scop=\"local\")", "3:30", "a buffer has no argument 'scop'",
     "did you mean 'scope'?"},
    {F "    with T.sblock(\"b\"):\n        v = T.axis.spatal(4, n)\n", "4:13", "unknown T.axis.spatal",
     "did you mean T.axis.spatial?"},
    {F "    T.evaluate(A.shap[0])", "3:16", "unknown attribute '.shap'", "did you mean .shape?"},
    {F "    cls.mian(A)", "3:5", "the module has no function 'mian'", "did you mean cls.main?"},
    {F "    I.nod(\"x\")", "3:5", "unknown I.nod", "did you mean I.node?"},
    {F "    I.node(\"tir.Fro/1\")", "3:12", "unknown kind \"tir.Fro/1\"", ""},
    {F "    I.node(\"tir.Evaluate/1\", valeu=1)", "3:30", "the kind tir.Evaluate/1 has no slot 'valeu'",
     "did you mean 'value'?"},
    {F "    T.evaluate(R.exp(A))", "3:16", "met a call of 'R.exp', expected an expression of the loop level",
     "R.* forms stand in @R.function"},
    // Values.
    {F "    A[0, 0] = 1", "3:5", "the buffer 'A' has 1 dimensions, met 2 indices", ""},
    {F "    A[0.5] = 1", "3:7", "met a value of dtype float32, expected an integer", "write T.Cast(\"int64\", ...)"},
    {F "    T.evaluate(n / 2)", "3:16", "'/' takes floating-point numbers, met int64", "write a // b to round down..."},
    {F "    T.evaluate(A[0] // 2.0)", "3:16", "'//' takes integers, met float32", "write T.floor(a / b)"},
    {F "    T.evaluate(A + 1)", "3:16", "met the buffer 'A', expected a number", "index it: A[i, j]"},
    {F "    if n:\n        pass", "3:8", "met a value of dtype int64, expected a condition", "compare it: x != 0"},
    {F "    T.evaluate(T.int8(200))", "3:16", "the integer 200 does not fit int8", ""},
    {F "    T.evaluate(1 // 0)", "3:16", "cannot compute the literals: division by zero", ""},
    {F "    T.evaluate(T.Select(n > 0, 1))", "3:16", "T.Select misses its argument 'false_value'", ""},
    {F "    T.evaluate(T.min(n))", "3:16", "T.min takes two operands, met 1", ""},
    {F "    A[0:n] = A[0:4]", "3:7", "met a slice whose length is no positive constant where a vector is read", ""},
    {F "    for i in T.thread_binding(4):\n        pass", "3:14", "T.thread_binding misses thread=\"...\"", ""},
    {F "    for i, j in T.grid(4):\n        pass", "3:17", "T.grid has 1 extents for 2 loop variables", ""},
    {F "    for i in range(0, 4, 0):\n        pass", "3:26",
     "met the integer 0, expected a step that is a positive number", ""},
    {F "    for i in [1, 2]:\n        pass", "3:14", "met a list, expected range(...)...", ""},
    {F "    V = A.view(-1, 8)", "3:16", "an extent that follows from the others cannot be read...", "write the extent"},
    {F "    V = A.view(\"int48\")", "3:16", "a view of float32 as int48 has elements that are parts of others",
     "one width is a multiple of the other"},
    {F "    V = A.view(\"flaot32\")", "3:16", "\"flaot32\" is no dtype; expected the dtype of the view",
     "did you mean \"float32\"?"},
    {F "    V = A.view()", "3:9", "the view misses its shape", "write A.view(8, 8)"},
    {F "    V = A.view(4, 4, layout=None)", "3:22", "the layout of a view cannot be read...", "write T.decl_buffer"},
    {F "    V = n.view(4)", "3:9", "met 'n', expected a buffer before '.view'", ""},
    {F "    assert n > 0, (\"ValueError\", [n])", "3:35", "met 'n', expected a part of the message as a string", ""},
    {F "    assert n > 0, (\"ValueError\",)", "3:19", "met a tuple, expected the message as a string", ""},
    {F "    a, b = 0, 1\n    a, b = b, a + b", "4:15",
     "an assignment that uses 'a' and assigns it at once cannot be read...", "write one statement for each name"},
    {F "    n += 1\n    n = n + 1", "3:5", "an update of a name cannot be read...", ""},
    {F "    T.func_attr({1: 2})", "3:18", "met the integer 1, expected a string as the key of a map", ""},
    {F "    n == 1", "3:5", "met an expression with '==', expected a statement", "a single = assigns"},
    {"@T.prim_func\ndef f(x):\n    pass", "2:7", "the parameter 'x' has no annotation", ""},
    {F "    T.evaluate(I.data(\"sha256:00\"))", "3:23",
     "met a string, expected \"sha256:\" and 64 hex digits, or \"hex:\" and the bytes", ""},
    {F "    with T.sblock(\"b\"):\n        x = n + 1\n        with T.init():\n            A[x] = 0.0\n", "5:9",
     "met a part of the head of a block after a statement of its body",
     "axes, regions, allocations and T.init() come first"},
    // The graph level.
    {G "    y = R.exp(x)", "1:1", "the function 'main' ends without `return`", ""},
    {G "    y = x + x\n    return y", "3:9", "the operator '+' in a graph function cannot be read...",
     "write R.add(a, b)..."},
    {G "    for i in range(4):\n        pass\n    return x", "3:5", "a loop in a graph function cannot be read...", ""},
    {G "    return x\n    y = x", "4:5", "met a statement after `return`", ""},
    {G "    if c:\n        y = x\n    return y", "3:5", "met an `if` without `else`", ""},
    {G "    if c:\n        y = x\n    else:\n        z = x\n    return y", "6:9",
     "the branches of an `if` end with a binding of 'z', expected a binding of 'y'", ""},
    {G "    with R.dataflw():\n        pass\n    return x", "3:10", "unknown R.dataflw", "did you mean R.dataflow?"},
    {G "    y: R.Tenser((4,)) = x\n    return y", "3:8", "unknown R.Tenser", "did you mean R.Tensor?"},
    {G "    return R.call_tir(cls.exp, (x,), out_ty=R.Object)", "3:23", "the module has no function 'exp'", ""},
    {G "    return R.const([[1, 2], [3]], \"int32\")", "3:29", "the rows of the constant have different lengths", ""},
    {G "    def f(y):\n        return y\n    return x", "3:5", "a closure cannot be read...", ""},
    {G "    return x[0:2]", "3:14", "met a slice, expected the number of a field of a tuple...", ""},
    {G "    return T.exp(x)", "3:12", "met a call of 'T.exp', expected an expression of the graph level", ""},
};

bool agrees(const std::string& actual, std::string_view expected) {
  if (expected.size() > 3 && expected.substr(expected.size() - 3) == "...")
    return actual.compare(0, expected.size() - 3, expected.substr(0, expected.size() - 3)) == 0;
  return actual == expected;
}

TEST(ScriptErrors, SayWhatWhereAndWhatToDo) {
  for (const Refusal& r : kRefusals) {
    Error e = error_of([&] { read(r.text); });
    EXPECT_EQ(e.code, TN_ERROR_PARSE) << r.text << "\n" << e.message;
    EXPECT_EQ(e.where, std::string("test.py:") + r.where) << r.text << "\n" << e.message;
    EXPECT_TRUE(agrees(e.message, r.message))
        << r.text << "\n  actual:   " << e.message << "\n  expected: " << r.message;
    if (*r.hint) {
      EXPECT_TRUE(agrees(e.hint, r.hint)) << r.text << "\n  actual:   " << e.hint << "\n  expected: " << r.hint;
    }
  }
}

// ---- Ops of the table

ParseContext with_ops() {
  ParseContext context;
  context.op_names = [] {
    return std::vector<std::string>{"relax.concat", "relax.permute_dims", "tir.exp", "tir.isnan", "tir.nan"};
  };
  context.find_op = [](std::string_view id) -> Value {
    Builder b = core_builder();
    auto record = [&](std::vector<Value> args, const char* attr, const char* result) {
      Builder::Entries attrs;
      if (attr) attrs.emplace_back(attr, Value(b.map({})));
      return Value(b.map({{"args", b.array(args)}, {"attrs", b.map(attrs)}, {"result", b.string(result)}}));
    };
    if (id == "tir.exp") return record({b.string("x")}, nullptr, "first");
    if (id == "tir.isnan") return record({b.string("x")}, nullptr, "bool");
    if (id == "tir.nan") return record({}, nullptr, "given");
    if (id == "relax.permute_dims") return record({b.string("x")}, "axes", "");
    if (id == "relax.concat") return record({b.string("tensors...")}, "axis", "");
    return {};
  };
  return context;
}

TEST(ScriptOps, AreCheckedAgainstTheTable) {
  struct Row {
    const char* text;
    const char* message;
    const char* hint;
  };
  const Row rows[] = {
      {F "    T.evaluate(T.expp(A[0]))", "unknown T.expp", "did you mean T.exp?"},
      {F "    T.call_extern(\"int32\", \"f\", n)",
       "T.call_extern cannot be read: the script is a subset of TVMScript and no Python is run",
       "write T.call_packed(\"f\", ...)"},
      {F "    T.break_loop()", "T.break_loop cannot be read: the script is a subset of TVMScript and no Python is run",
       "put the condition into a `while`"},
      {F "    T.evaluate(T.exp(A[0], A[1]))", "tir.exp takes 1 argument, met 2", "its arguments are x"},
      {F "    T.evaluate(T.exp(A[0], fast=True))", "tir.exp has no attribute 'fast'", "it has no attributes"},
      {G "    return R.permute_dim(x)", "unknown R.permute_dim", "did you mean R.permute_dims?"},
      {G "    return R.permute_dims(x, axis=[0])", "relax.permute_dims has no attribute 'axis'",
       "did you mean 'axes'?"},
      {G "    return R.permute_dims()", "relax.permute_dims takes 1 argument, met 0", "its arguments are x"},
      {G "    return R.permute_dims(x, [0], [1])", "relax.permute_dims takes 1 argument by position, met 3",
       "give its attributes by name: axes"},
  };
  for (const Row& r : rows) {
    Error e = error_of([&] { parse(r.text, "test.py", with_ops()); });
    EXPECT_EQ(e.message, r.message) << r.text;
    EXPECT_EQ(e.hint, r.hint) << r.text;
  }
}

TEST(ScriptOps, GiveTheDtypeOfTheirResult) {
  ParseContext context = with_ops();
  Node module =
      parse(F "    x: T.bool = T.isnan(A[0])\n    if T.isnan(T.exp(A[0])):\n        A[0] = T.nan(\"float32\")",
            "test.py", context);
  PrintOptions options;
  options.find_op = context.find_op;
  std::string printed = print(Value(module), options);
  EXPECT_NE(printed.find("x: T.bool = T.isnan(A[0])\n"), std::string::npos) << printed;
  EXPECT_NE(printed.find("A[0] = T.nan(\"float32\")\n"), std::string::npos) << printed;
  Node again = parse(printed, "again.py", context);
  EXPECT_EQ(difference(Value(module), Value(again)), "");
  // Text that is printed without the table says the dtype and can be read without it.
  std::string alone = print(Value(module));
  EXPECT_NE(alone.find("T.isnan(A[0], dtype=\"bool\")"), std::string::npos) << alone;
  EXPECT_EQ(difference(Value(module), Value(parse(alone, "alone.py", ParseContext()))), "");
}

TEST(ScriptOps, OneAttributeMayStandByPosition) {
  Node module = parse(G "    return R.permute_dims(x, [1, 0])", "test.py", with_ops());
  EXPECT_EQ(
      difference(Value(module), Value(parse(G "    return R.permute_dims(x, axes=[1, 0])", "test.py", with_ops()))),
      "");
}

}  // namespace
}  // namespace tenon::test
