"""Limpid's networks and kernels against onnxruntime, OpenVINO, ncnn and torch, side by side.

Started by `tests/bench/peers`, which sets everything up; docs/speed.md explains what is measured.
"""
from __future__ import annotations

import argparse
import os
import pathlib
import sys
from typing import Callable

import numpy as np

import attention
import driver
import emit
import quantise
import report
from driver import Contender, peer
from networks import ATTENTION, NETS, ROOT, SIGMA, Net

WORK = ROOT / "target" / "peers"
#: What is measured without --only; the others are asked for by name.
STANDARD = [*NETS, *ATTENTION]
PEERS = ["limpid", "onnxruntime", "openvino", "ncnn", "torch"]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests/bench/peers", description=__doc__)

    def words(text: str) -> list[str]:
        return [word for word in text.split(",") if word]

    def counts(text: str) -> list[int]:
        return [int(word) for word in words(text)]

    known = [*STANDARD, "candle-shapes"]
    parser.add_argument("--only", type=words, default=STANDARD, metavar="NET,NET",
                        help=f"of {', '.join(known)}")  # fmt: skip
    parser.add_argument("--threads", type=counts, default=[1, 2], metavar="N,N")
    parser.add_argument("--repeats", type=int, default=0, help="runs of each engine; 9 without it")
    parser.add_argument("--engines", type=words, default=PEERS, metavar="ENGINE,ENGINE",
                        help=f"of {', '.join(PEERS)}")  # fmt: skip
    parser.add_argument("--precisions", type=words, default=["fp32", "int8"])
    parser.add_argument("--bf16", action="store_true", help="a row of OpenVINO in bf16 as well")
    parser.add_argument("--quick", action="store_true", help="3 runs, the first size of each network")
    parser.add_argument("--whole", action="store_true", help="whole programs on a 12 MP picture instead")
    parser.add_argument("--docs", action="store_true", help="rewrite the table of docs/speed.md")
    parser.add_argument("--json", type=pathlib.Path, default=ROOT / "target/peers.json")
    parser.add_argument("--with-torch", action="store_true", help="set torch up too (large)")
    args = parser.parse_args()
    if unknown := [name for name in args.only if name not in known]:
        parser.error(f"no network is called {', '.join(unknown)}")
    if unknown := [name for name in args.engines if name not in PEERS]:
        parser.error(f"no engine is called {', '.join(unknown)}")
    args.repeats = args.repeats or (3 if args.quick else 9)
    return args


def photo_piece(height: int, width: int, seed: int, noise: float) -> np.ndarray:
    """A piece of the sample photo, mirrored to fill `[3, height, width]`, 0..1."""
    from PIL import Image

    rng = np.random.default_rng(seed)
    with Image.open(ROOT / "assets/sample.jpg") as file:
        photo = np.asarray(file.convert("RGB"), np.float32) / 255
    top = int(rng.integers(max(photo.shape[0] - height, 0) + 1))
    left = int(rng.integers(max(photo.shape[1] - width, 0) + 1))
    piece = photo[top : top + height, left : left + width]
    pads = [(0, height - piece.shape[0]), (0, width - piece.shape[1]), (0, 0)]
    piece = np.pad(piece, pads, "symmetric")
    noisy = piece + rng.standard_normal(piece.shape, np.float32) * np.float32(noise)
    return np.ascontiguousarray(noisy.clip(0, 1).transpose(2, 0, 1), np.float32)


def picture_for(net: Net) -> Callable[[int, int, int], np.ndarray]:
    """What makes inputs: photos (noisy for denoisers) for networks of three channels, else
    random features."""

    def features(height: int, width: int, seed: int) -> np.ndarray:
        if net.channels == 3:
            return photo_piece(height, width, seed, SIGMA if net.scale() == 1 else 0)
        rng = np.random.default_rng(seed)
        return rng.random((net.channels, height, width), np.float32)

    return features


