"""What is shown and kept: the table on the terminal, `target/peers.json`, `docs/speed.md`."""
from __future__ import annotations

import datetime
import json
import os
import pathlib
import platform
import re
import subprocess
from importlib import metadata

MARKS = ("<!-- peers: begin -->", "<!-- peers: end -->")
KEY = ("net", "size", "threads", "engine", "precision")
#: Instruction sets worth naming, as Linux calls them.
SETS = ("avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "asimd")


def merge(path: pathlib.Path, rows: list[dict]) -> list[dict]:
    """Writes `rows` over those of the same key in the file; others stay."""
    try:
        old = json.loads(path.read_text())
    except (OSError, ValueError):
        old = []
    fresh = {tuple(row[key] for key in KEY) for row in rows}
    kept = [row for row in old if tuple(row[key] for key in KEY) not in fresh] + rows
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join(map(json.dumps, kept)) + "\n]\n")
    return kept


def note(row: dict) -> str:
    """The last column: what is wrong, or how close the result is."""
    if "error" in row:
        return row["error"]
    if "mismatch" in row:
        return f"WRONG: {row['mismatch']}"
    parts = [row["variant"]] if row.get("variant") else []
    parts += [f"differs {row['difference']:g}"] if "difference" in row else []
    parts += [f"SNR {row['snr_db']} dB"] if "snr_db" in row else []
    parts += [f"{row['psnr_db']} dB from ours"] if "psnr_db" in row else []
    parts += [f"tile {row['tile']}"] if "tile" in row else []
    return ", ".join(parts)


def print_header() -> None:
    print(f"{'network':<15} {'size':<10} {'thr':>3}  {'engine':<12} {'prec':<5} {'ms':>10} "
          f"{'min..max':>19} {'GF/s':>7} {'MB':>6}  notes")  # fmt: skip


def print_rows(rows: list[dict]) -> None:
    for row in rows:
        head = (f"{row['net']:<15} {row['size']:<10} {row['threads']:>3}  {row['engine']:<12} "
                f"{row['precision']:<5}")  # fmt: skip
        if row["ms"] is None:
            print(f"{head} {'-':>10} {'':>19} {'':>7} {'':>6}  {note(row)}")
            continue
        spread = f"{row['ms_min']:.1f}..{row['ms_max']:.1f}" if "ms_min" in row else ""
        peak = f"{row['peak_mb']:.0f}" if row["peak_mb"] else ""
        print(f"{head} {row['ms']:>10.2f} {spread:>19} {row['gflops'] or 0:>7.0f} {peak:>6}  "
              f"{note(row)}", flush=True)  # fmt: skip


def lead(rows: list[dict]) -> list[str]:
    """For each group, our time against the fastest peer's."""
    groups: dict[tuple, list[dict]] = {}
    for row in rows:
        if row["ms"] is not None and row["engine"] != "candle":
            key = (row["net"], row["size"], row["threads"], row["precision"])
            groups.setdefault(key, []).append(row)
    lines = []
    for (net, size, threads, precision), group in groups.items():
        ours = [row for row in group if row["engine"] == "limpid"]
        others = [row for row in group if row["engine"] != "limpid"]
        if ours and others:
            best = min(others, key=lambda row: row["ms"])
            ratio = best["ms"] / ours[0]["ms"]
            verdict = "faster" if ratio >= 1 else "SLOWER"
            lines.append(f"{net} {size}, {threads} threads, {precision}: limpid {ratio:.2f} times "
                         f"the speed of {best['engine']} ({verdict})")  # fmt: skip
    return lines


def machine() -> list[str]:
    """What the numbers were measured on, as a list for the page."""
    info = _read("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.*)", info)
    family = re.search(r"cpu family\s*: (.*)", info)
    flags = (re.search(r"(?:flags|Features)\s*: (.*)", info) or [""])[0].split()
    memory = re.search(r"MemTotal:\s*(\d+)", _read("/proc/meminfo"))
    names = ("onnxruntime", "openvino", "nncf", "ncnn", "torch", "numpy")
    versions = ", ".join(f"{name} {version}" for name in names if (version := _version(name)))
    processor = model[1] if model else platform.processor() or platform.machine()
    kind = f", family {family[1]}" if family else ""
    gigabytes = f"{int(memory[1]) / 2**20:.0f} GB" if memory else "unknown"
    return [
        f"Processor: {processor}{kind}, {os.cpu_count()} cores visible",
        f"Instruction sets: {', '.join(name for name in SETS if name in flags) or 'unknown'}",
        f"Memory: {gigabytes}; {platform.system()} {platform.release()}",
        f"Peers: {versions}; Python {platform.python_version()}",
        f"Date: {datetime.date.today()}; commit {_commit()}",
    ]


def _read(path: str) -> str:
    try:
        return pathlib.Path(path).read_text()
    except OSError:
        return ""


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _commit() -> str:
    def git(*words: str) -> str:
        folder = pathlib.Path(__file__).parent
        return subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True).stdout

    changed = git("status", "--porcelain", "--untracked-files=no").strip()
    return git("rev-parse", "--short", "HEAD").strip() + (" with changes" if changed else "")


def rewrite_docs(page: pathlib.Path, rows: list[dict]) -> None:
    """Puts the machine and all rows but candle's between the page's marks."""
    lines = [f"* {line}" for line in machine()]
    lines += ["", "| network | size | threads | engine | precision | ms | GF/s | peak MB | |"]
    lines += ["|---|---|--:|---|---|--:|--:|--:|---|"]
    for row in rows:
        if row["engine"] == "candle" or row["net"].startswith("shape "):
            continue
        cells = [row["net"], row["size"], row["threads"], row["engine"], row["precision"]]
        numbers = [row["ms"], row["gflops"], row["peak_mb"]]
        cells += ["" if x is None else f"{x:.1f}" if x < 10 else f"{x:.0f}" for x in numbers]
        lines.append("| " + " | ".join(map(str, [*cells, note(row).replace("|", "/")])) + " |")
    text = page.read_text()
    begin, end = (text.index(mark) for mark in MARKS)
    page.write_text(text[: begin + len(MARKS[0])] + "\n" + "\n".join(lines) + "\n" + text[end:])
