"""One description, four files: ONNX, ncnn, and for our side safetensors with a list of layers."""
from __future__ import annotations

import dataclasses
import json
import pathlib

import numpy as np

from networks import Layer, Net


def safetensors(net: Net, folder: pathlib.Path) -> None:
    """`limpid.safetensors`, and `limpid.json` where our side has no description of its own."""
    from safetensors.numpy import save_file

    metadata = {f"limpid.{key}": value for key, value in (net.arch or {}).items()}
    weights = {key: np.ascontiguousarray(value) for key, value in net.weights.items()}
    save_file(weights, folder / "limpid.safetensors", metadata)
    if not net.arch:
        layers = [dict(dataclasses.asdict(x), output=x.channels) for x in net.layers]
        text = json.dumps({"channels": net.channels, "layers": layers}, indent=1)
        (folder / "limpid.json").write_text(text)


def onnx(net: Net, path: pathlib.Path) -> None:
    """Height and width stay names, so that one file serves calibration and every size."""
    import onnx as format_
    from onnx import TensorProto, helper, numpy_helper

    nodes, constants = [], []

    def constant(name: str, values: np.ndarray) -> str:
        constants.append(numpy_helper.from_array(values, name))
        return name

    def node(op: str, inputs: list[str], output: str, **attributes) -> None:
        nodes.append(helper.make_node(op, inputs, [output], output, **attributes))

    float_ = TensorProto.FLOAT
    inputs = [helper.make_tensor_value_info("in", float_, [1, net.channels, "height", "width"])]
    if net.sigma_factor():
        shape = [1, 1, "sigma_height", "sigma_width"]
        inputs.append(helper.make_tensor_value_info("sigma", float_, shape))
    names = {layer.name: layer.name for layer in net.layers} | {"in": "in"}
    names |= {layer.name: "sigma" for layer in net.layers if layer.op == "sigma"}
    names[net.layers[-1].name] = "out"
    for layer in net.layers:
        read, name = [names[x] for x in layer.inputs], names[layer.name]
        if layer.op in ("conv", "depthwise"):
            tensors = [f"{layer.name}.weight", f"{layer.name}.bias"]
            read += [constant(tensor, net.weights[tensor]) for tensor in tensors]
            pads, sides = [layer.kernel // 2] * 4, [layer.kernel] * 2
            node("Conv", read, name, kernel_shape=sides, pads=pads, group=layer.groups)
        elif layer.op == "silu":
            node("Sigmoid", read, f"{name}.sigmoid")
            node("Mul", [*read, f"{name}.sigmoid"], name)
        elif layer.op in ("relu", "sigmoid", "add", "mul"):
            node(layer.op.capitalize(), read, name)
        elif layer.op == "concat":
            node("Concat", read, name, axis=1)
        elif layer.op == "unshuffle":
            # SpaceToDepth orders channels (dy, dx, c) where PyTorch has (c, dy, dx)
            node("SpaceToDepth", read, f"{name}.blocks", blocksize=layer.factor)
            order = np.arange(layer.channels).reshape(layer.factor**2, -1).T.ravel()
            node("Gather", [f"{name}.blocks", constant(f"{name}.order", order)], name, axis=1)
        elif layer.op == "shuffle":
            node("DepthToSpace", read, name, blocksize=layer.factor, mode="CRD")
        elif layer.op == "nearest":
            scales = constant(f"{name}.scales", np.float32([1, 1, layer.factor, layer.factor]))
            ways = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
            node("Resize", [*read, "", scales], name, mode="nearest", **ways)
        elif layer.op == "affine":
            offset = constant(f"{name}.offset", np.float32(layer.offset).reshape(1, -1, 1, 1))
            if layer.scale == 1:
                node("Add", [*read, offset], name)
            else:
                node("Add", [*read, offset], f"{name}.sum")
                node("Mul", [f"{name}.sum", constant(f"{name}.scale", np.float32(layer.scale))], name)
        elif layer.op != "sigma":
            raise ValueError(f"no ONNX for {layer.op}")
    output = helper.make_tensor_value_info("out", float_, [1, net.layers[-1].channels, None, None])
    graph = helper.make_graph(nodes, net.name, inputs, [output], constants)
    opset = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9)
    format_.checker.check_model(model, full_check=True)
    format_.save(model, path)


