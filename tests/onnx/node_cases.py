#!/usr/bin/env python3
"""Runs ONNX's node cases for the supported operators through the compiled pipeline and compares with their outputs.

    node_cases.py TENON [--filter REGEX] [--symbolic] [--newer]

Needs Debian's libonnx-testdata, python3-onnx and python3-numpy. Shapes and axes that a case passes as inputs are given
with `--constant`: the compiler needs them while compiling. `--symbolic` gives the leading dimension of the inputs a
name instead of a number. A case listed in LIMITS must be refused with the words that stand there. `--newer` takes the
cases of an onnx from the Python index; where the Python that runs this has none, that is said and the exit code is 77.
"""
import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile

SKIPPED = f"skipped: {sys.executable} has no onnx newer than Debian's (pip install onnx)"

try:
    import numpy as np
    import onnx
    from onnx import numpy_helper
except ImportError:
    if "--newer" not in sys.argv:
        raise
    print(SKIPPED)
    sys.exit(77)

DATA = pathlib.Path(onnx.__file__).parent / "backend/test/data/node"

OPERATORS = """Add Sub Mul Div Pow Sum Mean Max Min Neg Abs Exp Log Sqrt Reciprocal Relu LeakyRelu Sigmoid Tanh Erf Floor Ceil
Round Clip Identity Cast Where Equal Greater Less GreaterOrEqual LessOrEqual And Or Not Sin Cos Mod Conv MaxPool AveragePool
GlobalAveragePool GlobalMaxPool BatchNormalization MatMul Gemm Softmax LogSoftmax ReduceSum ReduceMean ReduceMax ReduceMin
ReduceProd ReduceL1 ReduceL2 ReduceSumSquare ReduceLogSum ReduceLogSumExp Reshape Flatten Transpose Concat Shape Squeeze
Unsqueeze Expand Constant Dropout""".split()

# What is refused, and the words of the refusal.
LIMITS = [
    (r"cast(like)?_.*(FLOAT16|BFLOAT16|STRING|FLOAT8|FLOAT4|INT4|INT2)|float16|equal_string", r"element type \d+"),
    (r"batchnorm_.*training", r"training mode is not supported"),
    (r"training_dropout", r"training mode|mask output"),
    (r"dropout_.*mask", r"mask output is not supported"),
    (r"mod_.*fmod|mod_mixed_sign_float", r"fmod=1 is not supported|Mod of floating-point data is not supported"),
    (r"mod_uint64", r"."),
]

# With a leading dimension that may be anything, what a case fixes elsewhere cannot be shown to fit: refused, not guessed.
SYMBOLIC_LIMITS = r"do not broadcast|hold different numbers of elements|the inner dimensions differ|is not 1"

# Inputs that the compiler needs as constants: operator -> positions.
CONSTANT_INPUTS = {"Reshape": [1], "Expand": [1], "Squeeze": [1], "Unsqueeze": [1], "Dropout": [1, 2]}
CONSTANT_INPUTS |= {operator: [1] for operator in OPERATORS if operator.startswith("Reduce")}


def generate(folder):
    """The cases that this onnx makes, in the layout of Debian's."""
    from onnx.backend.test.case.node import collect_testcases
    with np.errstate(all="ignore"):
        cases = collect_testcases(None)
    for case in cases:
        data = folder / case.name / "test_data_set_0"
        data.mkdir(parents=True)
        onnx.save(case.model, str(data.parent / "model.onnx"))
        for name, values in zip(("input", "output"), case.data_sets[0]):
            for i, value in enumerate(values):
                if isinstance(value, (np.ndarray, np.generic)):
                    (data / f"{name}_{i}.pb").write_bytes(numpy_helper.from_array(np.asarray(value)).SerializeToString())
                elif isinstance(value, onnx.TensorProto):
                    (data / f"{name}_{i}.pb").write_bytes(value.SerializeToString())


