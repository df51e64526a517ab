#!/usr/bin/env python3
"""Whether quiet words and the beginnings of words survive our speech networks.

Voices that training never saw (DATA/test), brought to -35 dBFS, without noise and with unseen noise
30 and 20 dB below them. Prints by how many dB the energy of the words, and of the 50 ms after each
word's beginning, differs from the clean voice's: what noise adds to it is in the output's share.
A beginning is where a voice rises to within 12 dB of its level after 80 ms that were 25 dB below;
those are told apart in which the noise of just then is 20 dB below it, too.

    python3 tests/score/onsets.py --data DATA --limpid target/release/examples/clean_speech \\
        --weights models/gsa-voice-file/weights.safetensors [--best]
"""
import argparse
import pathlib

import numpy as np

from speech import RATE, Limpid, active_power, unseen

LEVEL_DB = -35
FRAME = RATE // 100
QUIET_FRAMES, WORD_FRAMES = 8, 5


def made(data, clips, seed):
    """(SNR, noisy, clean); no noise for an infinite SNR."""
    for _, clean, noise in unseen(data, clips, seed, 0.5):
        clean *= 10 ** (LEVEL_DB / 20) / np.sqrt(active_power(clean))
        noise *= np.sqrt(active_power(clean) / ((noise ** 2).mean() + 1e-12))
        for snr_db in (np.inf, 30, 20):
            yield snr_db, clean + noise * 10 ** (-snr_db / 20), clean


def energies(x):
    return (x[:len(x) // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64) ** 2).sum(1)


def active_level(frames):
    return frames[frames > 1e-3 * frames.max()].mean()


def beginnings(frames, level):
    """Frames at which words begin."""
    at = QUIET_FRAMES
    while at + WORD_FRAMES <= len(frames):
        before, after = frames[at - QUIET_FRAMES:at].mean(), frames[at:at + WORD_FRAMES].mean()
        if before < level * 10 ** -2.5 and after > level * 10 ** -1.2:
            yield at
            at += WORD_FRAMES
        at += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--limpid", type=pathlib.Path, required=True, help="the example clean_speech, built")
    parser.add_argument("--weights", type=pathlib.Path, required=True)
    parser.add_argument("--best", action="store_true")
    parser.add_argument("--clips", type=int, default=48)
    parser.add_argument("--seed", type=int, default=3)
    args = parser.parse_args()
    clips = list(made(args.data, args.clips, args.seed))
    results = Limpid(args.limpid, args.weights, args.best).all([noisy for _, noisy, _ in clips])
    found = {}
    for (snr_db, noisy, clean), out in zip(clips, results):
        clean, out, noise = energies(clean), energies(out), energies(noisy - clean)
        level = active_level(clean)
        words = clean > level * 1e-2
        gains = found.setdefault(snr_db, ([], [], []))
        gains[0].append(10 * np.log10(out[words].sum() / clean[words].sum()))
        for at in beginnings(clean, level):
            part = slice(at, at + WORD_FRAMES)
            gains[1].append(10 * np.log10(out[part].sum() / clean[part].sum()))
            gains[2].append(noise[part].sum() <= 1e-2 * clean[part].sum())
    for snr_db, gains in found.items():
        words, onsets, apart = map(np.array, gains)
        print(f"SNR {snr_db:g} dB: words {words.mean():+.2f} dB (of {len(words)} clips from "
              f"{words.min():+.2f} to {words.max():+.2f})")
        for name, some in ("all beginnings", onsets), ("20 dB above the noise", onsets[apart]):
            print(f"    {name}: {some.mean():+.2f} dB, within 1 dB {100 * np.mean(abs(some) <= 1):.1f} % of "
                  f"{len(some)}, from {some.min():+.2f} to {some.max():+.2f}")


if __name__ == "__main__":
    main()
