"""Attention in each peer: q, k, v `[heads, tokens, dim]`, the result in the same layout."""
from __future__ import annotations

import pathlib
from typing import Callable

import numpy as np

from networks import Attention

Run = Callable[[], np.ndarray]


def make(what: Attention, folder: pathlib.Path) -> None:
    """The inputs, and the two graphs for onnxruntime."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(7)
    shape = (3, what.heads, what.tokens, what.dim)
    rng.standard_normal(shape, np.float32).tofile(folder / "qkv.f32")

    def save(name: str, nodes: list, dims: list[int], constants: list) -> None:
        value = helper.make_tensor_value_info
        inputs = [value(x, TensorProto.FLOAT, dims) for x in "qkv"]
        outputs = [value("out", TensorProto.FLOAT, dims)]
        graph = helper.make_graph(nodes, name, inputs, outputs, constants)
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
        onnx.save(model, folder / f"{name}.onnx")

    scale = numpy_helper.from_array(np.float32(what.dim**-0.5), "scale")
    plain = [
        helper.make_node("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["q", "kt"], ["raw"]),
        helper.make_node("Mul", ["raw", "scale"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", "v"], ["out"]),
    ]
    save("plain", plain, [1, what.heads, what.tokens, what.dim], [scale])
    fused = helper.make_node("MultiHeadAttention", ["q", "k", "v"], ["out"], domain="com.microsoft",
                             num_heads=what.heads)  # fmt: skip
    save("fused", [fused], [1, what.tokens, what.heads * what.dim], [])


def qkv(job: dict) -> list[np.ndarray]:
    """Three arrays `[heads, tokens, dim]`."""
    return list(np.fromfile(job["input"], np.float32).reshape(3, *job["shape"]))


def onnxruntime(job: dict) -> Run:
    """`fused`: MultiHeadAttention, on `[1, tokens, heads * dim]`; else MatMul, Softmax, MatMul."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = job["threads"]
    options.inter_op_num_threads = 1
    session = ort.InferenceSession(job["model"], options, providers=["CPUExecutionProvider"])
    heads, tokens, dim = job["shape"]
    fused = job["variant"] == "fused"

    def lay(x: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(x.transpose(1, 0, 2)).reshape(1, tokens, -1) if fused else x[None]

    binding = session.io_binding()
    kept = [lay(x) for x in qkv(job)]
    for name, values in zip("qkv", kept):
        binding.bind_cpu_input(name, values)
    result = ort.OrtValue.ortvalue_from_shape_and_type(kept[0].shape, np.float32, "cpu")
    binding.bind_ortvalue_output("out", result)

    def run() -> np.ndarray:
        session.run_with_iobinding(binding)
        found = result.numpy()
        # only a view: the copy into one layout happens where the result is written
        return found.reshape(tokens, heads, dim).transpose(1, 0, 2) if fused else found

    return run


def openvino(job: dict) -> Run:
    """Its own ScaledDotProductAttention."""
    import openvino as ov
    from openvino import opset13

    values = [x[None] for x in qkv(job)]
    inputs = [opset13.parameter(list(x.shape), np.float32) for x in values]
    model = ov.Model([opset13.scaled_dot_product_attention(*inputs)], inputs, "attention")
    settings = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": job["threads"],
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()
    for index, array in enumerate(values):
        request.set_input_tensor(index, ov.Tensor(array))

    def run() -> np.ndarray:
        request.infer()
        return request.get_output_tensor().data

    return run


def ncnn(job: dict) -> Run:
    """Its SDPA layer."""
    import ncnn as runtime

    folder = pathlib.Path(job["input"]).parent
    lines = ["7767517", "4 4", *(f"Input {x} 0 1 {x}" for x in "qkv"), "SDPA sdpa 3 1 q k v out", ""]
    (folder / "ncnn.param").write_text("\n".join(lines))
    (folder / "ncnn.bin").write_bytes(b"")
    net = runtime.Net()
    net.opt.num_threads = job["threads"]
    for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
        if hasattr(net.opt, f"use_{option}"):
            setattr(net.opt, f"use_{option}", False)
    if net.load_param(str(folder / "ncnn.param")):
        raise RuntimeError("this ncnn has no SDPA layer")
    net.load_model(str(folder / "ncnn.bin"))
    feeds = [runtime.Mat(x).clone() for x in qkv(job)]

    def run() -> np.ndarray:
        extractor = net.create_extractor()
        for name, values in zip("qkv", feeds):
            extractor.input(name, values)
        status, result = extractor.extract("out")
        if status:
            raise RuntimeError(f"ncnn's extract says {status}")
        return np.array(result, copy=False)

    return run


def torch(job: dict) -> Run:
    """scaled_dot_product_attention, which is tiled on a processor."""
    import torch as th
    from torch.nn import functional as f

    th.set_num_threads(job["threads"])
    th.set_grad_enabled(False)
    q, k, v = (th.from_numpy(x[None]) for x in qkv(job))
    return lambda: f.scaled_dot_product_attention(q, k, v).numpy()


ENGINES = {"onnxruntime": onnxruntime, "openvino": openvino, "ncnn": ncnn, "torch": torch}
