#!/usr/bin/env python3
"""Cuts training patches out of the fetched photos into one uint8 array [N, 3, P, P].

Photos over 3 MP are halved first: at 1:1 they carry their own grain and JPEG noise, which a
denoiser would learn to keep. Half of the patches come from the photo halved once more, where detail
is as dense as in a small picture; small photos, whose pixels are JPEG's, are used in that size
alone. Patches are drawn with a chance that follows their mean gradient, since half of all random
crops are flat. `photos.toml` says how many photos of a package are held out by file.
"""
import argparse
import pathlib
import random
import tomllib

import numpy as np
from PIL import Image, ImageDraw, ImageFont

Image.MAX_IMAGE_PIXELS = None
HERE = pathlib.Path(__file__).resolve().parent
PATCH = 128


def halved(image):
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX)


def load(path):
    with Image.open(path) as file:
        image = file.convert("RGB")
    while image.width * image.height > 3_000_000:
        image = halved(image)
    return np.asarray(image)


def sizes(path):
    """The photo in the sizes that patches are cut from."""
    with Image.open(path) as file:
        was_large = file.width * file.height > 3_000_000
    image = load(path)
    small = np.asarray(halved(Image.fromarray(image)))
    found = [image, small] if was_large else [small]
    return [size for size in found if min(size.shape[:2]) >= PATCH]


def gradient(patch):
    grey = patch.astype(np.float32).mean(2)
    return np.abs(np.diff(grey, axis=0)).mean() + np.abs(np.diff(grey, axis=1)).mean()


