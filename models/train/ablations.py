#!/usr/bin/env python3
"""The papers' claims tried on a small scale; REPORT.md says how they came out.

    python3 models/train/ablations.py run --work WORK [--steps 1500] [--seeds 1 2 3]
    python3 models/train/ablations.py plot --work WORK

`run` appends a line a finished training to WORK/ablations.jsonl and leaves out what is there
already, so it can be stopped and started again. `plot` writes models/train/report/.

cascade  DN-ResNet, 4 blocks of 16 channels: grown 1, 2, 4 blocks; from scratch with the same
         number of steps; from scratch with the same number of multiplications.
edges    the same from scratch with the loss weighted by edges, and without.
ds       blocks turned into depthwise + 1x1 one after the other, each followed by training; the
         same net from scratch with as many steps as the whole evolution, and with as many as the
         conversion alone.
trim     upscaler x2 with 24 channels inside its blocks cut to 12: block by block from the output
         end; all at once; from scratch. The same number of steps after the cut (from scratch: all).
aim      upscaler x2 with 24 channels: with a Charbonnier error; with the logarithm of each patch's
         mean square error; with that and four fifths of the way to what SPAN answers as the aim
         (WORK/teacher-x2.npy, by teacher.py; left out where it is missing).
muon     DN-ResNet, 4 blocks of 32 channels, decibels: all by AdamW; the blocks' kernels by Muon; each
         at two rates.
"""
import argparse
import copy
import json
import pathlib
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import degrade
from networks import Block, CtSrcnn, DnResNet
from train import aim, augment, edges, loss_of, optimisers_of

HERE = pathlib.Path(__file__).resolve().parent
CROP, BATCH = 48, 16
SHARES = [0.2, 0.3, 0.5]


class Data:
    def __init__(self, work):
        self.train = np.load(work / "train.npy", mmap_mode="r")
        answers = work / "teacher-x2.npy"
        self.answers = np.load(answers, mmap_mode="r") if answers.exists() else None
        self.held = torch.from_numpy(np.load(work / "held_out.npy")).float() / 255

    def batch(self, seed, step):
        """Clean patches, a list of what the teacher makes of them or of nothing, the generator."""
        rng = torch.Generator().manual_seed(seed * 1_000_003 + step)
        index = torch.randint(len(self.train), (BATCH,), generator=rng)
        y, x = (int(v) for v in torch.randint(0, 128 - CROP + 1, (2,), generator=rng))
        cut = lambda photos: np.stack([photos[i, :, y:y + CROP, x:x + CROP] for i in index])
        found = [cut(photos) for photos in (self.train, self.answers) if photos is not None]
        found = augment(torch.from_numpy(np.concatenate(found)).float() / 255, rng)
        clean, *taught = found.split(BATCH)
        return clean, taught, rng


def poisson_gaussian(clean, rng):
    """Shot and read noise on display values, blind over their strengths; 8 bits."""
    shot = torch.rand(len(clean), 1, 1, 1, generator=rng) * 0.02
    read = torch.rand(len(clean), 1, 1, 1, generator=rng) * 0.1
    noise = torch.randn(clean.shape, generator=rng)
    return degrade.eight_bits(clean + noise * (clean * shot + read**2).sqrt())


def macs(model, task):
    """Multiplications an output pixel of the input's size."""
    total = 0
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            total += layer.weight.numel()
    return total / 4 if task == "denoise" else total


def train(model, task, data, steps, seed, kappa=2.0, first=0, rate=1e-3, decay=True,
          kind="charbonnier", share=0.0, optimiser="adamw"):
    """Trains in place; batches `first`, `first` + 1, ... of `seed`."""
    optimisers = optimisers_of(model, optimiser, rate)
    model.train()
    for step in range(steps):
        progress = step / max(steps, 1)
        now = rate * min(1, (step + 1) / 50) * (0.5 + 0.5 * np.cos(np.pi * progress) if decay else 1)
        for group in (group for one in optimisers for group in one.param_groups):
            group["lr"] = max(now, 1e-6)
        clean, taught, rng = data.batch(seed, first + step)
        bad = poisson_gaussian(clean, rng) if task == "denoise" else degrade.reduced(clean, 2)
        if share:
            clean = aim(clean, taught, share, 6)
        loss = loss_of(model(bad), clean, kappa, kind)
        model.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        for one in optimisers:
            one.step()
    return model


