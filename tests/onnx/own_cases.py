#!/usr/bin/env python3
"""What ONNX's node cases leave out, compiled and interpreted: each case has its numbers from numpy.

    own_cases.py TENON [--filter REGEX]

Needs Debian's python3-onnx and python3-numpy.
"""
import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import helper, numpy_helper

CASES = []
INF = np.inf
TYPES = onnx.mapping.NP_TYPE_TO_TENSOR_TYPE
RANDOM = np.random.RandomState(1)


def numbers(*shape):
    return RANDOM.standard_normal(shape).astype(np.float32)


def case(title, nodes, inputs, expected, weights=None, opset=17, shapes=None):
    """`expected` is an array, or the words of the refusal. `shapes` declares symbolic dimensions of inputs."""
    CASES.append((title, nodes, inputs, expected, weights or {}, opset, shapes or {}))


def node(op, inputs, **attributes):
    return helper.make_node(op, inputs.split(), ["y"], **attributes)


def one(title, op, inputs, expected, opset=17, **attributes):
    """A single node of the inputs x0, x1, ..."""
    named = {f"x{i}": np.asarray(v) for i, v in enumerate(inputs)}
    case(title, [node(op, " ".join(named), **attributes)], named, expected, opset=opset)


def old_broadcasting():
    a, b, square, row = numbers(2, 3, 4, 5), numbers(3, 4), numbers(3, 3), numbers(3)
    one("the second operand begins at an axis", "Add", [a, b], a + b[:, :, None], 6, broadcast=1, axis=1)
    one("on a square tensor too", "Sub", [square, row], square - row[:, None], 6, broadcast=1, axis=0)
    one("without an axis it ends with the first", "Mul", [a, numbers(5) * 0 + 2], a * 2, 6, broadcast=1)
    one("of powers", "Pow", [abs(square), row], np.power(abs(square), row[:, None]), 1, broadcast=1, axis=0)
    one("of comparisons", "Less", [square, row], square < row[:, None], 1, broadcast=1, axis=0)
    one("at an axis where there is no place", "Add", [a, b], "there is no place", 6, broadcast=1, axis=3)


def old_operators():
    x = numbers(2, 6)
    one("Cast names its type", "Cast", [x], x.astype(np.int32), 1, to="INT32")
    one("Cast to a type that there is not", "Cast", [x], "element type 'INT33' is not supported", 1, to="INT33")
    one("Cast to a number beyond all types", "Cast", [x], "is not supported", to=2**32 + 1)
    one("Concat joins at axis 1", "Concat", [x, x], np.concatenate([x, x], 1), 1)
    one("Reshape has its shape as an attribute", "Reshape", [x], x.reshape(3, 4), 1, shape=[3, -1])
    big = np.float32([1, INF, -INF])
    one("Clip bounds infinity", "Clip", [big], np.clip(big, np.finfo(np.float32).min, np.finfo(np.float32).max), 6)


def pooling():
    x = numbers(1, 1, 5, 5)
    padded = np.pad(x[0, 0], 1, constant_values=-INF)
    kept = np.float32([[padded[i:i + 2, j:j + 2].max() for j in (0, 3)] for i in (0, 3)])[None, None]
    window = dict(kernel_shape=[2, 2], strides=[3, 3], pads=[1, 1, 1, 1], ceil_mode=1)
    one("a window that begins in the padding at the end is left out", "MaxPool", [x], kept, **window)
    case("and with symbolic dimensions", [node("MaxPool", "x", **window)], {"x": x}, kept, shapes={"x": ["n", 1, "h", "w"]})
    sums = np.pad(x[0, 0], 1)
    counts = np.float32([[1, 2], [2, 4]])
    mean = np.float32([[sums[i:i + 2, j:j + 2].sum() for j in (0, 3)] for i in (0, 3)]) / counts
    one("of averages too", "AveragePool", [x], mean[None, None], **window)
    low = np.full((1, 1, 4, 4), -INF, np.float32)
    one("minus infinity is the greatest of itself", "MaxPool", [low], low[:, :, :3, :3], kernel_shape=[2, 2])
    same = dict(auto_pad="SAME_UPPER", kernel_shape=[3, 3])
    around = np.pad(x[0, 0], 1, constant_values=-INF)
    full = np.float32([[around[i:i + 3, j:j + 3].max() for j in range(5)] for i in range(5)])[None, None]
    case("auto_pad of stride 1 needs no extents", [node("MaxPool", "x", **same)], {"x": x}, full,
         shapes={"x": ["n", 1, "h", "w"]})
    case("auto_pad of other strides does", [node("MaxPool", "x", strides=[2, 2], **same)], {"x": x},
         "auto_pad with strides needs spatial dimensions that are known", shapes={"x": ["n", 1, "h", "w"]})