class NcnnWriter:
    """ncnn's two files. As `ncnnoptimize` does, an activation that alone reads a convolution
    becomes part of it; a value that several read is split, which ncnn asks for."""

    ACTIVATIONS = {"relu": 1, "sigmoid": 4}

    def __init__(self, net: Net):
        self.net, self.lines, self.data = net, [], []
        self.blobs = 0
        self.copies: dict[str, list[str]] = {}

    def readers(self, name: str) -> list[Layer]:
        return [x for x in self.net.layers for read in x.inputs if read == name and x.op != "sigma"]

    def line(self, op: str, name: str, inputs: list[str], outputs: list[str], *params: str) -> None:
        counts = f"{len(inputs)} {len(outputs)}"
        self.lines.append(" ".join([op, name, counts, *inputs, *outputs, *params]))
        self.blobs += len(outputs)

    def made(self, name: str, blob: str) -> None:
        """`blob` holds the value `name` from here on, once for each reader."""
        count = len(self.readers(name))
        copies = [blob] if count <= 1 else [f"{blob}.{index}" for index in range(count)]
        if count > 1:
            self.line("Split", f"split.{name}", [blob], copies)
        self.copies[name] = copies

    def weights(self, values: np.ndarray, tagged: bool) -> None:
        self.data.append((b"\0\0\0\0" if tagged else b"") + values.astype("<f4").tobytes())

    def conv(self, layer: Layer, read: list[str], blob: str, activation: str | None) -> None:
        kernel = self.net.weights[f"{layer.name}.weight"]
        params = [f"0={layer.channels}", f"1={layer.kernel}", f"4={layer.kernel // 2}", "5=1"]
        params += [f"6={kernel.size}"] + ([f"7={layer.groups}"] if layer.groups > 1 else [])
        params += [f"9={self.ACTIVATIONS[activation]}"] if activation else []
        op = "ConvolutionDepthWise" if layer.groups > 1 else "Convolution"
        self.line(op, layer.name, read, [blob], *params)
        self.weights(kernel, tagged=True)
        self.weights(self.net.weights[f"{layer.name}.bias"], tagged=False)

    def write(self, folder: pathlib.Path) -> None:
        self.line("Input", "in", [], ["in"])
        self.made("in", "in")
        for layer in self.net.layers:
            if layer.op == "sigma":
                self.line("Input", "sigma", [], ["sigma"])
                self.made(layer.name, "sigma")
        last, fused = self.net.layers[-1].name, {}
        for layer in self.net.layers:
            if layer.name in fused or layer.op == "sigma":
                continue
            read = [self.copies[x].pop() for x in layer.inputs]
            made, behind = layer.name, self.readers(layer.name)
            is_conv = layer.op in ("conv", "depthwise")
            if is_conv and len(behind) == 1 and behind[0].op in self.ACTIVATIONS:
                made = behind[0].name
                fused[made] = behind[0].op
            blob = "out" if made == last else f"v.{made}"
            if is_conv:
                self.conv(layer, read, blob, fused.get(made))
            else:
                self.plain(layer, read, blob)
            self.made(made, blob)
        counts = f"{len(self.lines)} {self.blobs}"
        (folder / "ncnn.param").write_text("\n".join(["7767517", counts, *self.lines, ""]))
        (folder / "ncnn.bin").write_bytes(b"".join(self.data))

    def plain(self, layer: Layer, read: list[str], blob: str) -> None:
        factor, name = layer.factor, layer.name
        if layer.op == "affine" and len(layer.offset) > 1:
            self.line("Scale", name, read, [blob], f"0={layer.channels}", "1=1")
            self.weights(np.full(layer.channels, layer.scale), tagged=False)
            self.weights(np.array(layer.offset) * layer.scale, tagged=False)
            return
        if layer.op == "affine" and layer.scale != 1:
            raise ValueError("no ncnn for a scale behind a single offset")
        op, params = {
            "relu": ("ReLU", []),
            "silu": ("Swish", []),
            "sigmoid": ("Sigmoid", []),
            "add": ("BinaryOp", ["0=0"]),
            "mul": ("BinaryOp", ["0=2"]),
            "concat": ("Concat", ["0=0"]),
            "unshuffle": ("Reorg", [f"0={factor}", "1=0"]),
            "shuffle": ("PixelShuffle", [f"0={factor}", "1=0"]),
            "nearest": ("Interp", ["0=1", f"1={factor}.0", f"2={factor}.0"]),
            "affine": ("BinaryOp", ["0=0", "1=1", f"2={sum(layer.offset):e}"]),
        }[layer.op]
        self.line(op, name, read, [blob], *params)


def all_forms(net: Net, folder: pathlib.Path) -> None:
    """Writes every form that is not there for these very weights."""
    stamp = folder / "stamp"
    if stamp.exists() and stamp.read_text() == net.stamp():
        return
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    safetensors(net, folder)
    onnx(net, folder / "fp32.onnx")
    NcnnWriter(net).write(folder)
    stamp.write_text(net.stamp())
