#!/usr/bin/env python3
"""Trains a built-in network by cascade training: blocks are added stage by stage, every stage
starts from the weights of the one before (DN-ResNet section 3.2; CT-SRCNN section 3.1).

Deterministic by seed for a fixed number of steps, resumable, on CPU or CUDA. The loss weighs
each pixel by the edge strength of the clean picture (DN-ResNet's edge-aware loss), on the
logarithm of each patch's mean square error or on a Charbonnier error.
"""
import argparse
import json
import math
import pathlib
import time

import numpy as np
import torch
from torch.nn import functional as F

import degrade
import stored
import teacher
from muon import Muon
from networks import CtSrcnn, DnResNet


def edges(y):
    """Sobel magnitude of the luma, [N, 1, H, W]; about 1 on a full black-white edge."""
    luma = (y * torch.tensor([0.299, 0.587, 0.114], device=y.device).view(1, 3, 1, 1)).sum(1, True)
    kernel = torch.tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]], device=y.device) / 4
    pair = torch.stack([kernel, kernel.T]).unsqueeze(1)
    return F.conv2d(F.pad(luma, (1, 1, 1, 1), mode="replicate"), pair).norm(dim=1, keepdim=True)


def loss_of(out, clean, edge_weight, kind):
    """Charbonnier, or decibels: the log of each patch's mean square error, so that a patch with
    little noise counts as much as one with a lot. Both weigh pixels by the edges they lie on."""
    square, weight = (out - clean) ** 2, 1 + edge_weight * edges(clean)
    if kind == "charbonnier":
        return (weight * (square + 1e-6).sqrt()).mean()
    # The floor is 40 dB: patches almost without damage must not drown the others.
    return ((weight * square).mean((1, 2, 3)) + 1e-4).log().mean()


def aim(clean, taught, share, margin):
    """What is to come out: between the photo and the teacher's answer, but the photo within
    `margin` pixels of the border. The teacher saw no more than the patch and is poor there."""
    if not taught:
        return clean
    inner = (..., slice(margin, -margin), slice(margin, -margin))
    target = clean.clone()
    target[inner] = torch.lerp(clean[inner], taught[0][inner], share)
    return target


#: Channels, blocks at each stage, and the task whose weights the last stage starts from where an
#: earlier run left them in the work folder.
DEFAULTS = {
    "denoise": (48, [2, 5, 10], None),
    "upscale": (32, [2, 5, 10], "upscale-x2"),
    "natural": (32, [2, 5, 10], "upscale-x{scale}"),
}


def optimisers_of(model, kind, rate):
    """AdamW for all, or for what is not a kernel of a block, whose kernels follow Muon then."""
    kernels = {name: value for name, value in model.named_parameters()
               if kind == "muon" and name.startswith("blocks") and value.dim() == 4}
    rest = [value for name, value in model.named_parameters() if name not in kernels]
    found = [torch.optim.AdamW(rest, lr=rate, weight_decay=1e-4)]
    return found + ([Muon(kernels.values(), rate)] if kernels else [])


def augment(x, rng):
    if torch.rand(1, generator=rng) < 0.5:
        x = x.flip(3)
    if torch.rand(1, generator=rng) < 0.5:
        x = x.transpose(2, 3)
    if torch.rand(1, generator=rng) < 0.2:
        x = x[:, torch.randperm(3, generator=rng)]
    return x


def psnr(a, b):
    return float((-10 * ((a.clamp(0, 1) - b) ** 2).mean((1, 2, 3)).log10()).mean())