def bench_engine() -> pathlib.Path:
    """Our child, which `tests/bench/peers` has built."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    return target / "release/examples/bench_engine"


def contenders(net: Net, folder: pathlib.Path, shape: list[int], threads: int, args) -> list:
    """Everyone who runs this network at this size."""
    layers = "-" if net.arch else str(folder / "limpid.json")
    sides = "x".join(map(str, shape))
    input_ = str(folder / f"input-{sides}.f32")
    job = {"net": net.name, "input": input_, "shape": shape, "threads": threads, "sigma": SIGMA,
           "sigma_factor": net.sigma_factor()}  # fmt: skip

    def ours(precision: str) -> Contender:
        words = [str(bench_engine()), str(folder / "limpid.safetensors"), layers, input_]
        words += [*map(str, shape), str(np.float32(SIGMA)), str(threads), precision]
        return Contender("limpid", precision, words)

    def theirs(engine: str, precision: str, file: str, variant: str = "", **more) -> Contender:
        command = peer(job | {"engine": engine, "model": str(folder / file)} | more)
        error = quantise.error_of(folder, file)
        return Contender(engine, precision, command, variant, error)

    found = [ours("fp32"), ours("int8")]
    found.append(theirs("onnxruntime", "fp32", "fp32.onnx"))
    found.append(theirs("onnxruntime", "int8", "qdq.onnx", "all layers"))
    found.append(theirs("onnxruntime", "int8", "qdq-conv.onnx", "convolutions"))
    found.append(theirs("openvino", "fp32", "fp32.onnx"))
    found.append(theirs("openvino", "int8", "qdq.onnx", "onnxruntime's file, all layers"))
    found.append(theirs("openvino", "int8", "qdq-conv.onnx", "onnxruntime's file, convolutions"))
    found.append(theirs("openvino", "int8", "nncf.xml", "nncf's file"))
    if args.bf16:
        found.append(theirs("openvino", "bf16", "fp32.onnx", hint="bf16"))
    found.append(theirs("ncnn", "fp32", "ncnn.param"))
    found.append(theirs("torch", "fp32", ""))
    precisions = [*args.precisions, "bf16"]
    return [x for x in found if x.engine in args.engines and x.precision in precisions]


def measure_net(name: str, args: argparse.Namespace) -> list[dict]:
    """All rows of a network."""
    make, sizes = NETS[name]
    net, folder = make().fill(), WORK / name
    picture = picture_for(net)
    emit.all_forms(net, folder)
    if "int8" in args.precisions and {"onnxruntime", "openvino"} & set(args.engines):
        quantise.make(net, folder, picture, min(sizes[0]))
    rows = []
    for height, width in sizes[:1] if args.quick else sizes:
        shape = [net.channels, height, width]
        sides = "x".join(map(str, shape))
        picture(height, width, 1).tofile(folder / f"input-{sides}.f32")
        for threads in args.threads:
            what = {"net": name, "size": f"{width}x{height}"}
            who = contenders(net, folder, shape, threads, args)
            flops = net.flops(height, width)
            found = driver.measure(who, threads, args.repeats, flops, what)
            report.print_rows(found)
            rows += [row | {"weights": net.source} for row in found]
    return rows


def measure_attention(name: str, args: argparse.Namespace) -> list[dict]:
    """All rows of one attention."""
    what, folder = ATTENTION[name], WORK / name
    attention.make(what, folder)
    rows = []
    for threads in args.threads:
        job = {"kind": "attention", "input": str(folder / "qkv.f32"), "threads": threads,
               "shape": [what.heads, what.tokens, what.dim]}  # fmt: skip
        words = [str(bench_engine()), "attention", str(folder / "qkv.f32")]
        words += [*map(str, job["shape"]), str(threads)]
        who = [Contender("limpid", "fp32", words)]
        for variant in ("fused", "plain"):
            more = {"engine": "onnxruntime", "model": str(folder / f"{variant}.onnx")}
            command = peer(job | more | {"variant": variant})
            who.append(Contender("onnxruntime", "fp32", command, variant))
        for engine in ("openvino", "ncnn", "torch"):
            who.append(Contender(engine, "fp32", peer(job | {"engine": engine})))
        who = [x for x in who if x.engine in args.engines]
        shared = {"net": name, "size": f"{what.heads}x{what.tokens}x{what.dim}"}
        found = driver.measure(who, threads, args.repeats, what.flops(), shared)
        report.print_rows(found)
        rows += found
    return rows


def main() -> int:
    args = arguments()
    rows: list[dict] = []
    print("\n".join(report.machine()))
    report.print_header()
    if args.whole:
        import whole

        rows = whole.measure(args)
    else:
        for name in args.only:
            if name == "candle-shapes":
                import candle_shapes

                rows += candle_shapes.measure(args)
            else:
                rows += (measure_net if name in NETS else measure_attention)(name, args)
            report.merge(args.json, rows)  # what is measured is kept whatever comes
    kept = report.merge(args.json, rows)
    print("\n".join(["", *report.lead(rows), f"written: {args.json}"]))
    if args.docs:
        report.rewrite_docs(ROOT / "docs/speed.md", kept)
    wrong = [row for row in rows if "mismatch" in row]
    for row in wrong:
        words = f"{row['net']} {row['size']} {row['engine']}: {row['mismatch']}"
        print(f"peers: WRONG RESULT: {words}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
