"""int8 forms of a network: activations u8, weights s8 for each channel, calibrated.

`fp32.onnx` becomes `qdq.onnx` (`qdq-conv.onnx`: convolutions alone) by onnxruntime's own tool and
`nncf.xml` by OpenVINO's (nncf). A tool
that fails leaves its words in `NAME.error`, which become the row.
"""
from __future__ import annotations

import pathlib
from typing import Callable

import numpy as np

from networks import SIGMA, Net

#: Makes an input `[C, height, width]` of height, width and a seed.
Picture = Callable[[int, int, int], np.ndarray]
#: Side of the calibration pictures, and how many there are.
SIDE, SAMPLES = 128, 8


def samples(net: Net, picture: Picture, most: int) -> list[dict]:
    """Inputs like those that are measured; `picture(height, width, seed)` makes one.
    Sides are `SIDE`, or `most` where the network is measured on less."""
    found, side = [], min(SIDE, most)
    for seed in range(SAMPLES):
        feeds = {"in": picture(side, side, 100 + seed)[None]}
        if factor := net.sigma_factor():
            feeds["sigma"] = np.full((1, 1, side // factor, side // factor), SIGMA, np.float32)
        found.append(feeds)
    return found


def qdq(folder: pathlib.Path, feeds: list[dict], file: str = "qdq.onnx", **more) -> None:
    from onnxruntime import quantization as tool

    class Reader(tool.CalibrationDataReader):
        def __init__(self):
            self.left = iter(feeds)

        def get_next(self):
            return next(self.left, None)

    tool.quantize_static(
        str(folder / "fp32.onnx"), str(folder / file), Reader(),
        quant_format=tool.QuantFormat.QDQ, activation_type=tool.QuantType.QUInt8,
        weight_type=tool.QuantType.QInt8, per_channel=True, **more,
    )  # fmt: skip


def qdq_convolutions(folder: pathlib.Path, feeds: list[dict]) -> None:
    """Sums, products and sigmoids between the convolutions stay fp32."""
    qdq(folder, feeds, "qdq-conv.onnx", op_types_to_quantize=["Conv"])


def native(folder: pathlib.Path, feeds: list[dict]) -> None:
    import nncf
    import openvino as ov

    model = ov.Core().read_model(folder / "fp32.onnx")
    made = nncf.quantize(model, nncf.Dataset(feeds), subset_size=len(feeds))
    ov.save_model(made, folder / "nncf.xml", compress_to_fp16=False)


TOOLS = {"qdq.onnx": qdq, "qdq-conv.onnx": qdq_convolutions, "nncf.xml": native}


def error_of(folder: pathlib.Path, file: str) -> str:
    """Why `file` is not there; empty when it is."""
    words = folder / f"{file}.error"
    return words.read_text() if words.exists() else ""


def make(net: Net, folder: pathlib.Path, picture: Picture, most: int) -> None:
    """Writes what is missing; `emit.all_forms` has emptied the folder if the weights are new."""
    for file, tool in TOOLS.items():
        if (folder / file).exists() or error_of(folder, file):
            continue
        try:
            tool(folder, samples(net, picture, most))
        except Exception as error:  # whatever a tool throws becomes a row with its text
            words = f"{type(error).__name__}: {error}"[:300].replace("\n", " ")
            (folder / f"{file}.error").write_text(words)
