"""Runs children side by side and makes rows of what they answer."""
from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import selectors
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

#: Between two engines' runs: thread pools of the one before stop spinning for work.
PAUSE_SECS = 0.25
#: Loading and warming up, and one run, take at most this long.
PATIENCE_SECS = 900
#: An int8 result with less signal than this is of no use; a slower one with more is preferred.
LEAST_SNR_DB = 15
#: Largest difference between fp32 engines, as a part of the largest value.
TOLERANCE = 1e-3


@dataclasses.dataclass
class Contender:
    """An engine, how precisely it computes, and how its child is started."""

    engine: str
    precision: str
    command: list[str]
    #: Tells several settings of one engine apart; the fastest becomes the row.
    variant: str = ""
    #: Why there is nothing to run.
    error: str = ""


class Failure(Exception):
    """A child that did not do what it was asked."""


class Child:
    """A process that holds one engine ready."""

    def __init__(self, contender: Contender, threads: int):
        environment = dict(os.environ, OMP_NUM_THREADS=str(threads), RAYON_NUM_THREADS=str(threads))
        # Its own words go to a file: shown only when it fails.
        self.words = tempfile.TemporaryFile("w+", errors="replace")
        self.process = subprocess.Popen(
            contender.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.words,
            text=True, bufsize=1, env=environment,
        )  # fmt: skip
        try:
            self._answer("ready")
        except Failure:
            self.close()
            raise

    def _answer(self, wanted: str = "") -> str:
        """The next line of the protocol; libraries that print in between are passed over."""
        waiting = selectors.DefaultSelector()
        waiting.register(self.process.stdout, selectors.EVENT_READ)
        until = time.monotonic() + PATIENCE_SECS
        while True:
            if not waiting.select(max(until - time.monotonic(), 0)):
                raise Failure(f"no answer within {PATIENCE_SECS} s")
            line = self.process.stdout.readline()
            if line.startswith("error "):
                raise Failure(line[6:].strip())
            if not line:
                self.words.seek(0)
                last = self.words.read().strip().splitlines()[-1:]
                raise Failure(f"ended with {self.process.wait()}: {''.join(last)[:300]}")
            if not wanted or line.strip() == wanted:
                return line.strip()

    def ask(self, request: str) -> str:
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # the answer says why
        return self._answer()

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.words.close()


def measure(
    contenders: list[Contender], threads: int, repeats: int, flops: float, what: dict
) -> list[dict]:
    """Rows for all contenders, which take turns; `what` are the keys they share."""
    children: dict[int, Child] = {}
    errors = {index: x.error for index, x in enumerate(contenders) if x.error}
    times: dict[int, list[float]] = {index: [] for index in range(len(contenders))}
    peaks: dict[int, float] = {}
    outputs: dict[int, np.ndarray] = {}
    with tempfile.TemporaryDirectory() as folder:
        for index, contender in enumerate(contenders):
            if index in errors:
                continue
            try:
                children[index] = Child(contender, threads)
            except (Failure, OSError) as error:
                errors[index] = str(error)
        for repeat in range(repeats):
            order = list(children)
            # every engine follows every other one in turn
            turn = repeat % max(len(order), 1)
            for index in order[turn:] + order[:turn]:
                time.sleep(PAUSE_SECS)
                try:
                    times[index].append(float(children[index].ask("run")))
                except (Failure, ValueError) as error:
                    errors[index] = str(error)
                    children.pop(index).close()
        for index, child in children.items():
            try:
                path = pathlib.Path(folder) / str(index)
                child.ask(f"output {path}")
                outputs[index] = np.fromfile(path, np.float32)
                peaks[index] = float(child.ask("peak"))
            except (Failure, OSError, ValueError) as error:
                errors[index] = str(error)
            child.close()
    rows = []
    for index, contender in enumerate(contenders):
        row = what | {"threads": threads, "engine": contender.engine}
        row |= {"precision": contender.precision, "ms": None, "gflops": None, "peak_mb": None}
        if contender.variant:
            row["variant"] = contender.variant
        if index in errors:
            row["error"] = errors[index]
        else:
            row |= summary(times[index], flops) | {"peak_mb": round(peaks[index], 1)}
            row |= agreement(outputs, index, contenders)
        rows.append(row)
    return fastest_variants(rows)


def summary(times: list[float], flops: float) -> dict:
    """The median, and how far the runs spread around it."""
    median = statistics.median(times)
    return {
        "ms": round(median, 4),
        "gflops": round(flops / median / 1e6, 1),
        "ms_min": round(min(times), 4),
        "ms_max": round(max(times), 4),
        "runs": len(times),
    }


def agreement(outputs: dict[int, np.ndarray], index: int, contenders: list[Contender]) -> dict:
    """How close a result is to our fp32 one (else to the first fp32 one there is)."""
    order = [i for i in outputs if contenders[i].precision == "fp32"]
    order.sort(key=lambda i: contenders[i].engine != "limpid")
    if not order or order[0] == index:
        return {}
    reference, found = outputs[order[0]].astype(np.float64), outputs[index].astype(np.float64)
    if reference.shape != found.shape:
        return {"mismatch": f"{found.size} values for {reference.size}"}
    error = reference - found
    if contenders[index].precision != "fp32":
        noise = max(float(np.mean(error**2)), 1e-30)
        return {"snr_db": round(10 * np.log10(float(np.mean(reference**2)) / noise), 1)}
    difference = float(np.abs(error).max() / max(np.abs(reference).max(), 1e-30))
    row = {"difference": float(f"{difference:.2g}")}
    if not difference <= TOLERANCE:
        row["mismatch"] = f"differs by {difference:.2g} of the largest value"
    return row


def fastest_variants(rows: list[dict]) -> list[dict]:
    """One row for each engine and precision; it notes what its other settings took."""
    kept: dict[tuple[str, str], list[dict]] = {}
    for row in rows:
        kept.setdefault((row["engine"], row["precision"]), []).append(row)
    best = []
    for group in kept.values():
        group.sort(key=lambda row: (
            row["ms"] is None, row.get("snr_db", LEAST_SNR_DB) < LEAST_SNR_DB, row["ms"] or 0
        ))  # fmt: skip
        row = group[0]
        if len(group) > 1:
            row["other_variants"] = {
                x.get("variant", ""): {key: x[key] for key in ("ms", "snr_db", "error") if key in x}
                for x in group[1:]
            }
        best.append(row)
    return best


def peer(job: dict) -> list[str]:
    """The command of a Python child."""
    script = pathlib.Path(__file__).with_name("child.py")
    return [sys.executable, str(script), json.dumps(job)]
