#!/usr/bin/env python3
"""Makes a bank of simulated rooms: DATA/rooms.npz, each a response of one second at 16 kHz and where
its direct sound arrives. Shoe boxes by the image-source method (Allen and Berkley 1979), image
places jittered so that regular walls do not whistle, high tones absorbed faster than low ones.
"""
import argparse
import pathlib

import numpy as np
from scipy.signal import butter, sosfilt

RATE = 16000
LENGTH = RATE
SOUND = 343.0


def images(size, source, mic, reflection, rng):
    """A response: one sample a mirror image of the source, weighted by walls and distance."""
    furthest = SOUND * LENGTH / RATE
    reach = np.minimum(np.ceil(furthest / (2 * size)).astype(int), 24)
    axes = []
    for axis in range(3):
        n = np.arange(-reach[axis], reach[axis] + 1)
        even, odd = 2 * n * size[axis] + source[axis], 2 * n * size[axis] - source[axis]
        place = np.concatenate([even, odd]) - mic[axis]
        walls = np.concatenate([np.abs(2 * n), np.abs(2 * n - 1)])
        axes.append((place, walls))
    (x, wx), (y, wy), (z, wz) = axes
    square = x[:, None, None] ** 2 + y[None, :, None] ** 2 + z[None, None, :] ** 2
    walls = wx[:, None, None] + wy[None, :, None] + wz[None, None, :]
    near = square < furthest ** 2
    distance, walls = np.sqrt(square[near]), walls[near]
    jitter = rng.uniform(-0.08, 0.08, len(distance)) * (walls > 0)
    at = ((distance + jitter).clip(0.05) * RATE / SOUND).astype(int)
    sign = np.where((walls > 1) & (rng.random(len(walls)) < 0.5), -1.0, 1.0)
    gain = reflection ** walls / distance.clip(0.3) * sign
    inside = at < LENGTH
    return np.bincount(at[inside], gain[inside], LENGTH), int(np.linalg.norm(source - mic) * RATE / SOUND)


def room(rng, rt60=None):
    size = np.array([rng.uniform(2.5, 9), rng.uniform(2.2, 7), rng.uniform(2.2, 3.6)])
    rt60 = rt60 or rng.uniform(0.15, 0.9)
    mic = rng.uniform(0.15, 0.85, 3) * size
    for _ in range(50):
        source = rng.uniform(0.1, 0.9, 3) * size
        if 0.3 < np.linalg.norm(source - mic) < 4:
            break
    surface = 2 * (size[0] * size[1] + size[0] * size[2] + size[1] * size[2])
    # Eyring: how much a wall must reflect for this decay.
    absorbed = 1 - np.exp(-0.161 * size.prod() / (surface * rt60))
    reflection = np.sqrt(1 - absorbed)
    response, direct = images(size, source, mic, reflection, rng)
    # High tones die away in about 60 % of the time: fade between the response and its low part.
    low = sosfilt(butter(1, rng.uniform(1500, 4000), output="sos", fs=RATE), response)
    seconds = np.maximum(np.arange(LENGTH) - direct, 0) / RATE
    high = 10 ** (-3 * seconds / rt60 * 0.66)
    response = low + (response - low) * high
    response = sosfilt(butter(1, 60, "highpass", output="sos", fs=RATE), response)
    return (response / np.abs(response[:direct + 40]).max()).astype(np.float32), direct


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--count", type=int, default=240)
    parser.add_argument("--seed", type=int, default=11)
    args = parser.parse_args()
    rng = np.random.default_rng(args.seed)
    made = [room(rng) for _ in range(args.count)]
    np.savez(args.data / "rooms.npz", responses=np.stack([r for r, _ in made]),
             direct=np.array([d for _, d in made]))


if __name__ == "__main__":
    main()
