#!/usr/bin/env python3
"""Scores upscaling through the real program: luminance PSNR after bicubic reduction.

Every picture of DATA is cut to a multiple of the scale, reduced with the anti-aliased bicubic
kernel (a = -0.5) that the field's tables use, rounded to 8 bits, enlarged by `limpid upscale`, and
compared on BT.601 luma with a border of `scale` pixels left out.

    python3 tests/score/upscale.py --data set5 --limpid target/release/limpid --scale 2 4
    python3 tests/score/upscale.py --pairs SET --limpid target/release/limpid --scale 2

SET has `small/` and `clean/` with the same names, reduced and damaged already
(models/train/realistic.py --scale makes one).
"""
import argparse
import pathlib
import subprocess

import numpy as np
from PIL import Image

from model_options import model_options


def weights(length_in, length_out):
    """Rows of an anti-aliased bicubic reduction matrix, symmetric borders, [out, in]."""
    scale = length_out / length_in
    width = 4 / scale
    centre = (np.arange(length_out) + 1) / scale + 0.5 * (1 - 1 / scale)
    left = np.floor(centre - width / 2)
    taps = int(np.ceil(width) + 2)
    index = left[:, None] + np.arange(taps)
    x = np.abs((centre[:, None] - index) * scale)
    kernel = np.where(x <= 1, 1.5 * x**3 - 2.5 * x**2 + 1,
                      np.where(x <= 2, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2, 0))
    kernel /= kernel.sum(1, keepdims=True)
    mirror = np.concatenate([np.arange(length_in), np.arange(length_in)[::-1]])
    index = mirror[(index.astype(int) - 1) % (2 * length_in)]
    matrix = np.zeros((length_out, length_in))
    for row in range(length_out):
        np.add.at(matrix[row], index[row], kernel[row])
    return matrix


def reduce(picture, scale):
    height, width = picture.shape[0] // scale, picture.shape[1] // scale
    rows, columns = weights(picture.shape[0], height), weights(picture.shape[1], width)
    out = np.einsum("ab,bcd,ec->aed", rows, picture.astype(np.float64), columns, optimize=True)
    return np.clip(np.rint(out), 0, 255).astype(np.uint8)


def luma(picture):
    return picture.astype(np.float64) @ np.array([65.481, 128.553, 24.966]) / 255 + 16


def psnr(a, b, border):
    cut = slice(border, -border)
    error = np.mean((luma(a)[cut, cut] - luma(b)[cut, cut]) ** 2)
    return 10 * np.log10(255**2 / error)


def read(path):
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"))


def pairs(args, scale):
    """The folder of small pictures, and the clean ones by name."""
    if args.pairs:
        return args.pairs / "small", {p.stem: read(p) for p in sorted((args.pairs / "clean").glob("*.png"))}
    small = args.out / f"x{scale}" / args.data.name
    small.mkdir(parents=True, exist_ok=True)
    clean = {}
    for path in sorted(p for p in args.data.iterdir() if p.suffix in (".png", ".bmp")):
        picture = read(path)
        picture = picture[: picture.shape[0] // scale * scale, : picture.shape[1] // scale * scale]
        clean[path.stem] = picture
        Image.fromarray(reduce(picture, scale)).save(small / f"{path.stem}.png")
    return small, clean


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--data", type=pathlib.Path, help="a folder of clean pictures")
    kind.add_argument("--pairs", type=pathlib.Path, help="a folder of small/ and clean/")
    parser.add_argument("--limpid", required=True)
    parser.add_argument("--scale", type=int, nargs="+", default=[2, 4])
    parser.add_argument("--models", nargs="+", default=["auto"])
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("/tmp/limpid-score"))
    args = parser.parse_args()
    for scale in args.scale:
        small, clean = pairs(args, scale)
        title = (args.data or args.pairs).name
        cubic = [psnr(np.asarray(Image.open(small / f"{n}.png").resize(
            (c.shape[1], c.shape[0]), Image.Resampling.BICUBIC)), c, scale) for n, c in clean.items()]
        print(f"{title} x{scale} bicubic: {np.mean(cubic):.2f} dB", flush=True)
        for model in args.models:
            result = args.out / f"x{scale}" / f"{title}-{model}"
            done = subprocess.run([args.limpid, "upscale", *(str(small / f"{n}.png") for n in clean), "-o",
                                   str(result), "--scale", str(scale), *model_options(model), "--overwrite",
                                   "--quiet"])
            if done.returncode:
                print(f"{title} x{scale} {model}: exit {done.returncode}")
                continue
            value = np.mean([psnr(read(result / f"{n}.png"), c, scale) for n, c in clean.items()])
            print(f"{title} x{scale} {model}: {value:.2f} dB", flush=True)


if __name__ == "__main__":
    main()
