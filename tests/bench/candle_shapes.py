"""Rows of `--only candle-shapes`: single convolutions, ours and candle's, in one process."""
from __future__ import annotations

import argparse
import json
import os
import pathlib
import subprocess

from driver import TOLERANCE
from networks import ROOT

#: Seconds of taking turns for each shape.
SECONDS = 0.3


def measure(args: argparse.Namespace) -> list[dict]:
    """Two rows a shape, and a list of those where ours is slower."""
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
    seconds = 0.05 if args.quick else SECONDS
    command = [str(target / "release/examples/candle_shapes"), str(seconds), "1"]
    environment = dict(os.environ, RAYON_NUM_THREADS="1", OMP_NUM_THREADS="1")
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    shapes = [json.loads(line) for line in done.stdout.splitlines()]
    rows = [row for shape in shapes for row in rows_of(shape)]
    if done.returncode:
        words = done.stderr.strip()[-300:] or f"ended with {done.returncode}"
        rows.append(empty("candle-shapes", "limpid") | {"error": words})
    show(shapes)
    return rows


def empty(name: str, engine: str) -> dict:
    row = {"net": f"shape {name}", "size": "", "threads": 1, "engine": engine}
    return row | {"precision": "fp32", "ms": None, "gflops": None, "peak_mb": None}


def rows_of(shape: dict) -> list[dict]:
    rows = []
    for engine in ("limpid", "candle"):
        row = empty(shape["shape"], engine)
        if "error" in shape:
            row["error"] = shape["error"]
        else:
            ms = shape[engine]
            row |= {"ms": round(ms, 6), "gflops": round(shape["flops"] / ms / 1e6, 2)}
            if engine == "candle":
                row |= {"difference": float(f"{shape['difference']:.2g}")}
                if not shape["difference"] <= TOLERANCE:
                    row["mismatch"] = f"differs by {shape['difference']:.2g} of the largest value"
        rows.append(row)
    return rows


def show(shapes: list[dict], worst: int = 12) -> None:
    """The shapes where ours leads least, and all where it does not."""
    timed = sorted((x for x in shapes if "error" not in x), key=lambda x: x["candle"] / x["limpid"])
    slower = [x for x in timed if x["candle"] < x["limpid"]]
    print(f"\n{len(timed)} shapes against candle, 1 thread; slower in ours: {len(slower)}. The closest:")
    for x in timed[: max(worst, len(slower))]:
        print(f"  {x['candle'] / x['limpid']:8.2f} times candle's speed: {x['shape']}: "
              f"{x['limpid'] * 1e3:.1f} and {x['candle'] * 1e3:.1f} microseconds")  # fmt: skip
    for x in shapes:
        if "error" in x:
            print(f"  not measured: {x['shape']}: {x['error']}")
