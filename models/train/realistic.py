#!/usr/bin/env python3
"""Makes sets of realistic damage, seeded, from the photos that prepare.py holds out by file.

    python3 models/train/realistic.py --work WORK --out SET [--pictures 20] [--side 512]
    python3 models/train/realistic.py --work WORK --out SET --scale 2

Without --scale, noise: `SET/clean/NAME.png` and, through the camera of degrade.py,
`SET/noisy/NAME.png`; tests/score/realistic.py scores on it. With --scale, `SET/small/NAME.png` as
photos are found: soft, reduced, noisy (half of the noise cut from the held-out photos themselves),
saved as JPEG; tests/score/upscale.py --pairs scores on it. 8 bits; blocks are in the pixels.
"""
import argparse
import pathlib
import random

import numpy as np
import torch
from PIL import Image

import degrade
import prepare


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--scale", type=int, choices=[2, 3, 4])
    parser.add_argument("--seed", type=int, default=20)
    args = parser.parse_args()
    _, held = prepare.split(args.work)
    bad_kind = "small" if args.scale else "noisy"
    for kind in ("clean", bad_kind):
        (args.out / kind).mkdir(parents=True, exist_ok=True)
    pick = random.Random(args.seed)
    pool = [patch for path in held for patch in prepare.grain(path, pick)] if args.scale else []
    pool = torch.from_numpy(np.stack(pool).transpose(0, 3, 1, 2)) if pool else None
    side = args.side // (args.scale or 1) * (args.scale or 1) + (0 if args.scale else 2 * degrade.MARGIN)
    for number in range(args.pictures):
        path = held[number % len(held)]
        image = prepare.load(path)
        # The steepest of a few places: a sky says little about a denoiser.
        places = [(pick.randrange(image.shape[0] - side + 1), pick.randrange(image.shape[1] - side + 1))
                  for _ in range(4)]
        y, x = max(places, key=lambda p: prepare.gradient(image[p[0]:p[0] + side, p[1]:p[1] + side]))
        crop = torch.from_numpy(image[y:y + side, x:x + side].copy()).permute(2, 0, 1).float() / 255
        rng = torch.Generator().manual_seed(args.seed * 1000 + number)
        if args.scale:
            pair = degrade.natural(crop[None], args.scale, rng, pool)[0], crop
        else:
            pair = degrade.shifted(degrade.camera(crop, rng), rng)
        for kind, picture in zip((bad_kind, "clean"), pair):
            pixels = (picture.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
            Image.fromarray(np.ascontiguousarray(pixels)).save(args.out / kind / f"{number:02d}-{path.stem}.png")
    print(f"{args.pictures} pictures from {len(held)} held-out photos in {args.out}")


if __name__ == "__main__":
    main()
