#!/usr/bin/env python3
"""Scores denoising of realistic noise through the real program, beside baselines that may choose.

    python3 tests/score/realistic.py --data SET --limpid target/release/limpid \\
        [--models dn-resnet] [--oracle ffdnet-color] [--sheet FOLDER] [--json FILE]

SET has `noisy/` and `clean/` with the same names (models/train/realistic.py makes one). Models of
`--models` run as they come, blind. Every baseline gets its best setting for each picture, told by
the clean one: FFDNet its noise level, NL-means (scikit-image) and BM3D (`bm3d`) theirs. A baseline
that is not installed is left out and said so. `--sheet` writes contact sheets to look at.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
from PIL import Image

from model_options import model_options

SIGMAS = [3, 5, 8, 11, 15, 20, 26, 33, 42, 55, 75]


def read(path):
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"))


def psnr(a, b):
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return 10 * np.log10(255**2 / max(error, 1e-9))


def by_limpid(args, model, files, extra, out):
    """Every file's result, by name."""
    out.mkdir(parents=True, exist_ok=True)
    subprocess.run([args.limpid, "denoise", *map(str, files), "-o", str(out) + "/", *model_options(model),
                    "--overwrite", *extra], check=True, capture_output=True)
    found = {}
    for path in sorted(out.iterdir()):
        name = next(f.name for f in files if path.stem.startswith(f.stem))
        found[name] = read(path)
    assert len(found) == len(files), "every picture has a result"
    return found


def nl_means(noisy, sigma):
    from skimage.restoration import denoise_nl_means

    done = denoise_nl_means(noisy / 255.0, h=0.8 * sigma / 255, sigma=sigma / 255, fast_mode=True,
                            patch_size=5, patch_distance=6, channel_axis=2)
    return np.clip(np.rint(done * 255), 0, 255).astype(np.uint8)


def bm3d(noisy, sigma):
    from bm3d import bm3d_rgb

    done = bm3d_rgb(noisy / 255.0, sigma / 255)
    return np.clip(np.rint(done * 255), 0, 255).astype(np.uint8)


def best(noisy, clean, method):
    """The best result over all settings, and the setting. Up the hill from the middle: the score
    has one top along the level."""
    found = {}

    def score(index):
        if index not in found:
            done = method(noisy, SIGMAS[index])
            found[index] = (psnr(done, clean), SIGMAS[index], done)
        return found[index][0]

    at = len(SIGMAS) // 2 - 1
    while True:
        near = [i for i in (at - 1, at, at + 1) if 0 <= i < len(SIGMAS)]
        top = max(near, key=score)
        if top == at:
            return found[at]
        at = top


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--limpid", required=True)
    parser.add_argument("--models", nargs="*", default=["dn-resnet"])
    parser.add_argument("--oracle", default="ffdnet-color", help="a model that is told the level")
    parser.add_argument("--baselines", nargs="*", default=["nl-means", "bm3d"])
    parser.add_argument("--sheet", type=pathlib.Path)
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    files = sorted((args.data / "noisy").glob("*.png"))
    noisy = {f.name: read(f) for f in files}
    clean = {f.name: read(args.data / "clean" / f.name) for f in files}
    results = {"noisy": noisy}
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder)
        for model in args.models:
            results[model] = by_limpid(args, model, files, [], out / model)
        if args.oracle:
            told = [by_limpid(args, args.oracle, files, ["--sigma", str(s)], out / f"{args.oracle}-{s}")
                    for s in SIGMAS]
            results[f"{args.oracle}, best level"] = {
                name: max((t[name] for t in told), key=lambda p: psnr(p, clean[name]))
                for name in noisy}
    for name, method in (("nl-means", nl_means), ("bm3d", bm3d)):
        if name not in args.baselines:
            continue
        try:
            results[f"{name}, best level"] = {
                key: best(noisy[key], clean[key], method)[2] for key in noisy}
        except ImportError as missing:
            print(f"{name} left out: {missing}")
    means = {}
    for name, pictures in results.items():
        values = [psnr(pictures[key], clean[key]) for key in sorted(noisy)]
        means[name] = round(float(np.mean(values)), 2)
        print(f"{name:28} {means[name]:6.2f} dB   " + " ".join(f"{v:4.1f}" for v in values))
    if args.json:
        args.json.write_text(json.dumps(means, indent=1))
    if args.sheet:
        args.sheet.mkdir(parents=True, exist_ok=True)
        for key in sorted(noisy):
            row = [pictures[key] for pictures in results.values()] + [clean[key]]
            Image.fromarray(np.concatenate(row, axis=1)).save(args.sheet / key)


if __name__ == "__main__":
    main()
