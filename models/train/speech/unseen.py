#!/usr/bin/env python3
"""What a checkpoint gains on voices and noises that it was trained with and on those it has never met:
tells whether more voices or more noises would help. Mixtures at 5 dB, without rooms.
"""
import argparse
import pathlib

import numpy as np
import torch

import speech_losses
from mix import Bank, active_power
from speech_net import SpeechNet

SNR_DB = 5
LEVEL_DB = -26  # of the mixture, in dB of full scale


def mixture(rng, voices, noises, length):
    clean, noise = voices.fill(rng, length, 0.5), noises.fill(rng, length, 0)
    noise *= np.sqrt(active_power(clean) / ((noise ** 2).mean() + 1e-12)) * 10 ** (-SNR_DB / 20)
    gain = 10 ** (LEVEL_DB / 20) / (np.sqrt(active_power(clean + noise)) + 1e-9)
    return (clean + noise) * gain, clean * gain


@torch.no_grad()
def gains(model, voices, noises, length, batches):
    """Gain in SDR (dB), PESQ-like score and STOI-like score."""
    pesq, stoi = speech_losses.Pesq(), speech_losses.Stoi()
    rows = []
    for index in range(batches):
        rng = np.random.default_rng([7, index])
        pairs = [mixture(rng, voices, noises, length) for _ in range(8)]
        noisy, clean = (torch.from_numpy(np.stack(side)).float() for side in zip(*pairs))
        out = model(noisy)
        noisy, clean = noisy[:, :out.shape[1]], clean[:, :out.shape[1]]
        rows.append([float((loss(noisy, clean) - loss(out, clean)).mean())
                     for loss in (speech_losses.sdr, pesq, stoi)])
    return np.mean(rows, 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--name", default="live", help="of the checkpoint in DATA")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--batches", type=int, default=30)
    args = parser.parse_args()
    saved = torch.load(args.data / f"{args.name}.ckpt", weights_only=True, map_location="cpu")
    model = SpeechNet(**saved["sizes"], attention=saved["attention"],
                      looks_ahead=saved["run"]["looks_ahead"]).eval()
    model.load_state_dict(saved["average"])
    for voices in ("train", "test"):
        for noises in ("train", "test"):
            sdr, pesq, stoi = gains(
                model, Bank(args.data / voices / "speech", True),
                Bank(args.data / noises / "noise", True, is_sound=True),
                int(args.seconds * 16000), args.batches)
            print(f"voices of {voices:5}, noises of {noises:5}: "
                  f"SDR {sdr:+.2f} dB, PESQ-like {pesq:+.3f}, STOI-like {stoi:+.3f}", flush=True)


if __name__ == "__main__":
    main()