def crops(image, count, rng):
    height, width = image.shape[:2]
    if min(height, width) < PATCH:
        return []
    found = []
    for _ in range(count * 4):
        y, x = rng.randrange(height - PATCH + 1), rng.randrange(width - PATCH + 1)
        patch = image[y:y + PATCH, x:x + PATCH]
        found.append((gradient(patch) * (0.5 + rng.random()), patch))
    found.sort(key=lambda pair: -pair[0])
    # The steepest, and a few of the rest: skies and walls must come out clean too.
    keep = found[: count * 4 // 5] + rng.sample(found[count * 4 // 5:], count - count * 4 // 5)
    return [patch for _, patch in keep]


def text_patch(rng):
    """Lettering on a plain or graded ground: photos in packages hold almost none."""
    ground = np.linspace(rng.randrange(256), rng.randrange(256), PATCH)[:, None, None]
    tint = np.array([rng.uniform(0.6, 1) for _ in range(3)])
    image = Image.fromarray(np.clip(ground * tint * np.ones((1, PATCH, 1)), 0, 255).astype("uint8"))
    draw = ImageDraw.Draw(image)
    y = rng.randrange(-8, 8)
    while y < PATCH:
        size = rng.randrange(9, 30)
        words = "".join(rng.choice("abcdefghijklmnopqrstuvwxyzABCDEFGHIKLMNOPRSTUVW0123456789 ,.&")
                        for _ in range(24))
        ink = tuple(rng.randrange(256) for _ in range(3)) if rng.random() < 0.5 else \
            ((10, 10, 10) if ground.mean() > 128 else (245, 245, 245))
        draw.text((rng.randrange(-20, 8), y), words, fill=ink, font=ImageFont.load_default(size))
        y += int(size * 1.3)
    return np.asarray(image)


def grain(path, rng, count=12):
    """Noise [3, 64, 64] of flat places of a photo at its full size, around 128: what is left when
    a plane is taken off. Section 14's noise pool."""
    with Image.open(path) as file:
        if file.width * file.height < 3_000_000:
            return []
        image = np.asarray(file.convert("RGB"))
    rows, columns = np.mgrid[0:64, 0:64] - 31.5
    found = []
    for _ in range(200):
        y, x = rng.randrange(image.shape[0] - 63), rng.randrange(image.shape[1] - 63)
        patch = image[y:y + 64, x:x + 64].astype(np.float32)
        mean = patch.mean((0, 1))
        slope = [(patch * axis[..., None]).mean((0, 1)) / (axis**2).mean() for axis in (rows, columns)]
        rest = patch - mean - rows[..., None] * slope[0] - columns[..., None] * slope[1]
        # Flat: coarse squares differ far less than their pixels do. Not clipped, not noiseless.
        coarse = rest.reshape(8, 8, 8, 8, 3).mean((1, 3)).std()
        if 0.7 < rest.std() < 12 and coarse < 0.3 * rest.std() and 12 < mean.min() and mean.max() < 243:
            found.append(np.clip(np.rint(rest) + 128, 0, 255).astype(np.uint8))
    return found[:count]


def softness(path, rng, side=128, least_patches=12):
    """The blur that a photo carries at its full size, in pixels: the covariance [xx, xy, yy] of the
    Gaussian that takes the spectrum of its textured places from the 1/f of scenes to what is found.
    Section 14's kernel pool. Nothing for photos without texture, and for sharpened ones, whose
    spectrum does not fall."""
    with Image.open(path) as file:
        if file.width * file.height < 3_000_000:
            return None
        image = np.asarray(file.convert("L"), np.float32)
    places = [(rng.randrange(image.shape[0] - side + 1), rng.randrange(image.shape[1] - side + 1))
              for _ in range(400)]
    patches = [image[y:y + side, x:x + side] for y, x in places]
    patches = sorted((p for p in patches if 8 < p.mean() < 247), key=lambda p: -np.abs(
        np.diff(p, axis=1)).mean() - np.abs(np.diff(p, axis=0)).mean())[:40]
    if len(patches) < least_patches:
        return None
    window = np.hanning(side)[:, None] * np.hanning(side)
    spectra = [np.abs(np.fft.fft2((p - p.mean()) * window)) ** 2 for p in patches]
    # The mean of logarithms: no single patch decides.
    power = np.log(np.stack(spectra) + 1e-3).mean(0)
    fy, fx = np.meshgrid(*[np.fft.fftfreq(side)] * 2, indexing="ij")
    f = np.hypot(fx, fy)
    # Below, the window rules; above, noise and JPEG. Axes carry what frames and horizons leave.
    use = (f > 0.04) & (f < 0.3) & (np.abs(fx) > 0.02) & (np.abs(fy) > 0.02)
    # log power = constant - 2 log f - 4 pi^2 f' C f, with the slope that scenes have.
    rest = power[use] + 2 * np.log(f[use])
    columns = [np.ones(use.sum())] + [-4 * np.pi**2 * v[use] for v in (fx**2, 2 * fx * fy, fy**2)]
    _, xx, xy, yy = np.linalg.lstsq(np.stack(columns, 1), rest, rcond=None)[0]
    narrow = np.linalg.eigvalsh([[xx, xy], [xy, yy]])[0]
    return (xx, xy, yy) if narrow > 0.05 and max(xx, yy) < 4 else None


def split(work, seed=1):
    """Photos to train on, and those that are held out by file."""
    rng = random.Random(seed)
    train, held = [], []
    for package in tomllib.loads((HERE / "photos.toml").read_text())["package"]:
        files = sorted((work / "photos" / package["name"]).iterdir())
        rng.shuffle(files)
        count = package.get("hold_out", 0)
        held += files[:count]
        train += files[count:]
    return train, held


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--patches", type=int, default=14000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    train, held = split(args.work, args.seed)
    rng = random.Random(args.seed)
    patches = []
    for path in train:
        found = sizes(path)
        for size in found:
            patches += crops(size, args.patches // len(train) // len(found), rng)
    patches += [text_patch(rng) for _ in range(args.patches // 25)]
    rng.shuffle(patches)
    np.save(args.work / "train.npy", np.stack(patches).transpose(0, 3, 1, 2))
    pool = [patch for path in train for patch in grain(path, rng)]
    if pool:
        np.save(args.work / "noise.npy", np.stack(pool).transpose(0, 3, 1, 2))
    soft = [found for path in train if (found := softness(path, rng))]
    if soft:
        np.save(args.work / "kernels.npy", np.array(soft, np.float32))
    check = [patch for path in held for patch in crops(load(path), 8, rng)]
    np.save(args.work / "held_out.npy", np.stack(check).transpose(0, 3, 1, 2))
    print(f"{len(patches)} patches from {len(train)} photos, {len(check)} from {len(held)} held out, "
          f"{len(pool)} patches of noise, {len(soft)} blur kernels")


if __name__ == "__main__":
    main()
