#!/usr/bin/env python3
"""Trains the demo's network on the UCI handwritten digits and writes digits.onnx, images.npy and labels.npy beside itself.

Needs Debian's python3-numpy, python3-onnx and python3-sklearn (which carries the data). Deterministic; about a minute.
Every fifth image (360 of 1,797) is held out: never trained on.
"""
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits

HERE = pathlib.Path(__file__).resolve().parent
rng = np.random.default_rng(7)


def columns(x):
    """(n, c, h, w) -> (n, h, w, c * 9): the 3x3 neighbourhoods with a border of zeros."""
    n, c, h, w = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(n, h, w, c * 9)


class Conv:
    """3x3 convolution, padding 1, then batch normalisation and relu."""

    def __init__(self, inputs, outputs):
        self.weight = rng.normal(0, np.sqrt(2 / (inputs * 9)), (outputs, inputs * 9))
        self.scale, self.shift = np.ones(outputs), np.zeros(outputs)
        self.mean, self.variance = np.zeros(outputs), np.ones(outputs)
        self.shape = (outputs, inputs, 3, 3)

    def forward(self, x, training):
        self.input_shape, self.cols = x.shape, columns(x)
        y = self.cols @ self.weight.T
        if training:
            mean, variance = y.mean((0, 1, 2)), y.var((0, 1, 2))
            self.mean += 0.1 * (mean - self.mean)
            self.variance += 0.1 * (variance - self.variance)
        else:
            mean, variance = self.mean, self.variance
        self.deviation = np.sqrt(variance + 1e-5)
        self.normal = (y - mean) / self.deviation
        self.out = np.maximum(self.normal * self.scale + self.shift, 0)
        return self.out.transpose(0, 3, 1, 2)

    def backward(self, grad):
        g = grad.transpose(0, 2, 3, 1) * (self.out > 0)
        axes, count = (0, 1, 2), g[..., 0].size
        grads = {"scale": (g * self.normal).sum(axes), "shift": g.sum(axes)}
        gn = g * self.scale
        gy = (gn - gn.mean(axes) - self.normal * (gn * self.normal).sum(axes) / count) / self.deviation
        grads["weight"] = np.tensordot(gy, self.cols, (axes, axes))
        n, c, h, w = self.input_shape
        gcols = (gy @ self.weight).reshape(n, h, w, c, 3, 3)
        gx = np.zeros((n, c, h + 2, w + 2))
        for i in range(3):
            for j in range(3):
                gx[:, :, i:i + h, j:j + w] += gcols[..., i, j].transpose(0, 3, 1, 2)
        return gx[:, :, 1:-1, 1:-1], grads


