#!/usr/bin/env python3
"""Scores `limpid speech --dereverb` on voices in simulated rooms, RT60 0.4 to 0.9 s, without noise.

The clips are those of tests/score/speech.py --rooms: voices that training never saw (DATA/test, as
models/train/speech/fetch_speech.py leaves them), the same for the same seed; the target is the
direct sound with its first 2.5 ms. Prints STOI, PESQ-WB and SI-SDR (dB) of the wet clips and of each
amount, and of clean voices through the same, which should stay as they are.

    python3 tests/score/echo.py --data DATA --limpid target/release/limpid [--rooms 24] [--json FILE]
"""
import argparse
import json
import pathlib
import subprocess
import tempfile
import wave

import numpy as np
from pesq import pesq
from pystoi import stoi

from speech import RATE, made, reverberant, si_sdr


def write(path, x):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        file.writeframes(np.clip(np.rint(x * 32768), -32768, 32767).astype("<i2").tobytes())


def read(path):
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768


def through(limpid, clips, options):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "in").mkdir()
        for index, clip in enumerate(clips):
            write(folder / "in" / f"{index:03}.wav", clip)
        subprocess.run([limpid, "speech", str(folder / "in"), "-o", str(folder / "out"), *options],
                       check=True, capture_output=True)
        return [read(folder / "out" / f"{index:03}.wav") for index in range(len(clips))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--limpid", required=True)
    parser.add_argument("--rooms", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    found = {}
    for title, clips in (("rooms", list(reverberant(args.data, args.rooms, args.seed))),
                         ("clean", [c for c in made(args.data, args.rooms // 3, args.seed)
                                    if c[0] == "clean"])):
        targets = [clean for _, _, clean in clips]
        ways = {"as it is": [bad for _, bad, _ in clips]}
        for name, options in (("noise only", []), ("dereverb 0.5", ["--dereverb", "0.5"]),
                              ("dereverb 1", ["--dereverb", "1"]),
                              ("dereverb 1, noise kept", ["--dereverb", "1", "--limit-db", "0.01"])):
            ways[name] = through(args.limpid, ways["as it is"], options)
        for name, sounds in ways.items():
            scores = [(stoi(t, s, RATE), pesq(RATE, t, s, "wb"), si_sdr(s, t))
                      for s, t in zip(sounds, targets)]
            mean = [round(float(v), 3) for v in np.mean(scores, 0)]
            found[f"{title}, {name}"] = dict(zip(("stoi", "pesq", "si_sdr"), mean))
            print(f"{title:6} {name:24} STOI {mean[0]:.3f}  PESQ {mean[1]:.2f}  SI-SDR {mean[2]:.1f}",
                  flush=True)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
