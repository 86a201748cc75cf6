#!/usr/bin/env python3
"""Random ONNX models of the supported operators, compiled, and computed by numpy in double precision.

    random_models.py TENON [--seed N] [--count K] [--keep FOLDER]

A model is a graph of 2 to 9 nodes over one or two inputs, with constants as its weights; every third has a batch of any
size. What one seed gives is the same everywhere. Needs Debian's python3-onnx and python3-numpy.
"""
import argparse
import concurrent.futures
import itertools
import pathlib
import random
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Model:
    """A graph that grows node by node together with the values of its tensors."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.numbers = np.random.RandomState(seed)
        self.any_batch = seed % 3 == 0
        self.nodes, self.weights, self.values = [], {}, {}
        rank = self.random.choice([2, 3, 4, 4, 4])
        shape = [self.random.randint(1, 3)] + [self.random.randint(1, 9) for _ in range(rank - 1)]
        self.inputs = ["x", "y"][: self.random.randint(1, 2)]
        for name in self.inputs:
            self.values[name] = self.numbers.uniform(-2, 2, shape).astype(np.float32).astype(np.float64)
        self.unused = set(self.inputs)

    def weight(self, *shape, low=-1.0, high=1.0):
        name = f"w{len(self.weights)}"
        self.weights[name] = self.numbers.uniform(low, high, shape).astype(np.float32)
        return name, self.weights[name].astype(np.float64)

    def integers(self, values):
        name = f"w{len(self.weights)}"
        self.weights[name] = np.asarray(values, np.int64)
        return name

    def add(self, op, inputs, value, **attributes):
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        self.values[name] = value
        self.unused -= set(inputs)
        self.unused.add(name)

    def grow(self):
        names = list(self.values)
        # Most of the time from what was made last, so that there are chains to fuse.
        name = names[-1] if self.random.random() < 0.7 else self.random.choice(names)
        steps = list(STEPS)
        self.random.shuffle(steps)
        for step in steps:
            if step(self, name, self.values[name]):
                return

    def proto(self):
        def info(name):
            batch, *rest = self.values[name].shape
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch" if self.any_batch else batch, *rest])

        weights = [numpy_helper.from_array(v, n) for n, v in self.weights.items()]
        graph = helper.make_graph(self.nodes, "random", list(map(info, self.inputs)), list(map(info, self.outputs())), weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])

    def outputs(self):
        return sorted(self.unused - set(self.inputs))


# ---- Steps: each adds one node to what it is given, or returns False where that is not of a shape for it.


def unary(m, name, x):
    op, f = m.random.choice([
        ("Relu", lambda v: np.maximum(v, 0)), ("Tanh", np.tanh), ("Sigmoid", lambda v: 1 / (1 + np.exp(-v))),
        ("Neg", np.negative), ("Abs", np.abs), ("LeakyRelu", lambda v: np.where(v < 0, 0.01 * v, v)),
        ("Sin", np.sin), ("Cos", np.cos)])
    m.add(op, [name], f(x))
    return True


def exponential(m, name, x):
    if np.abs(x).max(initial=0) > 3:
        return False
    m.add("Exp", [name], np.exp(x))
    return True


def clip(m, name, x):
    low, high = m.weight(low=-0.8, high=-0.2), m.weight(low=0.2, high=0.8)
    m.add("Clip", [name, low[0], high[0]], np.clip(x, low[1], high[1]))
    return True


def binary(m, name, x):
    op, f = m.random.choice([("Add", np.add), ("Sub", np.subtract), ("Mul", np.multiply), ("Div", np.divide),
                             ("Max", np.maximum), ("Min", np.minimum)])
    others = [n for n, v in m.values.items() if v.shape == x.shape]
    if op != "Div" and m.random.random() < 0.5:
        other, y = (n := m.random.choice(others)), m.values[n]
    else:  # broadcasts
        first = 1 if m.any_batch else m.random.choice([1, x.shape[0]])
        shape = [first] + [m.random.choice([1, d]) for d in x.shape[1:]]
        other, y = m.weight(*shape[m.random.randint(0, x.ndim - 1):], low=0.5, high=2)
    swap = op != "Div" and m.random.random() < 0.3
    m.add(op, [other, name] if swap else [name, other], f(y, x) if swap else f(x, y))
    return True


def softmax(m, name, x):
    axis = m.random.randint(1, x.ndim - 1)
    e = np.exp(x - x.max(axis, keepdims=True))
    m.add("Softmax", [name], e / e.sum(axis, keepdims=True), axis=m.random.choice([axis, axis - x.ndim]))
    return True


def reduction(m, name, x):
    op, f = m.random.choice([("ReduceMean", np.mean), ("ReduceMax", np.max), ("ReduceMin", np.min), ("ReduceSum", np.sum),
                             ("ReduceL2", lambda v, a, keepdims: np.sqrt((v * v).sum(a, keepdims=keepdims)))])
    axes = sorted(m.random.sample(range(1, x.ndim), m.random.randint(1, x.ndim - 1)))
    keep = x.ndim - len(axes) < 2 or m.random.random() < 0.5
    value = f(x, tuple(axes), keepdims=keep)
    if op == "ReduceSum":
        m.add(op, [name, m.integers(axes)], value, keepdims=int(keep))
    else:
        m.add(op, [name], value, axes=axes, keepdims=int(keep))
    return True


def reshape(m, name, x):
    rest = int(np.prod(x.shape[1:]))
    divisors = [d for d in range(1, rest + 1) if rest % d == 0]
    d = m.random.choice(divisors)
    to = m.random.choice([[0, d, rest // d], [0, -1, d], [0, rest]])
    m.add("Reshape", [name, m.integers(to)], x.reshape([x.shape[0], *to[1:]]))
    return True


def flatten(m, name, x):
    m.add("Flatten", [name], x.reshape(x.shape[0], -1), axis=1)
    return True


def transpose(m, name, x):
    order = [0, *m.random.sample(range(1, x.ndim), x.ndim - 1)]
    m.add("Transpose", [name], np.ascontiguousarray(x.transpose(order)), perm=order)
    return True


def concat(m, name, x):
    axis = m.random.randint(1, x.ndim - 1)
    others = [n for n, v in m.values.items()
              if v.ndim == x.ndim and all(a == b for k, (a, b) in enumerate(zip(v.shape, x.shape)) if k != axis)]
    parts = [name] + [m.random.choice(others) for _ in range(m.random.randint(1, 2))]
    m.random.shuffle(parts)
    m.add("Concat", parts, np.concatenate([m.values[n] for n in parts], axis), axis=axis)
    return True


def matmul(m, name, x):
    columns = m.random.choice([1, 3, 8, 17])
    batch = list(x.shape[1:-2]) if m.random.random() < 0.3 else []
    w, v = m.weight(*batch, x.shape[-1], columns)
    m.add("MatMul", [name, w], x @ v)
    return True


def gemm(m, name, x):
    if x.ndim != 2:
        return False
    columns, turned = m.random.choice([1, 5, 16]), m.random.random() < 0.5
    w, v = m.weight(*((columns, x.shape[1]) if turned else (x.shape[1], columns)))
    c, bias = m.weight(*m.random.choice([(columns,), (1, columns), (1,)]))
    alpha, beta = m.random.choice([(1.0, 1.0), (0.5, 2.0)])
    value = alpha * (x @ (v.T if turned else v)) + beta * bias
    m.add("Gemm", [name, w, c], value, transB=int(turned), alpha=alpha, beta=beta)
    return True


def windows(x, kernel, strides, dilations, pads, fill):
    """The values under each place of a window: (n, c, *out, positions), and how many of them are of the image."""
    spatial = x.ndim - 2
    width = [(0, 0), (0, 0)] + [(pads[k], pads[spatial + k]) for k in range(spatial)]
    padded, inside = np.pad(x, width, constant_values=fill), np.pad(np.ones_like(x), width)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations)]
    out = [(padded.shape[2 + k] - reach[k]) // strides[k] + 1 for k in range(spatial)]
    if min(out) < 1:
        return None

    def at(source, position):
        begin = [p * d for p, d in zip(position, dilations)]
        return source[(slice(None), slice(None), *(slice(b, b + (o - 1) * s + 1, s) for b, o, s in zip(begin, out, strides)))]

    places = list(itertools.product(*map(range, kernel)))
    return np.stack([at(padded, p) for p in places], -1), np.stack([at(inside, p) for p in places], -1).sum(-1)


def window(m, x, dilated):
    spatial = x.ndim - 2
    pick = lambda low, high: [m.random.randint(low, high) for _ in range(spatial)]
    kernel = [m.random.randint(1, min(4, d + 1)) for d in x.shape[2:]]
    pads = [m.random.randint(0, k - 1) for k in kernel * 2]
    return kernel, pick(1, 2), pick(1, 2) if dilated else [1] * spatial, pads


def convolution(m, name, x):
    if x.ndim not in (3, 4):
        return False
    kernel, strides, dilations, pads = window(m, x, True)
    found = windows(x, kernel, strides, dilations, pads, 0)
    if found is None:
        return False
    channels = x.shape[1]
    group = m.random.choice([g for g in range(1, channels + 1) if channels % g == 0])
    out = group * m.random.randint(1, 3)
    w, v = m.weight(out, channels // group, *kernel)
    b, bias = m.weight(out)
    parts = np.split(found[0], group, 1), np.split(v.reshape(out, channels // group, -1), group, 0)
    value = np.concatenate([np.einsum("nc...p,ocp->no...", i, k) for i, k in zip(*parts)], 1)
    with_bias = m.random.random() < 0.6
    if with_bias:
        value = value + bias.reshape(1, out, *[1] * (x.ndim - 2))
    m.add("Conv", [name, w] + [b] * with_bias, value, kernel_shape=kernel, strides=strides, dilations=dilations, pads=pads,
          group=group)
    if not with_bias:
        del m.weights[b]
    return True


def pooling(m, name, x):
    if x.ndim not in (3, 4):
        return False
    greatest = m.random.random() < 0.5
    kernel, strides, dilations, pads = window(m, x, False)
    found = windows(x, kernel, strides, dilations, pads, -np.inf if greatest else 0)
    if found is None or found[1].min() == 0:
        return False
    if greatest:
        m.add("MaxPool", [name], found[0].max(-1), kernel_shape=kernel, strides=strides, pads=pads)
    else:
        with_padding = m.random.randint(0, 1)
        count = found[0].shape[-1] if with_padding else found[1]
        m.add("AveragePool", [name], found[0].sum(-1) / count, kernel_shape=kernel, strides=strides, pads=pads,
              count_include_pad=with_padding)
    return True


def global_pooling(m, name, x):
    if x.ndim < 3:
        return False
    op, f = m.random.choice([("GlobalAveragePool", np.mean), ("GlobalMaxPool", np.max)])
    m.add(op, [name], f(x, tuple(range(2, x.ndim)), keepdims=True))
    return True


def batch_normalization(m, name, x):
    if x.ndim < 3:
        return False
    parts = [m.weight(x.shape[1], low=0.5, high=1.5) for _ in range(4)]
    scale, shift, mean, variance = (v.reshape(1, -1, *[1] * (x.ndim - 2)) for _, v in parts)
    value = (x - mean) / np.sqrt(variance + 1e-5) * scale + shift
    m.add("BatchNormalization", [name] + [n for n, _ in parts], value)
    return True


STEPS = (unary, unary, exponential, clip, binary, binary, softmax, reduction, reshape, flatten, transpose, concat, matmul,
         gemm, convolution, convolution, pooling, global_pooling, batch_normalization)


def model_of(seed):
    m = Model(seed)
    wanted = m.random.randint(2, 9)
    while len(m.nodes) < wanted:
        m.grow()
    return m


def run(tenon, seed, keep):
    """The operators of the model, and None when its results are right, or what is wrong."""
    m = model_of(seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(keep or folder)
        onnx.save(m.proto(), str(folder / "model.onnx"))
        command = [tenon, "run", "model.onnx", "--output", "out"]
        for name in m.inputs:
            np.save(folder / f"{name}.npy", m.values[name].astype(np.float32))
            command += ["--input", f"{name}={name}.npy"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
        if done.returncode:
            return m, f"exit {done.returncode}: {done.stderr.strip()[:300]}"
        names = m.outputs()
        for k, name in enumerate(names):
            got = np.load(folder / "out" / ("result.npy" if len(names) == 1 else f"result.{k}.npy"))
            due = m.values[name]
            if got.shape != due.shape or got.dtype != np.float32:
                return m, f"{name} is {got.dtype} {got.shape}, expected float32 {due.shape}"
            # Single precision over up to nine operators, relative to the greatest value.
            error = np.abs(got - due).max(initial=0) / max(1.0, np.abs(due).max(initial=0))
            if not error < 1e-4:
                return m, f"{name} differs by {error} of its greatest value"
    return m, None


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("tenon", type=lambda p: str(pathlib.Path(p).resolve()))
    arguments.add_argument("--seed", type=int, default=1, help="of the first model")
    arguments.add_argument("--count", type=int, default=60)
    arguments.add_argument("--keep", help="an empty folder for the model; with --count 1")
    a = arguments.parse_args()
    seeds, used, wrong = range(a.seed, a.seed + a.count), {}, 0
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for seed, (m, said) in zip(seeds, pool.map(lambda s: run(a.tenon, s, a.keep), seeds)):
            for node in m.nodes:
                used[node.op_type] = used.get(node.op_type, 0) + 1
            if said:
                wrong += 1
                print(f"seed {seed}, {' '.join(n.op_type for n in m.nodes)}: {said}")
    print(f"{a.count} models, {sum(used.values())} nodes of {len(used)} operators, {wrong} wrong")
    sys.exit(1 if wrong else 0)


main()
