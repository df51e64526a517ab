#!/usr/bin/env python3
"""What larger networks answer, for `train.py --teacher`.

A photo is one of many that its small or noisy version could have come from, and the part that
nobody can know is noise in every gradient. A good network's answer is close to the mean of them
all. The teachers are SPAN (Apache-2.0) and FFDNet (MIT), as `limpid models fetch` brings them.

Run by itself it writes what SPAN makes of the training photos, WORK/teacher-xN.npy: [patches, 3,
H, W], 8 bits, as train.npy. FFDNet is asked while training.
"""
import argparse
import pathlib

import numpy as np
import torch
from safetensors.torch import load_file
from torch.nn import functional as F

import degrade

MEAN, RANGE = (0.4488, 0.4371, 0.4040), 255.0
BATCH = 16


def read(pack):
    """Its weights in single precision, the kernels in the order that is a fifth faster."""
    weights = {name: value.float() for name, value in load_file(pack).items()}
    return {name: value.to(memory_format=torch.channels_last) if value.dim() == 4 else value
            for name, value in weights.items()}


def convolution(weights):
    def conv(name, x):
        weight = weights[f"{name}.weight"]
        return F.conv2d(x, weight, weights[f"{name}.bias"], padding=weight.shape[-1] // 2)
    return conv


def ffdnet(weights, x, sigma):
    """FFDNet (Zhang et al. 2018) of [N, 3, H, W], told sigma [N]; in Rust: ffdnet.rs."""
    conv, last = convolution(weights), 2 * (len(weights) // 2 - 1)
    x = F.pixel_unshuffle(x, 2)
    x = torch.cat([x, sigma.view(-1, 1, 1, 1).expand_as(x[:, :1])], 1)
    x = x.contiguous(memory_format=torch.channels_last)
    for layer in range(0, last, 2):
        x = F.relu(conv(f"model.{layer}", x))
    return F.pixel_shuffle(conv(f"model.{last}", x), 2)


class Ffdnet:
    """Between the clean patch and what FFDNet makes of the noisy one, which it is told the level
    of. Above sigma 20 it is no teacher: it does not know that cameras clip."""

    def __init__(self, pack, share):
        self.weights, self.share = read(pack), share

    @torch.no_grad()
    def __call__(self, bad, clean, sigma):
        known = sigma < 20 / 255
        if not known.any():
            return clean
        answer = ffdnet(self.weights, bad[known], sigma[known]).clamp(0, 1)
        clean = clean.clone()
        clean[known] = torch.lerp(clean[known], answer, self.share)
        return clean


def span(weights, x, scale):
    """SPAN (Wan et al. 2024) of [N, 3, H, W]; in Rust: engine/nets/src/span.rs."""
    conv = convolution(weights)
    head = x = conv("conv_1", (x - torch.tensor(MEAN).view(1, 3, 1, 1)) * RANGE)
    for block in range(1, 7):
        inner = F.silu(conv(f"block_{block}.c1", x))
        squashed = conv(f"block_{block}.c3", F.silu(conv(f"block_{block}.c2", inner)))
        x = (squashed + x) * (squashed.sigmoid() - 0.5)
        first = x if block == 1 else first
    x = conv("conv_cat", torch.cat([head, conv("conv_2", x), first, inner], 1))
    return F.pixel_shuffle(conv("upsampler", x), scale)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pack", type=pathlib.Path, required=True, help="span-xN.safetensors")
    parser.add_argument("--scale", type=int, choices=[2, 4], required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    weights = read(args.pack)
    photos = np.load(args.work / "train.npy", mmap_mode="r")
    path = args.work / f"teacher-x{args.scale}.npy"
    part = path.with_suffix(".part.npy")
    answers = np.lib.format.open_memmap(part, "w+", np.uint8, photos.shape)
    for first in range(0, len(photos), BATCH):
        large = torch.from_numpy(photos[first:first + BATCH]).float() / 255
        small = degrade.reduced(large, args.scale).contiguous(memory_format=torch.channels_last)
        answer = span(weights, small, args.scale)
        answers[first:first + BATCH] = (answer.clamp(0, 1) * 255).round().byte().numpy()
        if first % (64 * BATCH) == 0:
            print(f"{first} of {len(photos)}", flush=True)
    answers.flush()
    part.rename(path)


if __name__ == "__main__":
    main()