@torch.no_grad()
def score(task, model, held, device, scale):
    def run(bad):
        return torch.cat([model(x.to(device)).float().cpu() for x in bad.split(8)])

    if task != "denoise":
        side = held.shape[-1] // scale * scale
        held = held[:, :, :side, :side]
        bicubic = degrade.reduced(held, scale)
        soft = degrade.natural(held, scale, torch.Generator().manual_seed(7))
        lens = torch.tensor([0.5, 0.0, 0.4])  # a usual kernel among those measured
        seen = degrade.eight_bits(torch.stack([degrade.seen_by_camera(x, scale, lens) for x in held]))
        cubic = {"size": (side, side), "mode": "bicubic", "align_corners": False}
        return {name: round(value, 3) for name, value in {
            "bicubic in": psnr(F.interpolate(bicubic, **cubic), held),
            "bicubic out": psnr(run(bicubic), held),
            "lens in": psnr(F.interpolate(seen, **cubic), held),
            "lens out": psnr(run(seen), held),
            "natural in": psnr(F.interpolate(soft, **cubic), held),
            "natural out": psnr(run(soft), held)}.items()}
    result = {}
    for sigma in (15, 25, 50):
        rng = torch.Generator().manual_seed(sigma)
        noise = held + torch.randn(held.shape, generator=rng) * sigma / 255
        bad = (noise.clamp(0, 1) * 255).round() / 255
        result[f"sigma {sigma}"] = psnr(run(bad), held)
    rng = torch.Generator().manual_seed(7)
    pairs = [degrade.shifted(degrade.camera(picture, rng), rng) for picture in held]
    bad, clean = (torch.stack(side) for side in zip(*pairs))
    result["camera in"] = psnr(bad, clean)
    result["camera out"] = psnr(run(bad), clean)
    bad = torch.stack([degrade.jpeg(picture, rng, 30, 30) for picture in held])
    result["JPEG 30 in"] = psnr(bad, held)
    result["JPEG 30 out"] = psnr(run(bad), held)
    return {name: round(value, 3) for name, value in result.items()}


@torch.no_grad()
def trim(model, blocks, bad, clean):
    """Takes blocks out until `blocks` are left, each time the one that is missed least."""
    def without(index):
        kept = [block for i, block in enumerate(whole) if i != index]
        model.blocks = torch.nn.ModuleList(kept)
        return psnr(model(bad), clean)

    while len(model.blocks) > blocks:
        whole = list(model.blocks)
        scores = [without(index) for index in range(len(whole))]
        least = max(range(len(whole)), key=scores.__getitem__)
        without(least)
        print(f"without block {least}, which is missed least: {scores[least]:.3f} dB; without the one "
              f"missed most: {min(scores):.3f}", flush=True)


