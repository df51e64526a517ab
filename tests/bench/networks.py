"""The measured networks, each written down once: a list of layers and one set of weights.

`emit.py` turns the same description into what each engine reads.
"""
from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[2]

#: Mean of SPAN's training pictures, and the range of its samples; see engine/nets/src/span.rs.
SPAN_MEAN, SPAN_RANGE = (0.4488, 0.4371, 0.4040), 255.0

#: The noise level that networks with a noise map are told, on the scale 0..1.
SIGMA = 25 / 255


@dataclasses.dataclass
class Layer:
    """One operation: `inputs` name earlier layers, or "in" for the picture."""

    op: str
    name: str
    inputs: list[str]
    channels: int
    kernel: int = 1
    groups: int = 1
    factor: int = 1
    offset: tuple[float, ...] = ()
    scale: float = 1.0


class Net:
    """A network for `[channels, H, W]`, built layer by layer; each method returns its layer's name."""

    def __init__(self, name: str, channels: int, arch: dict[str, str] | None = None):
        self.name, self.channels = name, channels
        #: `limpid.*` metadata of a shipped network: our side then runs its own description.
        self.arch = arch
        self.layers: list[Layer] = []
        self.weights: dict[str, np.ndarray] = {}
        #: Where the weights come from, for the report.
        self.source = "seeded random weights"

    def width(self, name: str) -> int:
        """Channels of a value."""
        found = (layer.channels for layer in self.layers if layer.name == name)
        return self.channels if name == "in" else next(found)

    def _push(self, op: str, inputs: list[str], channels: int, name: str = "", **more) -> str:
        name = name or f"{op}_{len(self.layers)}"
        self.layers.append(Layer(op, name, inputs, channels, **more))
        return name

    def conv(self, name: str, x: str, output: int, kernel: int) -> str:
        return self._push("conv", [x], output, name, kernel=kernel)

    def depthwise(self, name: str, x: str, kernel: int) -> str:
        width = self.width(x)
        return self._push("depthwise", [x], width, name, kernel=kernel, groups=width)

    def unary(self, op: str, x: str) -> str:
        """relu, silu or sigmoid."""
        return self._push(op, [x], self.width(x))

    def binary(self, op: str, a: str, b: str) -> str:
        """add or mul."""
        return self._push(op, [a, b], self.width(a))

    def concat(self, *parts: str) -> str:
        return self._push("concat", list(parts), sum(map(self.width, parts)))

    def sigma(self, like: str) -> str:
        """One channel of the noise level, as large as `like`."""
        return self._push("sigma", [like], 1)

    def unshuffle(self, x: str, factor: int) -> str:
        return self._push("unshuffle", [x], self.width(x) * factor**2, factor=factor)

    def shuffle(self, x: str, factor: int) -> str:
        return self._push("shuffle", [x], self.width(x) // factor**2, factor=factor)

    def nearest(self, x: str, factor: int) -> str:
        return self._push("nearest", [x], self.width(x), factor=factor)

    def affine(self, x: str, offset: tuple[float, ...], scale: float) -> str:
        """(x + offset) * scale."""
        return self._push("affine", [x], self.width(x), offset=offset, scale=scale)

    def convs(self) -> list[Layer]:
        return [layer for layer in self.layers if layer.op in ("conv", "depthwise")]

    def kernel_shape(self, layer: Layer) -> tuple[int, int, int, int]:
        width = self.width(layer.inputs[0]) // layer.groups
        return (layer.channels, width, layer.kernel, layer.kernel)

    def pixels(self) -> dict[str, float]:
        """Side of each value's picture for an input of side 1."""
        sides = {"in": 1.0}
        for layer in self.layers:
            side = sides[layer.inputs[0]]
            change = {"unshuffle": 1 / layer.factor}.get(layer.op, layer.factor)
            sides[layer.name] = side * change
        return sides

    def flops(self, height: int, width: int) -> float:
        """Operations of all convolutions computed directly, a multiply-add as two."""
        sides = self.pixels()
        return sum(
            2.0 * np.prod(self.kernel_shape(layer)) * sides[layer.name] ** 2 * height * width
            for layer in self.convs()
        )

    def radius(self) -> int:
        """How far from a pixel its result can look, in input pixels."""
        sides, reach = self.pixels(), {"in": 0.0}
        for layer in self.layers:
            own = (layer.kernel // 2) / sides[layer.name]
            reach[layer.name] = max(reach[name] for name in layer.inputs) + own
        return int(np.ceil(reach[self.layers[-1].name]))

    def scale(self) -> int:
        """How many times wider the result is than the input."""
        return round(self.pixels()[self.layers[-1].name])

    def sigma_factor(self) -> int | None:
        """By how much the noise map is smaller than the picture; None without one."""
        sides = self.pixels()
        found = (round(1 / sides[layer.name]) for layer in self.layers if layer.op == "sigma")
        return next(found, None)

    def fill(self, seed: int = 1) -> Net:
        """The weights: from a pack or the built-in model when there is one, else seeded."""
        for path in weight_files(self.name) if self.arch else []:
            from safetensors.numpy import load_file

            loaded = load_file(path)
            for key, value in loaded.items():
                step = loaded.get(f"{key}.step")  # a byte a weight, a step for each row
                rows = 1 if step is None else step.reshape(-1, *[1] * (value.ndim - 1))
                if not key.endswith(".step"):
                    self.weights[key] = (value * rows).astype(np.float32)
            self.source = path.name if path.parent.name != self.name else "built-in weights"
            return self
        rng = np.random.default_rng(seed)
        for layer in self.convs():
            shape = self.kernel_shape(layer)
            gain = np.sqrt(6 / np.prod(shape[1:]))  # keeps the size of values behind a ReLU
            self.weights[f"{layer.name}.weight"] = rng.uniform(-gain, gain, shape).astype(np.float32)
            bias = rng.uniform(-0.1, 0.1, layer.channels)
            self.weights[f"{layer.name}.bias"] = bias.astype(np.float32)
        return self

    def stamp(self) -> str:
        """Changes when layers or weights do."""
        digest = hashlib.sha256(json.dumps([dataclasses.asdict(x) for x in self.layers]).encode())
        for name in sorted(self.weights):
            digest.update(self.weights[name].tobytes())
        return digest.hexdigest()


def weight_files(name: str) -> list[pathlib.Path]:
    """Weights of a shipped network that are on this computer."""
    data = os.environ.get("XDG_DATA_HOME") or pathlib.Path.home() / ".local/share"
    packs = pathlib.Path(os.environ.get("LIMPID_PACKS_DIR") or pathlib.Path(data) / "limpid/packs")
    pack = {"ffdnet": "ffdnet-color"}.get(name, name)
    places = [packs / f"{pack}.safetensors", ROOT / "models" / name / "weights.safetensors"]
    return [path for path in places if path.exists()]


def dense() -> Net:
    net = Net("dense", 64)
    x = "in"
    for index in range(16):
        x = net.unary("relu", net.conv(f"conv{index}", x, 64, 3))
    return net


def separable() -> Net:
    net = Net("separable", 64)
    x = "in"
    for index in range(16):
        x = net.unary("relu", net.depthwise(f"depthwise{index}", x, 3))
        x = net.unary("relu", net.conv(f"pointwise{index}", x, 64, 1))
    return net


def ffdnet(channels: int = 96, layers: int = 12) -> Net:
    arch = {"arch": "ffdnet", "channels": str(channels), "layers": str(layers)}
    net = Net("ffdnet", 3, arch)
    folded = net.unshuffle("in", 2)
    x = net.concat(folded, net.sigma(folded))
    for index in range(layers - 1):
        x = net.unary("relu", net.conv(f"model.{2 * index}", x, channels, 3))
    net.shuffle(net.conv(f"model.{2 * (layers - 1)}", x, 12, 3), 2)
    return net


def span(scale: int = 2, channels: int = 48) -> Net:
    arch = {"arch": "span", "channels": str(channels), "scale": str(scale)}
    net = Net(f"span-x{scale}", 3, arch)
    centred = net.affine("in", tuple(-mean for mean in SPAN_MEAN), SPAN_RANGE)
    head = x = first = inner = net.conv("conv_1", centred, channels, 3)
    for block in range(1, 7):
        inner = net.unary("silu", net.conv(f"block_{block}.c1", x, channels, 3))
        c2 = net.unary("silu", net.conv(f"block_{block}.c2", inner, channels, 3))
        f = net.conv(f"block_{block}.c3", c2, channels, 3)
        attention = net.affine(net.unary("sigmoid", f), (-0.5,), 1.0)
        x = net.binary("mul", net.binary("add", f, x), attention)
        first = x if block == 1 else first
    tail = net.conv("conv_2", x, channels, 3)
    mixed = net.conv("conv_cat", net.concat(head, tail, first, inner), channels, 1)
    net.shuffle(net.conv("upsampler", mixed, 3 * scale**2, 3), scale)
    return net


def residual_block(net: Net, block: int, x: str, channels: int) -> str:
    inner = net.unary("relu", net.conv(f"blocks.{block}.conv1", x, channels, 3))
    return net.binary("add", net.conv(f"blocks.{block}.conv2", inner, channels, 3), x)


def shipped_size(name: str) -> dict[str, str]:
    """Hyper-parameters of a built-in model, from its weight file."""
    bytes_ = (ROOT / "models" / name / "weights.safetensors").read_bytes()
    header = json.loads(bytes_[8 : 8 + int.from_bytes(bytes_[:8], "little")])
    found = header["__metadata__"].items()
    return {key[7:]: value for key, value in found if key.startswith("limpid.")}


def dn_resnet() -> Net:
    arch = {k: v for k, v in shipped_size("dn-resnet").items() if k in ("arch", "channels", "blocks")}
    channels = int(arch["channels"])
    net = Net("dn-resnet", 3, arch)
    folded = net.unshuffle("in", 2)
    x = net.conv("head", folded, channels, 3)
    for block in range(int(arch["blocks"])):
        x = residual_block(net, block, x, channels)
    net.shuffle(net.binary("add", net.conv("tail", x, 12, 3), folded), 2)
    return net


def ct_srcnn() -> Net:
    keys = ("arch", "channels", "blocks", "scale")
    arch = {key: value for key, value in shipped_size("ct-srcnn-x2").items() if key in keys}
    channels, scale = int(arch["channels"]), int(arch["scale"])
    net = Net("ct-srcnn-x2", 3, arch)
    x = net.conv("head", "in", channels, 3)
    for block in range(int(arch["blocks"])):
        x = residual_block(net, block, x, channels)
    change = net.shuffle(net.conv("tail", x, 3 * scale**2, 3), scale)
    net.binary("add", change, net.nearest("in", scale))
    return net


def unet(channels: int, kernel: int) -> Net:
    """Four layers as wide as one level of a diffusion U-Net."""
    net = Net(f"unet-{channels}" + ("-1x1" if kernel == 1 else ""), channels)
    x = "in"
    for index in range(4):
        x = net.unary("relu", net.conv(f"conv{index}", x, channels, kernel))
    return net


@dataclasses.dataclass(frozen=True)
class Attention:
    """softmax(q k' / sqrt(d)) v for each head; `tokens` queries and keys."""

    name: str
    tokens: int = 4096
    heads: int = 8
    dim: int = 40

    def flops(self) -> float:
        return 4.0 * self.tokens**2 * self.dim * self.heads


#: (what makes it, sizes as (height, width)); the first size is the one `--quick` keeps.
NETS = {
    "dense": (dense, [(256, 256), (720, 1280)]),
    "separable": (separable, [(256, 256), (720, 1280)]),
    "ffdnet": (ffdnet, [(512, 512)]),
    "span-x2": (span, [(512, 512)]),
    "dn-resnet": (dn_resnet, [(512, 512)]),
    "ct-srcnn-x2": (ct_srcnn, [(512, 512)]),
    "unet-320": (lambda: unet(320, 3), [(64, 64)]),
    "unet-640": (lambda: unet(640, 3), [(32, 32)]),
    "unet-1280": (lambda: unet(1280, 3), [(16, 16)]),
    "unet-1280-1x1": (lambda: unet(1280, 1), [(32, 32)]),
}
ATTENTION = {a.name: a for a in (Attention("attention-40"), Attention("attention-64", dim=64))}
