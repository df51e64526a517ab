"""One peer with one network at one size, asked over standard input; see `Child` in driver.py.

The job is a JSON object in the first argument. Prints `ready` after two warm-up runs, then answers
`run` with the milliseconds of one run, `peak` with this process's peak memory in MB and
`output PATH` with a file of the last result.
"""
from __future__ import annotations

import json
import pathlib
import sys
import time
from typing import Callable

import numpy as np

WARM_UPS = 2
#: One run. What it reads is in its attribute `feeds`; with `live` in the job the picture there may
#: be written anew between runs, which whole_child.py does.
Run = Callable[[], np.ndarray]


def peak_mb() -> float:
    """The most memory this process has had at once, as Linux counts it."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def inputs(job: dict) -> dict[str, np.ndarray]:
    """The picture `[1, C, H, W]`, and the noise map where the network has one."""
    if job["input"]:
        picture = np.fromfile(job["input"], np.float32).reshape(1, *job["shape"])
    else:
        picture = np.zeros((1, *job["shape"]), np.float32)
    found = {"in": picture}
    if job["sigma_factor"]:
        height, width = (side // job["sigma_factor"] for side in job["shape"][1:])
        found["sigma"] = np.full((1, 1, height, width), job["sigma"], np.float32)
    return found


def onnxruntime(job: dict) -> Run:
    """The file with its sizes fixed, all graph optimisations, memory of results kept."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = job["threads"]
    options.inter_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    feeds = inputs(job)
    for prefix, name in (("", "in"), ("sigma_", "sigma")):
        if name in feeds:
            options.add_free_dimension_override_by_name(f"{prefix}height", feeds[name].shape[2])
            options.add_free_dimension_override_by_name(f"{prefix}width", feeds[name].shape[3])
    providers = ["CPUExecutionProvider"]
    session = ort.InferenceSession(job["model"], options, providers=providers)
    shape = session.run(["out"], feeds)[0].shape
    result = ort.OrtValue.ortvalue_from_shape_and_type(shape, np.float32, "cpu")
    binding = session.io_binding()
    for name, values in feeds.items():
        binding.bind_cpu_input(name, values)
    binding.bind_ortvalue_output("out", result)

    def run() -> np.ndarray:
        session.run_with_iobinding(binding)
        return result.numpy()

    run.feeds = feeds
    return run


def openvino(job: dict) -> Run:
    """Fixed shapes, one stream, latency; fp32 said, for the default here may be bf16."""
    import openvino as ov

    core = ov.Core()
    model = core.read_model(job["model"])
    feeds = inputs(job)
    model.reshape({name: list(values.shape) for name, values in feeds.items()})
    settings = {
        "INFERENCE_PRECISION_HINT": job.get("hint", "f32"),
        "INFERENCE_NUM_THREADS": job["threads"],
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    for name, values in feeds.items():
        request.set_tensor(name, ov.Tensor(values, shared_memory=True))

    def run() -> np.ndarray:
        request.infer()
        return request.get_output_tensor().data

    run.feeds = feeds  # it reads their memory, so they must live
    return run


def ncnn(job: dict) -> Run:
    """Winograd, sgemm and packing as they are by default; half-precision storage off."""
    import ncnn as runtime

    net = runtime.Net()
    net.opt.num_threads = job["threads"]
    for option in ("fp16_packed", "fp16_storage", "fp16_arithmetic", "bf16_packed", "bf16_storage"):
        if hasattr(net.opt, f"use_{option}"):
            setattr(net.opt, f"use_{option}", False)
    model = pathlib.Path(job["model"])
    if net.load_param(str(model)) or net.load_model(str(model.with_suffix(".bin"))):
        raise RuntimeError("ncnn does not read its files")
    feeds = inputs(job)
    kept = {name: runtime.Mat(values[0]).clone() for name, values in feeds.items()}

    def run() -> np.ndarray:
        extractor = net.create_extractor()
        for name, values in kept.items():
            fresh = job.get("live") and name == "in"
            extractor.input(name, runtime.Mat(feeds[name][0]).clone() if fresh else values)
        status, result = extractor.extract("out")
        if status:
            raise RuntimeError(f"ncnn's extract says {status}")
        return np.array(result, copy=False)

    run.feeds = feeds
    return run


def torch(job: dict) -> Run:
    """Channels last, which its convolutions are fastest with; eager, without gradients."""
    import torch as th
    from torch.nn import functional as f

    from networks import NETS

    th.set_num_threads(job["threads"])
    th.set_grad_enabled(False)
    net = NETS[job["net"]][0]().fill()
    feeds = {
        name: th.from_numpy(values).contiguous(memory_format=th.channels_last)
        for name, values in inputs(job).items()
    }
    tensors = {
        name: th.from_numpy(values).contiguous(memory_format=th.channels_last)
        if values.ndim == 4
        else th.from_numpy(values)
        for name, values in net.weights.items()
    }
    shuffles = {"unshuffle": f.pixel_unshuffle, "shuffle": f.pixel_shuffle}
    others = {
        "relu": th.relu,
        "silu": f.silu,
        "sigmoid": th.sigmoid,
        "add": th.add,
        "mul": th.mul,
        "concat": lambda *parts: th.cat(parts, 1),
        "sigma": lambda _: feeds["sigma"],
    }

    def compute(layer, read: list) -> th.Tensor:
        if layer.op in ("conv", "depthwise"):
            kernel, bias = tensors[f"{layer.name}.weight"], tensors[f"{layer.name}.bias"]
            return f.conv2d(*read, kernel, bias, padding=layer.kernel // 2, groups=layer.groups)
        if layer.op in shuffles:
            return shuffles[layer.op](*read, layer.factor)
        if layer.op == "nearest":
            return f.interpolate(*read, scale_factor=layer.factor)
        if layer.op == "affine":
            return (read[0] + th.tensor(layer.offset).reshape(1, -1, 1, 1)) * layer.scale
        return others[layer.op](*read)

    last_use = {name: layer.name for layer in net.layers for name in layer.inputs}

    def run() -> np.ndarray:
        values = {"in": feeds["in"]}
        for layer in net.layers:
            values[layer.name] = compute(layer, [values[name] for name in layer.inputs])
            for name in set(layer.inputs):
                if last_use[name] == layer.name:
                    del values[name]
        return values[net.layers[-1].name].contiguous().numpy()

    return run


ENGINES = {"onnxruntime": onnxruntime, "openvino": openvino, "ncnn": ncnn, "torch": torch}


def main() -> None:
    job = json.loads(sys.argv[1])
    if job.get("kind") == "attention":
        from attention import ENGINES as engines
    else:
        engines = ENGINES
    try:
        run = engines[job["engine"]](job)
        for _ in range(WARM_UPS):
            result = run()
    except Exception as error:  # whatever a peer throws becomes a row with its text
        print("error", f"{type(error).__name__}: {error}".replace("\n", " ")[:300], flush=True)
        sys.exit(1)
    print("ready", flush=True)
    for line in sys.stdin:
        request, _, argument = line.strip().partition(" ")
        if request == "run":
            start = time.perf_counter()
            result = run()
            print((time.perf_counter() - start) * 1e3, flush=True)
        elif request == "peak":
            print(peak_mb(), flush=True)
        elif request == "output":
            np.asarray(result, np.float32).tofile(argument)
            print("written", flush=True)


if __name__ == "__main__":
    main()