@torch.no_grad()
def score(model, task, data):
    held = data.held
    rng = torch.Generator().manual_seed(99)
    bad = poisson_gaussian(held, rng) if task == "denoise" else degrade.reduced(held, 2)
    out = torch.cat([model(x) for x in bad.split(8)]).clamp(0, 1)
    error = (out - held) ** 2
    strength = edges(held)
    steep = strength >= torch.quantile(strength.flatten(1), 0.9, dim=1).view(-1, 1, 1, 1)
    on_edges = (error * steep).sum((1, 2, 3)) / (3 * steep.sum((1, 2, 3)))
    mean = lambda e: float((-10 * e.log10()).mean())
    return {"psnr": mean(error.mean((1, 2, 3))), "edge_psnr": mean(on_edges)}


class DsBlock(nn.Module):
    """DS-ResBlock: each convolution as a depthwise 3x3 and a 1x1."""

    def __init__(self, channels):
        super().__init__()
        pair = lambda: nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, groups=channels),
                                     nn.Conv2d(channels, channels, 1))
        self.conv1, self.conv2 = pair(), pair()
        for conv in (self.conv1, self.conv2):
            nn.init.dirac_(conv[0].weight, groups=channels)
            nn.init.zeros_(conv[0].bias)
            nn.init.zeros_(conv[1].bias)
        nn.init.kaiming_normal_(self.conv1[1].weight, nonlinearity="relu")
        nn.init.zeros_(self.conv2[1].weight)

    def forward(self, x):
        return x + self.conv2(F.relu(self.conv1(x)))

    @torch.no_grad()
    def take_over(self, block):
        """The nearest to a trained block: of each convolution, for each input channel, the best
        rank-one split of its taps into a depthwise kernel and a column of the 1x1."""
        for mine, theirs in ((self.conv1, block.conv1), (self.conv2, block.conv2)):
            weight = theirs.weight.flatten(2)  # [out, in, 9]
            for channel in range(weight.shape[1]):
                u, s, v = torch.linalg.svd(weight[:, channel], full_matrices=False)
                scale = s[0].sqrt()
                mine[0].weight[channel, 0] = (v[0] * scale).view(3, 3)
                mine[1].weight[:, channel, 0, 0] = u[:, 0] * scale
            mine[0].bias.zero_()
            mine[1].bias.copy_(theirs.bias)
        return self


def narrow(block, keep):
    """The block with the `keep` inner filters that matter most (norm in times norm out)."""
    importance = block.conv1.weight.flatten(1).norm(dim=1) * block.conv2.weight.transpose(0, 1).flatten(1).norm(dim=1)
    kept = importance.topk(keep).indices.sort().values
    channels = block.conv1.in_channels
    small = Block(channels)
    small.conv1 = nn.Conv2d(channels, keep, 3, padding=1)
    small.conv2 = nn.Conv2d(keep, channels, 3, padding=1)
    with torch.no_grad():
        small.conv1.weight.copy_(block.conv1.weight[kept])
        small.conv1.bias.copy_(block.conv1.bias[kept])
        small.conv2.weight.copy_(block.conv2.weight[:, kept])
        small.conv2.bias.copy_(block.conv2.bias)
    return small


def cascade(data, steps, seed, kappa=2.0):
    """Grown 1, 2, 4 blocks: the net and the multiplications that it took, an input pixel."""
    model, first, cost = DnResNet(16, 1), 0, 0
    for blocks, share in zip((1, 2, 4), SHARES):
        model.grow(blocks)
        count = round(steps * share)
        train(model, "denoise", data, count, seed, kappa, first, decay=blocks == 4)
        first, cost = first + count, cost + count * macs(model, "denoise")
    return model, cost


