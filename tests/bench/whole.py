"""Whole programs on a 12 megapixel photo: `limpid` against a Python program for each peer.

Both read a JPEG, run the network over all of it, and write a JPEG. A peer works in equal tiles of
the size that is fastest for it, of several that are tried first.
"""
from __future__ import annotations

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np

import emit
import report
from driver import PAUSE_SECS
from networks import NETS, ROOT, SIGMA

WORK = ROOT / "target" / "peers" / "whole"
HERE = pathlib.Path(__file__).parent
#: 12 MP, and smaller for --quick.
SIZES = {False: (4000, 3000), True: (1200, 900)}
TILES = [128, 256, 384, 512, 768, 1024]
QUALITY = 92
#: Command and model of the program.
COMMANDS = {
    "ffdnet": ["denoise", "--model", "ffdnet-color", "--sigma", "25"],
    "span-x2": ["upscale", "--scale", "2", "--model", "span-x2"],
    "dn-resnet": ["denoise", "--model", "dn-resnet"],
}
PEERS = ["onnxruntime", "openvino", "ncnn"]


def photo(size: tuple[int, int], noisy: bool) -> pathlib.Path:
    """The sample photo enlarged, with noise for the denoisers."""
    from PIL import Image

    path = WORK / f"{'noisy' if noisy else 'clean'}-{size[0]}x{size[1]}.jpg"
    if not path.exists():
        with Image.open(ROOT / "assets/sample.jpg") as file:
            picture = np.asarray(file.convert("RGB").resize(size, Image.Resampling.LANCZOS))
        if noisy:
            noise = np.random.default_rng(5).standard_normal(picture.shape, np.float32)
            picture = np.rint(picture + noise * (SIGMA * 255)).clip(0, 255).astype(np.uint8)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(path, quality=95)
    return path


def run(command: list[str]) -> dict:
    """Seconds, peak memory, and words if it failed."""
    launcher = [sys.executable, "-S", "-E", str(HERE / "timed.py")]
    done = subprocess.run([*launcher, *command], capture_output=True, text=True)
    found = json.loads(done.stdout or "{}")
    if found.get("code", 1):
        last = done.stderr.strip().splitlines()[-1:] or [""]
        return {"error": f"ended with {found.get('code')}: {last[0][:300]}"}
    return found


def even_side(length: int, side: int, halo: int) -> tuple[int, int]:
    """A tile's side close to `side` that cuts `length` into equal parts, and how many there are."""
    if side >= length:
        return length, 1
    count = -(-(length - 2 * halo) // (side - 2 * halo))
    even = -(-(length - 2 * halo) // count) + 2 * halo
    return min(even + -even % 8, length), count


def best_tile(job: dict, size: tuple[int, int]) -> list[int]:
    """The shape of the tiles that take the least time for the whole photo."""
    took: dict[tuple[int, int], float] = {}
    for side in (x for x in TILES if x > 3 * job["halo"]):
        (width, across), (height, down) = (even_side(x, side, job["halo"]) for x in size)
        if (height, width) in took:
            continue
        words = [sys.executable, str(HERE / "whole_child.py")]
        words += [json.dumps(job | {"shape": [3, height, width], "probe": True})]
        done = subprocess.run(words, capture_output=True, text=True)
        for line in done.stdout.splitlines():
            if line.startswith("probe "):
                took[height, width] = float(line.split()[1]) * across * down
    return [3, *(min(took, key=took.get) if took else (256, 256))]


def measure(args: argparse.Namespace) -> list[dict]:
    """Rows of the nets in `--only`, or of all three."""
    rows = []
    for name in [name for name in COMMANDS if name in args.only]:
        for threads in args.threads:
            found = measure_one(name, threads, args)
            report.print_rows(found)
            rows += found
            report.merge(args.json, rows)
    return rows


def measure_one(name: str, threads: int, args: argparse.Namespace) -> list[dict]:
    net, size = NETS[name][0]().fill(), SIZES[args.quick]
    folder = WORK.parent / name
    emit.all_forms(net, folder)
    source = photo(size, noisy=net.scale() == 1)
    jobs: dict[str, dict] = {}
    if "limpid" in args.engines:
        jobs["limpid"] = {"result": str(WORK / "limpid.jpg")}
    for engine in (x for x in PEERS if x in args.engines):
        file = "ncnn.param" if engine == "ncnn" else "fp32.onnx"
        job = {
            "engine": engine, "net": name, "model": str(folder / file), "threads": threads,
            "input": "", "live": True, "sigma": SIGMA, "sigma_factor": net.sigma_factor(),
            "halo": net.radius() + net.radius() % 2, "scale": net.scale(), "photo": str(source),
            "result": str(WORK / f"{engine}.jpg"), "quality": QUALITY, "subsampling": 0,
        }  # fmt: skip
        jobs[engine] = job | {"shape": best_tile(job, size)}
    times: dict[str, list[float]] = {engine: [] for engine in jobs}
    peaks: dict[str, float] = {}
    errors: dict[str, str] = {}
    for _ in range(1 if args.quick else max(3, args.repeats if args.repeats != 9 else 3)):
        for engine, job in jobs.items():
            if engine in errors:
                continue
            time.sleep(PAUSE_SECS)
            done = run(command(engine, name, source, job, threads))
            if "error" in done:
                errors[engine] = done["error"]
                continue
            times[engine].append(done["seconds"] * 1e3)
            peaks[engine] = max(peaks.get(engine, 0), done["peak_mb"])
    rows = []
    for engine, job in jobs.items():
        row = {"net": f"whole-{name}", "size": f"{size[0]}x{size[1]}", "threads": threads}
        row |= {"engine": engine, "precision": "fp32", "ms": None, "gflops": None, "peak_mb": None}
        if "shape" in job:
            row["tile"] = f"{job['shape'][2]}x{job['shape'][1]}"
        if engine in errors:
            row["error"] = errors[engine]
        else:
            row |= summary(times[engine], net.flops(size[1], size[0]))
            row["peak_mb"] = round(peaks[engine], 1)
            if engine != "limpid" and "limpid" in times and "limpid" not in errors:
                row |= agreement(jobs["limpid"]["result"], job["result"])
        rows.append(row | {"weights": net.source})
    return rows


def command(engine: str, name: str, source: pathlib.Path, job: dict, threads: int) -> list[str]:
    if engine != "limpid":
        return [sys.executable, str(HERE / "whole_child.py"), json.dumps(job)]
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    verb, *settings = COMMANDS[name]
    words = [str(target / "release/limpid"), verb, str(source), "-o", job["result"], *settings]
    return [*words, "--quality", str(QUALITY), "--threads", str(threads), "--overwrite", "--quiet"]


def summary(times: list[float], flops: float) -> dict:
    from driver import summary as of_times

    return of_times(times, flops)


def agreement(ours: str, theirs: str) -> dict:
    """PSNR between the two written files: both went through a JPEG encoder of their own."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None
    a, b = (np.asarray(Image.open(path).convert("RGB"), np.float32) for path in (ours, theirs))
    if a.shape != b.shape:
        return {"mismatch": f"{a.shape} and {b.shape}"}
    psnr = 10 * np.log10(255**2 / max(float(np.mean((a - b) ** 2)), 1e-9))
    row = {"psnr_db": round(float(psnr), 1)}
    return row if psnr > 30 else row | {"mismatch": f"only {psnr:.1f} dB from ours"}
