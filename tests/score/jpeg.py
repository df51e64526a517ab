#!/usr/bin/env python3
"""Scores how much of the damage of JPEG `limpid denoise` takes back: colour PSNR before and after.

Every picture of DATA is saved as JPEG at each quality (colour at half resolution) and denoised as it
comes, without a word about its quality.

    python3 tests/score/jpeg.py --data kodak24 --limpid target/release/limpid [--models dn-resnet]
"""
import argparse
import pathlib
import subprocess
import tempfile

import numpy as np
from PIL import Image

from model_options import model_options

from denoise import psnr, read


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--limpid", required=True)
    parser.add_argument("--qualities", type=int, nargs="+", default=[10, 20, 30, 50, 80])
    parser.add_argument("--models", nargs="+", default=["dn-resnet"])
    args = parser.parse_args()
    clean = {path.stem: read(path) for path in sorted(args.data.glob("*.png"))}
    for quality in args.qualities:
        with tempfile.TemporaryDirectory() as folder:
            folder = pathlib.Path(folder)
            files = [folder / f"{name}.jpg" for name in clean]
            for file in files:
                Image.fromarray(clean[file.stem]).save(file, quality=quality, subsampling=2)
            before = np.mean([psnr(read(f), clean[f.stem]) for f in files])
            line = f"quality {quality}: {before:.2f} dB"
            for model in args.models:
                subprocess.run([args.limpid, "denoise", *map(str, files), "-o", str(folder / model) + "/",
                                *model_options(model), "--format", "png", "--quiet"], check=True)
                after = np.mean([psnr(read(folder / model / f"{n}.png"), c) for n, c in clean.items()])
                line += f", {model} {after:.2f} dB"
            print(line, flush=True)


if __name__ == "__main__":
    main()
