"""Writes model.onnx: two Dense nodes of the accelerator's domain, then a conversion and a softmax. Needs no package."""
import pathlib
import struct


def varint(n):
    out = b""
    while n >= 0x80:
        out, n = out + bytes([n & 0x7F | 0x80]), n >> 7
    return out + bytes([n])


def number(field, n):
    return varint(field << 3) + varint(n & (1 << 64) - 1)


def data(field, value):
    value = value.encode() if isinstance(value, str) else value
    return varint(field << 3 | 2) + varint(len(value)) + value


FLOAT, INT8, INT32 = 1, 3, 6


def tensor(name, dtype, dims, raw):
    return b"".join(number(1, d) for d in dims) + number(2, dtype) + data(8, name) + data(9, raw)


def value(name, dtype, dims):
    shape = b"".join(data(1, data(2, d) if isinstance(d, str) else number(1, d)) for d in dims)
    return data(1, name) + data(2, data(1, number(1, dtype) + data(2, shape)))


def node(op, inputs, output, domain="", **attributes):
    out = b"".join(data(1, i) for i in inputs) + data(2, output) + data(3, output) + data(4, op) + data(7, domain)
    for name, v in attributes.items():
        out += data(5, data(1, name) + number(3, v) + number(20, 2))
    return out


def weights(rows, columns, step):
    return tensor_bytes([(i * step + i // 7) % 31 - 15 for i in range(rows * columns)], "b")


def tensor_bytes(numbers, code):
    return struct.pack(f"<{len(numbers)}{code}", *numbers)


def model():
    biases = [tensor_bytes([37 * i - 400 for i in range(n)], "i") for n in (32, 10)]
    nodes = [node("Dense", ["x", "w1", "b1"], "hidden", "com.example.npu", relu=1, multiplier=3, shift=9),
             node("Dense", ["hidden", "w2", "b2"], "logits", "com.example.npu"),
             node("Cast", ["logits"], "real", to=FLOAT), node("Softmax", ["real"], "y", axis=1)]
    initializers = [tensor("w1", INT8, [64, 32], weights(64, 32, 5)), tensor("b1", INT32, [32], biases[0]),
                    tensor("w2", INT8, [32, 10], weights(32, 10, 3)), tensor("b2", INT32, [10], biases[1])]
    graph = b"".join(data(1, n) for n in nodes) + data(2, "layers") + b"".join(data(5, t) for t in initializers)
    graph += data(11, value("x", INT8, ["batch", 64])) + data(12, value("y", FLOAT, ["batch", 10]))
    opsets = data(8, data(1, "") + number(2, 13)) + data(8, data(1, "com.example.npu") + number(2, 1))
    return number(1, 8) + data(7, graph) + opsets


pathlib.Path("model.onnx").write_bytes(model())
