#!/usr/bin/env python3
"""Scores denoising through the real program against the same weights in PyTorch.

Adds seeded white Gaussian noise to every picture of DATA, rounds to 8 bits, runs
`limpid denoise` with the true and with the measured noise level, and FFDNet in PyTorch on the very
same files. Prints mean colour PSNR in dB, with --ssim the structural similarity too (scikit-image), and the
largest difference between the two runtimes.

    python3 tests/score/denoise.py --data kodak24 --limpid target/release/limpid \\
        [--ffdnet ffdnet-color.safetensors] [--out /tmp/score]
"""
import argparse
import json
import pathlib
import subprocess

import numpy as np
from PIL import Image

from model_options import model_options


def psnr(a, b):
    error = np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)
    return 10 * np.log10(255**2 / error)


def ssim(a, b):
    from skimage.metrics import structural_similarity

    return structural_similarity(a, b, channel_axis=2, gaussian_weights=True, sigma=1.5,
                                 use_sample_covariance=False, data_range=255)


def read(path):
    with Image.open(path) as file:
        return np.asarray(file.convert("RGB"))


def ffdnet(weights):
    """FFDNet colour (Zhang et al. 2018): unshuffle 2, noise map, 12 convolutions, shuffle."""
    import torch
    from safetensors.torch import load_file
    from torch.nn import functional as F

    tensors = load_file(weights)
    names = sorted({k.rsplit(".", 1)[0] for k in tensors},
                   key=lambda k: [int(p) if p.isdigit() else p for p in k.split(".")])
    layers = [(tensors[f"{n}.weight"].float(), tensors[f"{n}.bias"].float()) for n in names]

    @torch.no_grad()
    def run(picture, sigma):
        x = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 255
        height, width = x.shape[2:]
        x = F.pad(x, (0, width % 2, 0, height % 2), mode="replicate")
        x = F.pixel_unshuffle(x, 2)
        level = torch.full_like(x[:, :1], sigma / 255)
        x = torch.cat([x, level], 1)
        for index, (weight, bias) in enumerate(layers):
            x = F.conv2d(x, weight, bias, padding=1)
            if index + 1 < len(layers):
                x = F.relu(x)
        x = F.pixel_shuffle(x, 2)[0, :, :height, :width]
        return (x.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()

    return run


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--limpid", required=True)
    parser.add_argument("--ffdnet", type=pathlib.Path, help="converted weights, for PyTorch")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("/tmp/limpid-score"))
    parser.add_argument("--sigmas", type=int, nargs="+", default=[15, 25, 50])
    parser.add_argument("--models", nargs="+", default=["ffdnet-color", "dn-resnet", "dn-resnet+best"])
    parser.add_argument("--ssim", action="store_true")
    args = parser.parse_args()
    reference = ffdnet(args.ffdnet) if args.ffdnet else None
    rows = []
    for sigma in args.sigmas:
        folder = args.out / f"sigma-{sigma}"
        noisy_folder = folder / "noisy"
        noisy_folder.mkdir(parents=True, exist_ok=True)
        clean = {}
        for number, path in enumerate(sorted(args.data.glob("*.png"))):
            clean[path.name] = read(path)
            rng = np.random.default_rng([sigma, number])
            noise = rng.standard_normal(clean[path.name].shape) * sigma
            noisy = np.clip(np.rint(clean[path.name] + noise), 0, 255).astype(np.uint8)
            Image.fromarray(noisy).save(noisy_folder / path.name)
        inputs = [str(noisy_folder / name) for name in clean]
        row = {"sigma": sigma, "noisy": np.mean(
            [psnr(read(noisy_folder / n), c) for n, c in clean.items()])}
        for model in args.models:
            for way in ("known", "auto"):
                result = folder / f"{model}-{way}"
                options = ["--sigma", str(sigma)] if way == "known" else ["--strength", "auto"]
                if model.startswith("dn-resnet") and way == "known":
                    continue  # blind
                done = subprocess.run([args.limpid, "denoise", *inputs, "-o", str(result),
                                       *model_options(model), "--overwrite", "--quiet", *options])
                if done.returncode:
                    row[f"{model} {way}"] = f"exit {done.returncode}"
                    continue
                row[f"{model} {way}"] = np.mean([psnr(read(result / n), c) for n, c in clean.items()])
                if args.ssim:
                    row[f"{model} {way} ssim"] = np.mean(
                        [ssim(read(result / n), c) for n, c in clean.items()])
        if reference:
            outs = {n: reference(read(noisy_folder / n), sigma) for n in clean}
            row["ffdnet in PyTorch"] = np.mean([psnr(outs[n], c) for n, c in clean.items()])
            known = folder / "ffdnet-color-known"
            if known.exists():
                row["largest difference, levels of 255"] = int(max(
                    np.abs(outs[n].astype(int) - read(known / n)).max() for n in clean))
        rows.append(row)
        print(json.dumps({k: round(v, 3) if isinstance(v, float) else v for k, v in row.items()}),
              flush=True)


if __name__ == "__main__":
    main()
