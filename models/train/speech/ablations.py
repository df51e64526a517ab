#!/usr/bin/env python3
"""The comparisons that the speech papers claim, small and with three seeds each: which loss
(arXiv 1901.09146: spectral error, SDR, SDR + PESQ + STOI) and which attention (arXiv 1910.06762:
Gaussian-weighted, plain, none). Same network, same mixtures, same number of steps.

Scores are PESQ-WB, STOI and SI-SDR on voices and noises that training never saw, at 0, 5 and 10 dB.
A line of JSON a run is appended to DATA/ablations.jsonl; runs that are there are not repeated.
"""
import argparse
import json
import pathlib
import subprocess
import sys

import numpy as np
import torch
from pesq import pesq
from pystoi import stoi

from speech_net import HOP, SpeechNet

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2] / "tests/score"))
from speech import RATE, made, si_sdr  # noqa: E402

SIZE = {"channels": 24, "blocks": 1}
RUNS = [("losses", "spectral", "gaussian"), ("losses", "sdr", "gaussian"), ("both", "all", "gaussian"),
        ("attention", "all", "plain"), ("attention", "all", "none")]


@torch.no_grad()
def score(checkpoint, attention, data, clips):
    saved = torch.load(checkpoint, weights_only=True)
    model = SpeechNet(**SIZE, attention=attention)
    model.load_state_dict(saved["average"])
    rows = []
    for kind, noisy, clean in made(data, clips, 5):
        if kind == "clean":
            continue
        padded = torch.from_numpy(np.pad(noisy, (0, 2 * HOP)).astype(np.float32))[None]
        out = model(padded[:, :padded.shape[1] // HOP * HOP])[0].numpy()[:len(clean)]
        clean = clean[:len(out)]
        rows.append([pesq(RATE, clean, out, "wb"), stoi(clean, out, RATE), si_sdr(out, clean)])
    sigmas = None
    if attention == "gaussian":
        sigmas = model.blocks[0].attention.log_sigma.exp().tolist()
    return np.mean(rows, 0).round(4).tolist(), sigmas


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--clips", type=int, default=12)
    args = parser.parse_args()
    results = args.data / "ablations.jsonl"
    known = [json.loads(line) for line in results.read_text().splitlines()] if results.exists() else []
    for seed in args.seeds:
        for _, losses, attention in RUNS:
            what = {"losses": losses, "attention": attention, "seed": seed, "steps": args.steps}
            if any(what.items() <= run.items() for run in known):
                continue
            name = f"ablation-{losses}-{attention}-{seed}"
            options = [f"--{key}={value}" for key, value in {**SIZE, **what, "batch": args.batch}.items()]
            subprocess.run([sys.executable, str(HERE / "train_speech.py"), f"--data={args.data}",
                            f"--name={name}", *options], check=True, stdout=subprocess.DEVNULL)
            checkpoint = args.data / f"{name}.ckpt"
            scores, sigmas = score(checkpoint, attention, args.data, args.clips)
            run = {**what, "pesq, stoi, si-sdr": scores, "sigmas": sigmas}
            print(json.dumps(run), flush=True)
            with results.open("a") as file:
                file.write(json.dumps(run) + "\n")
            checkpoint.unlink()


if __name__ == "__main__":
    main()