def reductions():
    x = np.float32([[INF, 1, 2], [-INF, 1, 2], [-INF] * 3, [INF, -INF, 0], [1000, 999, -INF]])
    with np.errstate(all="ignore"):
        log_sum_exp = np.float32([[INF], [np.log(np.exp(1) + np.exp(2))], [-INF], [INF], [1000 + np.log1p(np.exp(-1))]])
    one("the greatest of infinities", "ReduceMax", [x], x.max(1, keepdims=True), axes=[1])
    one("the least of infinities", "ReduceMin", [-x], (-x).min(1, keepdims=True), axes=[1])
    one("the greatest of nothing", "ReduceMax", [numbers(0, 3)], np.full((1, 3), -INF, np.float32), axes=[0])
    one("the logarithm of sums of exponentials of infinities", "ReduceLogSumExp", [x], log_sum_exp, axes=[1])
    i = np.int64([[3, 4], [6, 8]])
    one("a norm of integers", "ReduceL2", [i], np.int64([[5], [10]]), axes=[1])
    one("a logarithm of integers", "ReduceLogSum", [i], np.int64([[1], [2]]), axes=[1])
    one("an exponential of integers", "ReduceLogSumExp", [i], np.int64([[4], [8]]), axes=[1])


def layers():
    a, b, c = numbers(3, 4), numbers(4, 5), numbers(5)
    i, j = np.int32([[1, 2]]), np.int32([[3], [4]])
    one("beta of zero leaves C out", "Gemm", [a, b, c * INF], a @ b, beta=0.0)
    one("integers by a whole number", "Gemm", [i, j], np.int32([[22]]), alpha=2.0)
    one("integers by a fraction", "Gemm", [i, j], "alpha is no whole number", alpha=0.5)
    one("C larger than the product", "Gemm", [i, j, np.zeros((2, 2), np.int32)], "broadcast to the shape of C")
    x, scale, shift = numbers(4), np.float64([2]), np.float64([1])
    expected = (x / np.sqrt(np.float32(4) + np.float32(1e-5)) * 2 + 1).astype(np.float32)
    one("a vector is one channel, and its parameters may be of another type", "BatchNormalization",
        [x, scale, shift, np.float64([0]), np.float64([4])], expected)
    training = {"ratio": np.float32(0.5), "training": np.array(False)}
    case("Dropout that says it does not train", [node("Dropout", "x ratio training")], {"x": a}, a, training)
    training = {"ratio": np.float32(0.5), "training": np.array(True)}
    case("Dropout that trains", [node("Dropout", "x ratio training")], {"x": a}, r"training mode \('training'\)", training)


