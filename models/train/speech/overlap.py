#!/usr/bin/env python3
"""Finds recordings of the test's noises among those of the training: games share their sounds, under
other names and in packages that do not know of each other. What is found goes into `skip` in
speech.toml, on both sides, and fetch_speech.py is run again for these packages.

Compares in the band below 2 kHz, by normalised cross-correlation of the loudest second of each test
clip with every place of every training clip. A copy at another speed is not found.
"""
import argparse
import pathlib

import numpy as np
from scipy.signal import resample_poly

from fetch_speech import RATE

LOW_RATE = 4000
ALIKE = 0.7  # copies reach 0.9 and more, strangers 0.5
BLOCK = 1 << 18
SHORTEST = LOW_RATE // 4


def clips(folder):
    """(package, name, float32 sound at 4 kHz) of each clip."""
    for path in sorted(folder.glob("*.npz")):
        file = np.load(path)
        samples, starts = file["samples"], file["starts"]
        for name, first, end in zip(file["names"], starts, starts[1:]):
            low = resample_poly(samples[first:end].astype(np.float32), LOW_RATE, RATE)
            yield path.stem, str(name), low - low.mean()


def loudest(sound):
    """Its loudest second."""
    if len(sound) <= LOW_RATE:
        return sound
    sums = np.concatenate([[0], np.cumsum(sound.astype(np.float64) ** 2)])
    first = int(np.argmax(sums[LOW_RATE:] - sums[:-LOW_RATE]))
    return sound[first:first + LOW_RATE]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    data = parser.parse_args().data
    wanted = []
    for package, name, sound in clips(data / "test" / "noise"):
        part = loudest(sound)
        if len(part) >= SHORTEST and (norm := np.linalg.norm(part)) > 0:
            wanted.append((package, name, len(part), np.conj(np.fft.rfft(part / norm, BLOCK))))
    print(f"{len(wanted)} sounds to look for", flush=True)
    heard = list(clips(data / "train" / "noise"))
    starts = np.cumsum([0] + [len(sound) for _, _, sound in heard])
    sounds = np.concatenate([sound for _, _, sound in heard])
    step = BLOCK - LOW_RATE
    best = {}
    for first in range(0, len(sounds), step):
        block = sounds[first:first + BLOCK]
        energy = np.concatenate([[0], np.cumsum(block.astype(np.float64) ** 2)])
        spectrum = np.fft.rfft(block, BLOCK)
        for index, (_, _, length, other) in enumerate(wanted):
            places = len(block) - length + 1
            if places <= 0:
                continue
            power = energy[length:length + places] - energy[:places]
            # Near-silence is like anything.
            alike = np.abs(np.fft.irfft(spectrum * other)[:places]) / np.sqrt(np.maximum(power, 1e4 * length))
            at = int(np.argmax(alike))
            clip = int(np.searchsorted(starts, first + at, "right")) - 1
            if alike[at] > ALIKE:
                best[index, clip] = max(best.get((index, clip), 0), float(alike[at]))
    for (index, clip), alike in sorted(best.items()):
        package, name, *_ = wanted[index]
        print(f"{alike:.2f}  {package}: {name}  is in  {heard[clip][0]}: {heard[clip][1]}")


if __name__ == "__main__":
    main()
