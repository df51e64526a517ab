#!/usr/bin/env python3
"""Trains the speech network: first on a compressed spectral error and SDR, which is learned fast,
then on SDR + PESQ + STOI with weights that make their gradients equally strong at the change.

Resumable; a checkpoint every two minutes and at SIGTERM. CPU or CUDA. A run limited by `--steps` is
repeatable by seed; one limited by `--until` depends on the speed of the machine.
"""
import argparse
import datetime
import json
import math
import pathlib
import signal
import sys
import time

import numpy as np
import torch

import speech_losses
from mix import Mixer
from speech_net import HOP, SpeechNet

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import stored  # noqa: E402

SECOND_STAGE = 0.45  # of the run
#: Batches from whose median the losses' weights come: those of single ones differ by a factor of two.
MEASURED = 16


def spoken(clean):
    """Clips with a voice in them: without, the losses mean nothing."""
    return clean.pow(2).mean(1) > 1e-9


class Losses:
    def __init__(self, device, kind, factors=(1, 1, 1, 1)):
        pesq, stoi = speech_losses.Pesq(device), speech_losses.Stoi(device)
        self.first = [speech_losses.spectral, speech_losses.sdr]
        self.second = {"all": [speech_losses.sdr, pesq, stoi, speech_losses.spectral],
                       "sdr": [speech_losses.sdr], "spectral": [speech_losses.spectral]}[kind]
        if kind != "all":
            self.first = self.second
        self.ratios = {}  # by stage, of each measured batch: what makes each loss pull as the first
        self.factors = factors if kind == "all" else (1,)

    def __call__(self, stage, estimate, clean):
        losses = self.second if stage else self.first
        ratios = self.ratios.setdefault(stage, [])
        if len(ratios) < MEASURED:
            ratios.append(speech_losses.calibrated(losses, estimate, clean))
        weights = np.median(ratios, 0)
        if losses == self.first and len(losses) > 1:
            weights[1] *= 0.5
        parts = [loss(estimate, clean).mean() for loss in losses]
        factors = self.factors if stage else (1, 1)
        return sum(float(f * w) * p for f, w, p in zip(factors, weights, parts)), parts


@torch.no_grad()
def score(model, mixer, device, batches=6):
    """SDR gain, PESQ-like and STOI-like scores on fixed mixtures of training voices."""
    pesq, stoi = speech_losses.Pesq(device), speech_losses.Stoi(device)
    model.eval()
    rows = []
    for index in range(batches):
        noisy, clean = torch.from_numpy(mixer.batch([99, index], 8)).float().to(device)
        out = model(noisy)
        noisy, clean = noisy[:, :out.shape[1]], clean[:, :out.shape[1]]
        rows.append([float(v) for v in (
            (speech_losses.sdr(noisy, clean) - speech_losses.sdr(out, clean)).mean(),
            4.5 - pesq(noisy, clean).mean(), 4.5 - pesq(out, clean).mean(),
            -stoi(noisy, clean).mean(), -stoi(out, clean).mean())])
    model.train()
    names = ["sdr gain", "pesq in", "pesq out", "stoi in", "stoi out"]
    return {name: round(float(value), 3) for name, value in zip(names, np.mean(rows, 0))}


def earlier(path, device):
    """Weights, the losses' ratios if they are known, and the runs behind them."""
    if path.suffix == ".safetensors":
        weights, about = stored.read(path)
        return weights, {}, [about["run"]] if about["run"] else []
    saved = torch.load(path, weights_only=True, map_location=device)
    run = {"steps": saved["step"], "spent": saved["spent"]}
    return saved["average"], saved["ratios"], [run, saved["run"]["before"]]