def attributes():
    x = numbers(2, 3)
    one("an attribute that the operator has not", "Softmax", [x], "it has no attribute 'axes' in opset 17", axes=0)
    one("an attribute of an operator that has none", "Relu", [x], "it has no attribute 'slope' in opset 17", slope=0.5)
    one("bounds are attributes before opset 11", "Clip", [x], np.clip(x, -0.5, 0.5), 10, min=-0.5, max=0.5)
    one("and not since", "Clip", [x], "it has no attribute 'max' in opset 11", 11, min=-0.5, max=0.5)
    one("an axis of broadcasting since opset 7", "Add", [x, numbers(2)], "it has no attribute 'axis' in opset 7", 7, axis=0)
    one("Concat without its axis", "Concat", [x, x], "it names no axis")
    pick = [helper.make_node("Shape", ["x"], ["s"]), node("Gather", "s at")]
    case("an element that a shape has not", pick, {"x": x}, "the index -3 is outside of 2 elements", {"at": np.int64([-3])})
    whole = [helper.make_node("Cast", ["x"], ["z"], to=7), node("Relu", "z")]
    case("an output declared as float32", whole, {"x": x}, "'y' is computed as int64, and the model declares element type 1")


def wrapped_power(x, y, dtype):
    """x ** y in whole numbers, kept to the bits of the dtype."""
    bits = np.iinfo(dtype).bits
    value = pow(x, y, 1 << bits) if y >= 0 else {1: 1, -1: 1 - 2 * (y % 2)}.get(x, 0)
    return (value + (1 << bits - 1)) % (1 << bits) - (1 << bits - 1)


def powers():
    for dtype, exponents in ((np.int64, np.int64), (np.int32, np.int64), (np.int64, np.int32), (np.int32, np.uint64)):
        least, greatest = np.iinfo(exponents).min, np.iinfo(exponents).max
        y = [0, 1, 2, 3, 22, 31, 39, 63, 64, 101, greatest, greatest - 1] + ([-1, -2, -3, least] if least else [])
        x = [[0], [1], [-1], [2], [-2], [3], [-3], [7], [np.iinfo(dtype).max], [np.iinfo(dtype).min]]
        expected = np.array([[wrapped_power(b, e, dtype) for e in y] for b, in x], dtype)
        one(f"{dtype.__name__} to {exponents.__name__} is exact and wraps around", "Pow",
            [np.array(x, dtype), np.array(y, exponents)], expected, 15)
    one("integers to fractions are cut off", "Pow", [np.int32([3, 8, 7, 9, 49, 4]), np.float32([.5, .5, .5, .5, .5, -.5])],
        np.int32([1, 2, 2, 3, 7, 0]), 15)
    whole = np.arange(1, 40000, 7, dtype=np.int32)
    one("whole roots of integers are exact", "Pow", [whole * whole, np.float32(.5)], whole, 15)
    case("powers of powers", [helper.make_node("Pow", ["x", "z"], ["p"]), node("Pow", "p z")], {"x": np.int64([3, -7, 2])},
         np.int64([3**36, wrapped_power(-7, 36, np.int64), 2**36]), {"z": np.int64([6])}, shapes={"x": ["n"]})