def experiments(data, steps, seed):
    """Yields `(experiment, variant, function that gives the trained net and its task)`."""
    fresh = lambda: DnResNet(16, 4)
    full = macs(fresh(), "denoise")
    equal = round(sum(share * macs(DnResNet(16, b), "denoise") for b, share in zip((1, 2, 4), SHARES)) / full * steps)
    yield "cascade", "grown 1, 2, 4 blocks", lambda: cascade(data, steps, seed)[0]
    yield "cascade", "from scratch, same steps", lambda: train(fresh(), "denoise", data, steps, seed)
    yield "cascade", f"from scratch, same multiplications ({equal} steps)", lambda: train(fresh(), "denoise", data, equal, seed)
    yield "edges", "with edge weights", lambda: train(fresh(), "denoise", data, steps, seed)
    yield "edges", "without", lambda: train(fresh(), "denoise", data, steps, seed, kappa=0.0)

    def evolved():
        model = train(fresh(), "denoise", data, steps, seed)
        each = steps // 4
        for index in range(4):
            model.blocks[index] = DsBlock(16).take_over(model.blocks[index])
            train(model, "denoise", data, each, seed, first=steps + index * each, rate=5e-4)
        return model

    def ds():
        model = fresh()
        model.blocks = nn.ModuleList(DsBlock(16) for _ in range(4))
        return model

    yield "ds", "converted block by block", evolved
    yield "ds", "from scratch, steps of both", lambda: train(ds(), "denoise", data, 2 * steps, seed)
    yield "ds", "from scratch, steps of the conversion", lambda: train(ds(), "denoise", data, steps, seed)

    wide = {}

    def grown():
        if seed not in wide:
            wide[seed] = train(CtSrcnn(24, 4), "upscale", data, steps, seed)
        return copy.deepcopy(wide[seed])

    def trimmed(at_once):
        model = grown()
        each = steps // 4
        if at_once:
            model.blocks = nn.ModuleList(narrow(b, 12) for b in model.blocks)
            return train(model, "upscale", data, 4 * each, seed, first=steps, rate=5e-4)
        for number, index in enumerate(reversed(range(4))):
            model.blocks[index] = narrow(model.blocks[index], 12)
            train(model, "upscale", data, each, seed, first=steps + number * each, rate=5e-4)
        return model

    def thin():
        model = CtSrcnn(24, 4)
        for index, block in enumerate(model.blocks):
            block.conv1 = nn.Conv2d(24, 12, 3, padding=1)
            block.conv2 = nn.Conv2d(12, 24, 3, padding=1)
            nn.init.zeros_(block.conv2.weight)
            nn.init.zeros_(block.conv2.bias)
        return model

    yield "trim", "wide, before the cut", grown
    yield "trim", "block by block", lambda: trimmed(False)
    yield "trim", "all at once", lambda: trimmed(True)
    yield "trim", "narrow from scratch, all steps", lambda: train(thin(), "upscale", data, 2 * steps, seed)
    aims = [("Charbonnier", "charbonnier", 0.0), ("decibels", "decibels", 0.0)]
    if data.answers is not None:
        aims.append(("decibels, with a teacher", "decibels", 0.8))
    for variant, kind, share in aims:
        yield "aim", variant, lambda kind=kind, share=share: train(
            CtSrcnn(24, 4), "upscale", data, steps, seed, kappa=0.0, kind=kind, share=share)
    for optimiser in ("adamw", "muon"):
        for rate in (1e-3, 3e-3):
            yield "muon", f"{optimiser}, rate {rate:g}", lambda optimiser=optimiser, rate=rate: train(
                DnResNet(32, 4), "denoise", data, steps, seed, kappa=0.0, rate=rate,
                kind="decibels", optimiser=optimiser)


def run(args):
    torch.set_num_threads(args.threads)
    data = Data(args.work)
    log = args.work / "ablations.jsonl"
    done = {(r["experiment"], r["variant"], r["seed"]) for r in map(json.loads, log.read_text().splitlines())} if log.exists() else set()
    for seed in args.seeds:
        for experiment, variant, make in experiments(data, args.steps, seed):
            if (experiment, variant, seed) in done:
                continue
            torch.manual_seed(seed)
            begin = time.time()
            model = make()
            task = "upscale" if experiment in ("trim", "aim") else "denoise"
            row = {"experiment": experiment, "variant": variant, "seed": seed, "steps": args.steps,
                   "macs": round(macs(model, task)), **score(model, task, data), "seconds": round(time.time() - begin)}
            with log.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)


def plot(args):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = [json.loads(line) for line in (args.work / "ablations.jsonl").read_text().splitlines()]
    out = HERE / "report"
    out.mkdir(exist_ok=True)
    (out / "ablations.json").write_text("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")
    print("| experiment | variant | MAC a pixel | PSNR, mean of seeds | each seed | on edges |")
    print("|---|---|--:|--:|---|--:|")
    for experiment in dict.fromkeys(r["experiment"] for r in rows):
        mine = [r for r in rows if r["experiment"] == experiment]
        variants = list(dict.fromkeys(r["variant"] for r in mine))
        figure, axes = pyplot.subplots(figsize=(7, 0.6 + 0.5 * len(variants)))
        for index, variant in enumerate(variants):
            of = sorted((r for r in mine if r["variant"] == variant), key=lambda r: r["seed"])
            values = [r["psnr"] for r in of]
            axes.plot(values, [index] * len(values), "o", alpha=0.7)
            axes.plot([np.mean(values)], [index], "k|", markersize=16)
            print(f"| {experiment} | {variant} | {of[0]['macs']} | {np.mean(values):.3f} | "
                  f"{', '.join(f'{v:.3f}' for v in values)} | {np.mean([r['edge_psnr'] for r in of]):.3f} |")
        axes.set_yticks(range(len(variants)), variants)
        axes.set_ylim(len(variants) - 0.5, -0.5)
        axes.set_xlabel("PSNR on held-out photos, dB; a dot a seed, a line the mean")
        figure.tight_layout()
        figure.savefig(out / f"{experiment}.svg")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "plot"])
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    (run if args.what == "run" else plot)(args)


if __name__ == "__main__":
    main()