def read(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    return numpy_helper.to_array(tensor)


def prepare(case, symbolic):
    """(model, inputs by name, names of the inputs that are constants, expected outputs)"""
    model = onnx.load(str(case / "model.onnx"))
    data = case / "test_data_set_0"
    inputs = {info.name: read(data / f"input_{i}.pb") for i, info in enumerate(model.graph.input)}
    expected = [read(data / f"output_{i}.pb") for i in range(len(model.graph.output))]
    constants = {node.input[position] for node in model.graph.node for position in CONSTANT_INPUTS.get(node.op_type, [])
                 if position < len(node.input) and node.input[position] in inputs}
    if symbolic:
        first = model.graph.input[0].type.tensor_type.shape.dim if model.graph.input else None
        if not first:
            return None
        extent = first[0].dim_value
        for info in model.graph.input:
            dims = info.type.tensor_type.shape.dim
            if dims and dims[0].dim_value == extent:
                dims[0].dim_param = "leading"
        for info in model.graph.output:
            info.type.tensor_type.ClearField("shape")
    return model, inputs, constants, expected


def run(tenon, case, symbolic):
    """None when right, "skip", or what is wrong."""
    prepared = prepare(case, symbolic)
    if prepared is None:
        return "skip"
    model, inputs, constants, expected = prepared
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        onnx.save(model, str(folder / "model.onnx"))
        command = [tenon, "run", "model.onnx", "--output", "out"]
        for i, (name, value) in enumerate(inputs.items()):
            np.save(folder / f"{i}.npy", np.asarray(value, order="C"))
            if name in constants:
                command += ["--constant", f"{name}={i}.npy"]
            else:
                command += ["--input", f"{re.sub('[^A-Za-z0-9_]', '_', name)}={i}.npy"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        limit = next((words for pattern, words in LIMITS if re.search(pattern, case.name)), SYMBOLIC_LIMITS if symbolic else None)
        if done.returncode == 1 and limit and re.search(limit, done.stderr):
            return "refused"
        if done.returncode:
            return f"exit {done.returncode}: {done.stderr.strip()[:300]}"
        names = ["result"] if len(expected) == 1 else [f"result.{i}" for i in range(len(expected))]
        for name, want in zip(names, expected):
            got = np.load(folder / "out" / f"{name}.npy")
            if got.shape != want.shape or got.dtype != want.dtype:
                return f"{name} is {got.dtype} {got.shape}, expected {want.dtype} {want.shape}"
            if want.dtype.kind == "f":
                if not np.allclose(got, want, rtol=1e-3, atol=1e-7, equal_nan=True):
                    return f"{name} differs by up to {np.abs(got - want).max()}"
            elif not np.array_equal(got, want):
                return f"{name} differs"
    return None


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("tenon", type=lambda p: str(pathlib.Path(p).resolve()))
    arguments.add_argument("--filter", default="")
    arguments.add_argument("--symbolic", action="store_true")
    arguments.add_argument("--newer", action="store_true")
    a = arguments.parse_args()
    if a.newer:
        if onnx.defs.onnx_opset_version() <= 17:
            print(SKIPPED)
            sys.exit(77)
        with tempfile.TemporaryDirectory() as folder:
            generate(pathlib.Path(folder))
            return compare(pathlib.Path(folder), a)
    if not DATA.is_dir():
        sys.exit("ONNX's node cases are not installed (Debian: libonnx-testdata)")
    compare(DATA, a)


def compare(folder, a):
    cases = []
    for case in sorted(folder.glob("test_*")):
        if re.search(a.filter, case.name):
            graph = onnx.load(str(case / "model.onnx")).graph
            operators = {n.op_type for n in graph.node}
            tensors = all(v.type.HasField("tensor_type") for v in [*graph.input, *graph.output])
            if operators and operators <= set(OPERATORS) and tensors:
                cases.append(case)
    counts, wrong = {"right": 0, "refused": 0, "skip": 0}, []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for case, outcome in zip(cases, pool.map(lambda c: run(a.tenon, c, a.symbolic), cases)):
            if outcome is None:
                counts["right"] += 1
            elif outcome in counts:
                counts[outcome] += 1
            else:
                wrong.append(f"{case.name}: {outcome}")
    for line in wrong:
        print(line)
    print(f"{counts['right']} right, {counts['refused']} refused as documented, {counts['skip']} without a leading dimension, {len(wrong)} wrong")
    sys.exit(1 if wrong or not counts["right"] else 0)


main()