def shapes():
    x = numbers(4, 4)
    to = {"to": np.int64([-1, 8])}
    symbolic = {"x": ["n", 4]}
    case("a dimension is left over", [node("Reshape", "x to")], {"x": x}, x.reshape(2, 8), to, shapes=symbolic)
    case("not without a remainder", [node("Reshape", "x to")], {"x": x[:3]}, "y_elements", to, shapes=symbolic)
    half = [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Div", ["s", "two"], ["t"]), node("Expand", "one t")]
    case("sizes are divided towards zero", half, {"x": x}, np.ones((2, 2), np.float32),
         {"two": np.int64([2, 2]), "one": np.ones((1, 1), np.float32)}, shapes={"x": ["n", "m"]})
    below = [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Sub", ["a", "s"], ["m"]),
             helper.make_node("Div", ["m", "b"], ["q"]), helper.make_node("Add", ["q", "c"], ["t"]), node("Expand", "one t")]
    for a, b in ((3, 2), (11, 2), (3, -2), (11, -2), (0, 4)):
        quotient = abs(a - 6) // abs(b) * (1 if (a < 6) == (b < 0) else -1)
        weights = {"a": np.int64([a]), "b": np.int64([b]), "c": np.int64([5]), "one": np.ones(1, np.float32)}
        for sizes in (["n"], [6]):
            case(f"({a} - size) / {b} towards zero, of {sizes[0]}", below, {"x": numbers(6)},
                 np.ones(quotient + 5, np.float32), weights, shapes={"x": sizes})
    case("a size divided by what may have either sign", below, {"x": numbers(6), "b": np.int64([2])},
         "computed at run time", {"a": np.int64([3]), "c": np.int64([5]), "one": np.ones(1, np.float32)})
    for dtype in (np.int8, np.uint8, np.int32, np.uint32, np.int64):
        bits = np.iinfo(dtype).bits
        casts = [helper.make_node("Cast", ["c"], ["d"], to=TYPES[np.dtype(dtype)]), helper.make_node("Cast", ["d"], ["e"], to=7),
                 node("Expand", "x e")]
        case(f"a size is what {dtype.__name__} holds of it", casts, {"x": numbers(1) * 0 + 1}, np.ones(6, np.float32),
             {"c": np.int64([6 + (1 << bits if bits < 64 else 0)])})
    for sizes in (["n", "m"], [4, 4]):
        last = [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Gather", ["s", "at"], ["t"]), node("Expand", "one t")]
        case(f"sizes {sizes} at places of int32", last, {"x": numbers(4, 4)[:, :3] if sizes[0] == "n" else x},
             np.ones((3, 4) if sizes[0] == "n" else (4, 4), np.float32),
             {"at": np.int32([-1, 0]), "one": np.ones((1, 1), np.float32)}, shapes={"x": sizes})
        narrow = [helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Cast", ["s"], ["a"], to=6),
                  helper.make_node("Mul", ["a", "two"], ["b"]), helper.make_node("Gather", ["b", "at"], ["g"]),
                  helper.make_node("Cast", ["g"], ["t"], to=7), node("Expand", "one t")]
        case(f"sizes {sizes} computed in int32", narrow, {"x": x}, np.ones((8, 12), np.float32),
             {"two": np.int32([3, 2]), "at": np.int64([1, 0]), "one": np.ones((1, 1), np.float32)}, shapes={"x": sizes})
    pick = [helper.make_node("Shape", ["x"], ["s"]), node("Gather", "s at")]
    case("sizes at places of rank 2", pick, {"x": x}, "the indices have rank 2: a number or a vector", {"at": np.int64([[0, 1]])})
    case("sizes at places of the run time", pick, {"x": x, "at": np.int64([0])}, "computed at run time")
    case("what is no shape, gathered", [node("Gather", "x at")], {"x": x}, "'x' is neither", {"at": np.int64([0])})
    case("an element of int32 stays one", [helper.make_node("Gather", ["c", "at"], ["g"]), node("Add", "x g")],
         {"x": np.int32([1])}, np.int32([31]), {"c": np.int32([20, 30]), "at": np.int32(1)})
    grown = [helper.make_node("Shape", ["x"], ["s0"])]
    for k in range(60):
        grown += [helper.make_node("Div", [f"s{k}", "two"], [f"h{k}"]), helper.make_node("Add", [f"s{k}", f"h{k}"], [f"s{k + 1}"])]
    case("a size that doubles its expression sixty times", [*grown, node("Expand", "one s60")], {"x": numbers(3)},
         "a size that is computed from others in more than 4096 steps", {"two": np.int64([2]), "one": np.ones(1, np.float32)},
         shapes={"x": ["n"]})
    grown = [helper.make_node("Identity", ["x"], ["t0"])]
    for k in range(60):
        grown += [helper.make_node("MaxPool", [f"t{k}"], [f"p{k}"], kernel_shape=[2], strides=[2]),
                  helper.make_node("Concat", [f"t{k}", f"p{k}"], [f"t{k + 1}"], axis=2)]
    case("and one of a tensor", [*grown, node("Relu", "t60")], {"x": numbers(1, 1, 3)},
         "its result has a size that is computed from others", shapes={"x": [1, 1, "n"]})
    case("a size divided by zero", half, {"x": x}, "a shape is divided by zero",
         {"two": np.int64([0, 2]), "one": np.ones((1, 1), np.float32)})
    case("an integer that no double holds", [helper.make_node("Constant", [], ["c"], value_int=2**53 + 1),
                                             node("Add", "x c")], {"x": np.int64([0])}, np.int64([2**53 + 1]))
    many = helper.make_tensor("c", 1, [1 << 22], np.ones(1 << 22, np.float32))
    case("four million fractions that are no raw data", [helper.make_node("Constant", [], ["c"], value=many), node("Add", "x c")],
         {"x": numbers(1) * 0}, np.ones(1 << 22, np.float32))
    case("a list of numbers", [helper.make_node("Constant", [], ["c"], value_floats=[1.0, 2.5]), node("Add", "x c")],
         {"x": np.zeros(2, np.float32)}, np.float32([1, 2.5]))


def small_inputs():
    pool, tall = dict(kernel_shape=[3, 3]), {"x": ["n", 2, "h", "w"]}
    flat = [helper.make_node("MaxPool", ["x"], ["p"], **pool), node("Flatten", "p")]
    x = numbers(1, 2, 3, 3)
    case("a window that just fits", flat, {"x": x}, x.max((2, 3)), shapes=tall)
    case("a window that does not fit and whose extents are multiplied", flat, {"x": x[:, :, :1, :1]},
         "too small: an extent of p is negative", shapes=tall)
    case("a result of a negative extent", [node("MaxPool", "x", **pool)], {"x": x[:, :, :1]},
         "too small: dimension 2 of the result is negative", shapes=tall)
    less = [helper.make_node("Shape", ["a"], ["s"]), helper.make_node("Sub", ["s", "five"], ["t"]),
            helper.make_node("Expand", ["one", "t"], ["e"]), node("Reshape", "e all")]
    case("sizes taken from sizes", less, {"a": numbers(1, 1)}, "too small: an extent of e is negative",
         {"five": np.int64([5, 5]), "one": np.ones((1, 1), np.float32), "all": np.int64([-1])}, shapes={"a": ["n", "m"]})


def new_operators():
    x, axes = numbers(2, 3, 4), {"axes": np.int64([-1])}
    for op, expected in (("ReduceMax", x.max(2, keepdims=True)), ("ReduceMean", x.mean(2, keepdims=True)),
                         ("ReduceL1", abs(x).sum(2, keepdims=True)), ("ReduceLogSumExp", np.log(np.exp(x).sum(2, keepdims=True)))):
        case(f"{op} has its axes as an input", [node(op, "x axes")], {"x": x}, expected, axes, 18)
    case("no axes are no reduction", [node("ReduceProd", "x axes", noop_with_empty_axes=1)], {"x": x}, x,
         {"axes": np.zeros(0, np.int64)}, 18)
    one("the greatest of truths", "ReduceMax", [x > 1], np.array([[[(x > 1).any()]]]), 20)
    plane = numbers(1, 1, 5, 6)
    mean = (plane[..., :-2, :-2] + plane[..., :-2, 2:] + plane[..., 2:, :-2] + plane[..., 2:, 2:]) / 4
    one("AveragePool with gaps", "AveragePool", [plane], mean, 19, kernel_shape=[2, 2], dilations=[2, 2])
    one("Cast with what concerns eight bits only", "Cast", [x], x.astype(np.int32), 21, to=6, saturate=0)
    one("Relu of the newest opset", "Relu", [x], np.maximum(x, 0), 28)
    one("an opset that there is not yet", "Relu", [x], "opset 29 is not supported: 1 to 28 are", 29)
    one("Mod of fractions", "Mod", [x, x], "Mod of floating-point data is not supported", 28)


def long_sums():
    ones = np.ones((1, 1, 4096, 4608), np.float32)
    one("a mean of more ones than single precision counts", "GlobalAveragePool", [ones], ones[:, :, :1, :1])
    tenth = np.full((1, 1 << 18), 0.1, np.float32)
    due = tenth[:, :1].astype(np.float64) * (1 << 18)
    case("a sum of many tenths", [node("ReduceSum", "x axes")], {"x": tenth}, due.astype(np.float32),
         {"axes": np.int64([1])}, 13, {"x": ["n", "m"]})
    one("a norm of many", "ReduceL2", [tenth], np.sqrt(due * tenth[0, 0]).astype(np.float32), axes=[1])
    one("the logarithm of a sum of many exponentials", "ReduceLogSumExp", [tenth],
        (np.log(1 << 18) + tenth[:, :1].astype(np.float64)).astype(np.float32), axes=[1])


def names():
    a, b = numbers(3), numbers(3)
    case("names that are one when written as words", [node("Sub", "a.b a_b")], {"a.b": a, "a_b": b}, a - b)
    first = [helper.make_node("Shape", ["z"], ["s"]), helper.make_node("Gather", ["s", "zero"], ["n"]), node("Expand", "one n")]
    for title, z in (("in one that is named like it", ["x_0", 2]), ("in one that is named like the next", ["x_0", "x_0_"])):
        case("a dimension without a name, " + title, first, {"x": numbers(2, 3), "z": numbers(5, 2)},
             np.ones(5, np.float32), {"zero": np.int64([0]), "one": np.ones(1, np.float32)}, shapes={"x": [None, 3], "z": z})


def declared(name, value, shape):
    return helper.make_tensor_value_info(name, TYPES[value.dtype], shape or list(value.shape))


def run(tenon, item, executor):
    """None when right, or what is wrong."""
    _, nodes, inputs, expected, weights, opset, shapes = item
    refused = isinstance(expected, str)
    result = onnx.ValueInfoProto(name="y")
    result.type.tensor_type.elem_type = 1 if refused else TYPES[expected.dtype]
    graph = helper.make_graph(nodes, "case", [declared(n, v, shapes.get(n)) for n, v in inputs.items()], [result],
                              [numpy_helper.from_array(v, n) for n, v in weights.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        onnx.save(model, str(folder / "model.onnx"))
        command = [tenon, "run", "model.onnx", "--output", "out", *executor]
        words = []
        for i, (name, value) in enumerate(inputs.items()):
            np.save(folder / f"{i}.npy", value)
            word = re.sub("[^A-Za-z0-9_]", "_", name)
            words.append(word)
            command += ["--input", f"{word if words.count(word) == 1 else word + '_1'}={i}.npy"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        if refused:
            if done.returncode == 1 and re.search(expected, done.stderr):
                return None
            return f"exit {done.returncode}: {done.stderr.strip()[:300]}, expected {expected}"
        if done.returncode:
            return f"exit {done.returncode}: {done.stderr.strip()[:300]}"
        got = np.load(folder / "out/result.npy")
    if got.shape != expected.shape or got.dtype != expected.dtype:
        return f"is {got.dtype} {got.shape}, expected {expected.dtype} {expected.shape}"
    exact = expected.dtype.kind != "f"
    if not (np.array_equal(got, expected) if exact else np.allclose(got, expected, rtol=1e-5, atol=1e-6, equal_nan=True)):
        return f"is {got.tolist()}, expected {expected.tolist()}"
    return None


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("tenon", type=lambda p: str(pathlib.Path(p).resolve()))
    arguments.add_argument("--filter", default="")
    a = arguments.parse_args()
    for group in (old_broadcasting, old_operators, pooling, reductions, layers, attributes, powers, shapes, small_inputs,
                  new_operators, long_sums, names):
        group()
    chosen = [item for item in CASES if re.search(a.filter, item[0])]
    wrong = 0
    for item in chosen:
        for executor in ([], ["--executor", "eval-interp"]):
            said = run(a.tenon, item, executor)
            if said:
                wrong += 1
                print(f"{item[0]} {' '.join(executor)}: {said}")
    print(f"{len(chosen)} cases, compiled and interpreted, {wrong} wrong")
    sys.exit(1 if wrong or not chosen else 0)


main()