def end_of(text):
    """HH:MM in UTC, today or tomorrow, as a time."""
    now = datetime.datetime.now(datetime.timezone.utc)
    hour, minute = map(int, text.split(":"))
    end = now.replace(hour=hour, minute=minute, second=0)
    return (end if end > now else end + datetime.timedelta(days=1)).timestamp()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--name", default="live", help="of the checkpoint and log in DATA")
    parser.add_argument("--steps", type=int, default=1 << 30)
    parser.add_argument("--until", type=end_of, default=math.inf, help="HH:MM, UTC")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--channels", type=int, default=48)
    parser.add_argument("--blocks", type=int, default=2)
    parser.add_argument("--both-ways", action="store_true", help="the form for files, not the live one")
    parser.add_argument("--from", dest="source", type=pathlib.Path, metavar="FILE",
                        help="an earlier run (.ckpt) or its weights.safetensors, of the live form too; "
                             "begins in the second stage")
    parser.add_argument("--attention", choices=["gaussian", "plain", "none"], default="gaussian")
    parser.add_argument("--losses", choices=["all", "sdr", "spectral"], default="all")
    parser.add_argument("--factors", type=float, nargs=4, default=[1, 1, 1, 1],
                        metavar=("SDR", "PESQ", "STOI", "SPECTRAL"),
                        help="on the losses of the second stage, which otherwise pull equally")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    mixer = Mixer(args.data, args.seconds)
    build = lambda: SpeechNet(args.channels, args.blocks, attention=args.attention,
                              looks_ahead=args.both_ways).to(device)
    model = build()
    losses = Losses(device, args.losses, args.factors)
    before = {"steps": 0, "spent": 0.0}
    if args.source:
        weights, losses.ratios, runs = earlier(args.source, device)
        model.load_state_dict(weights, strict=not args.both_ways)
        before = {key: sum(run[key] for run in runs) for key in before}
    optimiser = torch.optim.AdamW(model.parameters(), lr=args.rate, weight_decay=1e-3, betas=(0.9, 0.98))
    average = {k: v.detach().clone() for k, v in model.state_dict().items()}
    checkpoint = args.data / f"{args.name}.ckpt"
    step, begin, spent = 0, time.time(), 0.0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True, map_location=device)
        model.load_state_dict(saved["model"])
        optimiser.load_state_dict(saved["optimiser"])
        average, losses.ratios = saved["average"], saved["ratios"]
        step, begin, spent = saved["step"], saved["begin"], saved["spent"]
    stop = []
    signal.signal(signal.SIGTERM, lambda *_: stop.append(True))
    signal.signal(signal.SIGINT, lambda *_: stop.append(True))

    def save():
        part = checkpoint.with_suffix(".part")
        torch.save({"model": model.state_dict(), "optimiser": optimiser.state_dict(),
                    "average": average, "ratios": losses.ratios, "step": step, "begin": begin,
                    "spent": spent, "sizes": model.sizes, "attention": args.attention,
                    "run": {"seed": args.seed, "batch": args.batch, "seconds": args.seconds,
                            "losses": args.losses, "device": device, "looks_ahead": args.both_ways,
                            "before": before, "factors": args.factors}}, part)
        part.rename(checkpoint)

    progress = lambda: max(step / args.steps, (time.time() - begin) / (args.until - begin))
    running, parts, last_save, last_log = [], [], time.time(), time.time()
    while (done := progress()) < 1 and not stop:
        started = time.time()
        # A longer run that is resumed does not go back to the first stage.
        stage = int(done >= SECOND_STAGE or 1 in losses.ratios or args.source is not None)
        rate = args.rate * min(1, (step + 1) / 100) * (0.02 + 0.98 * (0.5 + 0.5 * math.cos(math.pi * done)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        noisy, clean = torch.from_numpy(mixer.batch([args.seed, step], args.batch)).float().to(device)
        keep = spoken(clean)
        noisy, clean = noisy[keep], clean[keep]
        estimate = model(noisy)
        clean = clean[:, :estimate.shape[1]]
        loss, parts = losses(stage, estimate, clean)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        step += 1
        if torch.isfinite(norm):
            optimiser.step()
            decay = min(0.998, 1 - 1 / (0.1 * step + 2))
            with torch.no_grad():
                for name, value in model.state_dict().items():
                    average[name].lerp_(value, 1 - decay)
            if running and len(running[0]) != len(parts):
                running = []  # the stage has changed
            running.append([float(p.detach()) for p in parts])
        spent += min(time.time() - started, 60)
        if time.time() - last_save > 120:
            save()
            last_save = time.time()
        if step % 100 == 0:
            means = " ".join(f"{v:.4f}" for v in np.mean(running, 0)) if running else "none finite"
            print(f"step {step} stage {stage} losses {means} norm {norm:.3f} rate {rate:.2e} "
                  f"{(time.time() - last_log) / 100:.2f} s a step {100 * done:.0f} %", flush=True)
            running, last_log = [], time.time()
        if step % 500 == 0:
            shown = build()
            shown.load_state_dict(average)
            print("   ", json.dumps(score(shown, mixer, device)), flush=True)
    save()
    print(f"stopped at step {step}, {spent / 60:.0f} minutes of work", flush=True)


if __name__ == "__main__":
    main()
