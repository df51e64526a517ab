#!/usr/bin/env python3
"""Finds recordings of the test's noises among those of the training: games share their sounds, under
other names and in packages that do not know of each other. What is found goes into `skip` in
speech.toml, on both sides; then the .npz of these packages go, and fetch_speech.py makes new ones.

Compares by normalised cross-correlation the loudest second of each test clip with every place of
every training clip, which takes a quarter of an hour. A copy at another speed is not found. Hums and
tones are like each other, too: what is found is looked at, by name at least.
"""
import argparse
import pathlib

import numpy as np

from fetch_speech import RATE

ALIKE = 0.7  # copies reach 0.8 and more
BLOCK = 1 << 18
SHORTEST = RATE // 4
#: Power below which a place is silence, which is like anything.
SILENCE = 100.0 ** 2


def clips(folder):
    """(package, name, float32 sound) of each clip."""
    for path in sorted(folder.glob("*.npz")):
        file = np.load(path)
        samples, starts = file["samples"], file["starts"]
        for name, first, end in zip(file["names"], starts, starts[1:]):
            sound = samples[first:end].astype(np.float32)
            yield path.stem, str(name), sound - sound.mean()


def loudest(sound):
    """Its loudest second."""
    if len(sound) <= RATE:
        return sound
    sums = np.concatenate([[0], np.cumsum(sound.astype(np.float64) ** 2)])
    first = int(np.argmax(sums[RATE:] - sums[:-RATE]))
    return sound[first:first + RATE]


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
    step = BLOCK - RATE
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
            alike = np.abs(np.fft.irfft(spectrum * other)[:places])
            alike /= np.sqrt(np.maximum(power, SILENCE * length))
            at = int(np.argmax(alike))
            clip = int(np.searchsorted(starts, first + at, "right")) - 1
            if alike[at] > ALIKE:
                best[index, clip] = max(best.get((index, clip), 0), float(alike[at]))
    for (index, clip), alike in sorted(best.items()):
        package, name, *_ = wanted[index]
        print(f"{alike:.2f}  {package}: {name}  is in  {heard[clip][0]}: {heard[clip][1]}")


if __name__ == "__main__":
    main()