def read(path):
    """What a run left at its end, or what export.py made of it."""
    if path.suffix != ".safetensors":
        return torch.load(path, weights_only=True)
    weights, about = stored.read(path)
    return {"model": weights, "blocks": int(about["blocks"]), "scale": int(about["scale"]),
            "runs": about["run"] or []}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=DEFAULTS,
                        help="natural: an upscaler for photos as they are found")
    parser.add_argument("--scale", type=int, choices=[2, 3, 4], default=2, help="of an upscaler")
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--steps", type=int, default=12000, help="over all stages")
    parser.add_argument("--minutes", type=float, default=1e9, help="finish within this time")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--crop", type=int, default=64)
    parser.add_argument("--channels", type=int)
    parser.add_argument("--stages", type=int, nargs="+",
                        help="blocks at each stage; if the weights of --from have more, those that "
                             "are missed least are left out")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--edges", type=float, default=0.5,
                        help="extra weight of a full black-white edge (REPORT.md: 2 costs 0.1 dB)")
    parser.add_argument("--loss", choices=["charbonnier", "decibels"], default="decibels",
                        help="REPORT.md: decibels are worth 0.14 dB")
    parser.add_argument("--teacher", type=float, default=0, metavar="SHARE",
                        help="of what is aimed at: of an upscaler WORK/teacher-xN.npy (teacher.py), "
                             "of the denoiser FFDNet's answer")
    parser.add_argument("--ffdnet", type=pathlib.Path, help="pack of the denoiser's teacher")
    parser.add_argument("--from", dest="start", type=pathlib.Path, metavar="FILE",
                        help="weights (.final, or a weights.safetensors) that the last stage starts "
                             "from; else those of the smaller or simpler task, where WORK has them")
    parser.add_argument("--optimiser", choices=["muon", "adamw"], default="muon",
                        help="of the blocks' kernels")
    parser.add_argument("--bf16", action="store_true", help="16-bit arithmetic where it is safe")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    answers = args.work / f"teacher-x{args.scale}.npy"
    if args.teacher and args.task == "denoise" and not args.ffdnet:
        parser.error("--teacher of the denoiser needs --ffdnet")
    if args.teacher and args.task != "denoise" and not answers.exists():
        parser.error(f"{answers} is not there: teacher.py makes it")
    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    denoises = args.task == "denoise"
    name = args.task if denoises else f"{args.task}-x{args.scale}"
    channels, stages, earlier = DEFAULTS[args.task]
    channels, stages = args.channels or channels, args.stages or stages
    start = args.start
    if start is None and earlier and earlier.format(scale=args.scale) != name:
        start = args.work / f"{earlier.format(scale=args.scale)}.final"
        start = start if start.exists() else None
    if start:
        stages = stages[-1:]

    def built(blocks):
        return DnResNet(channels, blocks) if denoises else CtSrcnn(channels, blocks, args.scale)

    model, runs = built(stages[0]), []
    if start:
        print(f"starts from {start}", flush=True)
        earlier = read(start)
        runs = earlier.get("runs", [])
        model = built(earlier["blocks"])
        # An upscaler of another scale has a last layer of its own, which starts at zero again.
        kept = {k: v for k, v in earlier["model"].items()
                if earlier["scale"] == getattr(model, "scale", 1) or not k.startswith("tail.")}
        model.load_state_dict(kept, strict=len(kept) == len(earlier["model"]))
    margin = degrade.MARGIN if denoises else 0
    measured = [args.work / "noise.npy", args.work / "kernels.npy"]
    pool, kernels = (torch.from_numpy(np.load(path)) if not denoises and path.exists() else None
                     for path in measured)
    side = args.crop + 2 * margin
    train = np.load(args.work / "train.npy", mmap_mode="r")
    answers = np.load(answers, mmap_mode="r") if args.teacher and not denoises else None
    ffdnet = teacher.Ffdnet(args.ffdnet, args.teacher) if args.teacher and denoises else None
    held = torch.from_numpy(np.load(args.work / "held_out.npy")).float() / 255

    if len(model.blocks) > stages[0]:
        some = torch.from_numpy(train[::len(train) // 64].copy()).float() / 255
        some = some[:, :, :96, :96]
        bad = degrade.white(some, torch.Generator().manual_seed(1))[0] if denoises else (
            degrade.reduced(some, args.scale))
        trim(model, stages[0], bad, some)
    checkpoint = args.work / f"{name}.ckpt"
    state = {"step": 0, "spent": 0.0, "stage": 0, "entered": 0}
    average, optimisers, saved = None, None, None
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        state = saved["state"]
    begin = time.time() - state["spent"]
    done = lambda step: max(step / args.steps, (time.time() - begin) / (60 * args.minutes))
    # Early stages are cheap and short; the full network gets most of the budget.
    share = [0.15, 0.40, 1.0] if len(stages) == 3 else [(i + 1) / len(stages) for i in range(len(stages))]
    step, stage, entered = state["step"], state["stage"], state["entered"]

    def enter(stage):
        model.grow(stages[stage])
        model.to(device).to(memory_format=torch.channels_last)
        return optimisers_of(model, args.optimiser, args.rate), {
            k: v.detach().clone() for k, v in model.state_dict().items()}

    optimisers, average = enter(stage)
    if saved:
        model.load_state_dict(saved["model"])
        for optimiser, kept in zip(optimisers, saved["optimisers"], strict=True):
            optimiser.load_state_dict(kept)
        average = saved["average"]

    running, last_save = None, time.time()
    while (progress := done(step)) < 1:
        while progress >= share[stage]:
            stage += 1
            optimisers, average = enter(stage)
            entered = step
            print(f"step {step}: grown to {stages[stage]} blocks", flush=True)
        low = share[stage - 1] if stage else 0
        within = (progress - low) / (share[stage] - low)
        rate = args.rate * min(1, within * 30 + 0.05) * (0.5 + 0.5 * math.cos(math.pi * within)
                                                       if stage == len(stages) - 1 else 1)
        for group in (group for optimiser in optimisers for group in optimiser.param_groups):
            group["lr"] = max(rate, 1e-6)
        # One generator a step: a resumed run draws what an unbroken one would have drawn.
        rng = torch.Generator().manual_seed(args.seed * 1_000_003 + step)
        index = torch.randint(len(train), (args.batch,), generator=rng)
        y0, x0 = (int(v) for v in torch.randint(0, 128 - side + 1, (2,), generator=rng))
        clean = torch.from_numpy(np.stack([
            photos[i, :, y0:y0 + side, x0:x0 + side]
            for photos in (train, answers) if photos is not None for i in index])).float() / 255
        clean, *taught = augment(clean, rng).split(args.batch)
        if denoises:
            bad, clean = degrade.noisy(clean, rng, ffdnet)
        elif args.task == "natural":
            bad = degrade.natural(clean, args.scale, rng, pool, kernels)
        else:
            bad = degrade.faithful(clean, args.scale, rng, kernels)
        clean = aim(clean, taught, args.teacher, 3 * args.scale)
        clean, bad = clean.to(device), bad.to(device)
        with torch.autocast(device, torch.bfloat16, enabled=args.bf16):
            out = model(bad)
        loss = loss_of(out.float(), clean, args.edges, args.loss)
        model.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        for optimiser in optimisers:
            optimiser.step()
        with torch.no_grad():
            # Over the last eighth of the stage, so that a short one has forgotten where it began.
            decay = min(0.999, 1 - 8 / (step - entered + 10))
            for key, value in model.state_dict().items():
                average[key].lerp_(value, 1 - decay)
        step += 1
        running = loss.item() if running is None else running + 0.01 * (loss.item() - running)
        if step % 250 == 0 or time.time() - last_save > 120:
            last_save = time.time()
            torch.save({"model": model.state_dict(), "average": average,
                        "optimisers": [optimiser.state_dict() for optimiser in optimisers],
                        "state": {"step": step, "stage": stage, "entered": entered,
                                  "spent": time.time() - begin}},
                       checkpoint.with_suffix(".part"))
            checkpoint.with_suffix(".part").rename(checkpoint)
        if step % 250 == 0:
            print(f"step {step} stage {stage} loss {running:.5f} rate {rate:.2e} "
                  f"{(time.time() - begin) / 60:.1f} min", flush=True)
        if step % 2000 == 0:
            print("   ", score(args.task, model, held, device, args.scale), flush=True)
    model.load_state_dict(average)
    result = score(args.task, model, held, device, args.scale)
    print("final", result, flush=True)
    torch.save({"model": {k: v.cpu() for k, v in model.state_dict().items()}, "arch": model.arch,
                "channels": channels, "blocks": stages[-1],
                "scale": getattr(model, "scale", 1)}, args.work / f"{name}.final")
    (args.work / f"{name}.log.json").write_text(json.dumps(
        {"steps": step, "from": start.name if start else None, "earlier": runs,
         "minutes": round((time.time() - begin) / 60, 1), "batch": args.batch,
         "crop": args.crop, "loss": args.loss, "optimiser": args.optimiser, "teacher": args.teacher, "seed": args.seed, "device": device, "held_out": result}, indent=1))


if __name__ == "__main__":
    main()