class Pool:
    """2x2 max pooling."""

    def forward(self, x, training):
        n, c, h, w = x.shape
        self.blocks = x.reshape(n, c, h // 2, 2, w // 2, 2)
        self.out = self.blocks.max((3, 5))
        return self.out

    def backward(self, grad):
        mask = self.blocks == self.out[:, :, :, None, :, None]
        g = mask * grad[:, :, :, None, :, None]
        n, c, h, _, w, _ = g.shape
        return g.reshape(n, c, h * 2, w * 2), {}


class Dense:
    def __init__(self, inputs, outputs, relu):
        self.weight = rng.normal(0, np.sqrt(2 / inputs), (outputs, inputs))
        self.bias, self.relu = np.zeros(outputs), relu

    def forward(self, x, training):
        self.shape, self.x = x.shape, x.reshape(len(x), -1)
        y = self.x @ self.weight.T + self.bias
        self.active = y > 0
        return np.maximum(y, 0) if self.relu else y

    def backward(self, grad):
        g = grad * self.active if self.relu else grad
        return (g @ self.weight).reshape(self.shape), {"weight": g.T @ self.x, "bias": g.sum(0)}


def predict(layers, x, training=False):
    for layer in layers:
        x = layer.forward(x, training)
    return x


def train(layers, images, labels, epochs=30, batch=64):
    moments, step = {}, 0
    for epoch in range(epochs):
        rate = 3e-3 * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
        order = rng.permutation(len(images))
        for start in range(0, len(order), batch):
            pick, step = order[start:start + batch], step + 1
            noisy = images[pick] + rng.normal(0, 0.1, images[pick].shape)  # against learning single pixels by heart
            logits = predict(layers, noisy, True)
            p = np.exp(logits - logits.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
            grad = (p - np.eye(10)[labels[pick]]) / len(pick)
            for layer in reversed(layers):
                grad, grads = layer.backward(grad)
                for name, g in grads.items():  # Adam with weight decay
                    m, v = moments.get((layer, name), (0, 0))
                    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
                    moments[layer, name] = m, v
                    value = getattr(layer, name)
                    value -= rate * (m / (1 - 0.9**step) / (np.sqrt(v / (1 - 0.999**step)) + 1e-8) + 1e-3 * value)


def export(conv1, conv2, dense1, dense2, path):
    f32 = np.float32
    weights, nodes = {}, []
    for i, conv in enumerate((conv1, conv2), 1):
        weights[f"conv{i}.weight"] = conv.weight.reshape(conv.shape)
        for name in ("scale", "shift", "mean", "variance"):
            weights[f"norm{i}.{name}"] = getattr(conv, name)
    for i, dense in enumerate((dense1, dense2), 1):
        weights[f"dense{i}.weight"], weights[f"dense{i}.bias"] = dense.weight, dense.bias
    for i, x in ((1, "images"), (2, "pool1")):
        norm = [f"conv{i}"] + [f"norm{i}.{s}" for s in ("scale", "shift", "mean", "variance")]
        nodes += [
            helper.make_node("Conv", [x, f"conv{i}.weight"], [f"conv{i}"], f"conv{i}", kernel_shape=[3, 3], pads=[1] * 4),
            helper.make_node("BatchNormalization", norm, [f"norm{i}"], f"norm{i}", epsilon=1e-5),
            helper.make_node("Relu", [f"norm{i}"], [f"relu{i}"], f"relu{i}"),
            helper.make_node("MaxPool", [f"relu{i}"], [f"pool{i}"], f"pool{i}", kernel_shape=[2, 2], strides=[2, 2]),
        ]
    nodes += [
        helper.make_node("Flatten", ["pool2"], ["flat"], "flatten", axis=1),
        helper.make_node("Gemm", ["flat", "dense1.weight", "dense1.bias"], ["dense1"], "dense1", transB=1),
        helper.make_node("Relu", ["dense1"], ["relu3"], "relu3"),
        helper.make_node("Gemm", ["relu3", "dense2.weight", "dense2.bias"], ["logits"], "dense2", transB=1),
        helper.make_node("Softmax", ["logits"], ["probabilities"], "softmax", axis=1),
    ]
    graph = helper.make_graph(
        nodes, "digits",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 1, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 10])],
        [numpy_helper.from_array(value.astype(f32), name) for name, value in weights.items()])
    model = helper.make_model(graph, producer_name="tenon-digits", opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 7
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def main():
    data = load_digits()
    images, labels = data.images[:, None] / 16.0, data.target
    held_out = np.arange(len(images)) % 5 == 0
    conv1, conv2 = Conv(1, 16), Conv(16, 32)
    dense1, dense2 = Dense(128, 64, relu=True), Dense(64, 10, relu=False)
    layers = [conv1, Pool(), conv2, Pool(), dense1, dense2]
    train(layers, images[~held_out], labels[~held_out])
    export(conv1, conv2, dense1, dense2, HERE / "digits.onnx")
    np.save(HERE / "images.npy", images[held_out].astype(np.float32))
    np.save(HERE / "labels.npy", labels[held_out].astype(np.int64))
    right = (predict(layers, images[held_out]).argmax(1) == labels[held_out]).mean()
    print(f"held-out accuracy {100 * right:.2f} % of {held_out.sum()} images")


if __name__ == "__main__":
    main()
