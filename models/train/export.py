#!/usr/bin/env python3
"""Writes a trained network as `weights.safetensors` (a byte a weight, half precision for the first
and the last layer) and its `card.toml`.

The figures on the card come from `eval.json` in the same folder, measured through the program by
tests/score/: put them there, then run this again.
"""
import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
#: Folder, title, summary, limits; {scale} is filled in.
MODELS = {
    "denoise": (
        "dn-resnet", "DN-ResNet",
        "Removes noise and JPEG blocks without being told how much there is.",
        ["Trained on a processor for hours, not on a graphics card for days: the best denoisers go further.",
         "White noise of sigma 15 and less: FFDNet, told its level, is level with this or better.",
         "Now and then strong noise that a camera sharpened is taken for texture and stays (one picture of 20 of those above)."]),
    "upscale": (
        "ct-srcnn-x{scale}", "CT-SRCNN ×{scale}",
        "Makes a clean picture {scale} times as wide and high, true to what is in it.",
        ["Trained on clean pictures, reduced by bicubic resampling or soft as a lens leaves them: noise and JPEG blocks are enlarged with the rest.",
         "Invents no detail: fine texture stays soft."]),
    "natural": (
        "ct-srcnn-natural-x{scale}", "CT-SRCNN natural ×{scale}",
        "Makes a photo as it is found, soft, noisy or from JPEG, {scale} times as wide and high.",
        ["A clean, sharp picture comes out softer than from the plain upscaler.",
         "Blur and noise are drawn from a model and measured on the training photos, not on cameras.",
         "Invents no detail: fine texture stays soft."]),
}


def small(tensors, takes_bytes):
    """Tensors as they are stored: half precision, or a byte a weight with a step for each output
    channel where `takes_bytes`."""
    stored = {}
    for key, value in tensors.items():
        if not value.half().isfinite().all():
            raise SystemExit(f"{key} holds values that half precision cannot")
        if takes_bytes(key, value):
            step = (value.flatten(1).abs().amax(1) / 127).clamp_min(1e-8)
            rows = value / step.view(-1, *[1] * (value.dim() - 1))
            stored[key] = rows.round().clamp(-127, 127).to(torch.int8).contiguous()
            stored[f"{key}.step"] = step.float().contiguous()
        else:
            stored[key] = value.half().contiguous()
    return stored


def in_order(path):
    """Sorts a container's header: the library writes it in another order each time."""
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8:end]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    path.write_bytes(len(header).to_bytes(8, "little") + header + data[end:])
    path.chmod(0o644)


def history(work, name):
    """The runs that led to WORK/NAME.final, first one first."""
    runs = []
    while name:
        path = work / f"{name}.log.json"
        if not path.exists():
            break
        run = json.loads(path.read_text())
        runs[:0] = [*run.pop("earlier", []), run]
        name = (run.get("from") or "").removesuffix(".final")
    return runs


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=MODELS)
    parser.add_argument("--scale", type=int, choices=[2, 3, 4], default=2, help="of an upscaler")
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--models", type=pathlib.Path, default=HERE.parent)
    args = parser.parse_args()
    upscales = args.task in ("upscale", "natural")
    run = f"{args.task}-x{args.scale}" if upscales else args.task
    name, title, summary, limits = MODELS[args.task]
    name, title, summary = (text.format(scale=args.scale) for text in (name, title, summary))
    folder = args.models / name
    folder.mkdir(parents=True, exist_ok=True)
    final = torch.load(args.work / f"{run}.final", weights_only=True)
    runs = history(args.work, run)
    parameters = sum(v.numel() for v in final["model"].values())
    # The first and the last layer are small and matter most: in bytes they cost 0.07 dB at sigma 15.
    tensors = small(final["model"], lambda name, value: value.dim() > 1 and name.startswith("blocks"))
    save_file(tensors, folder / "weights.safetensors", metadata={
        "limpid.arch": final["arch"], "limpid.channels": str(final["channels"]),
        "limpid.blocks": str(final["blocks"]), "limpid.scale": str(final["scale"]),
        "limpid.run": json.dumps([{key: run[key] for key in ("steps", "batch", "crop", "minutes")}
                                  for run in runs])})
    in_order(folder / "weights.safetensors")
    evaluation = folder / "eval.json"
    quality = json.loads(evaluation.read_text())["quality"] if evaluation.exists() else []
    task = f"{{ upscale = {{ scale = {args.scale} }} }}" if upscales else '"denoise"'
    steps = ", then ".join(f"{r['steps']} steps of {r['batch']} patches of {r['crop']} pixels "
                           f"({r['minutes']:.0f} minutes)" for r in runs)
    teacher = "FFDNet" if args.task == "denoise" else "SPAN"
    taught = f"; in the last run {teacher} was the teacher" if runs[-1].get("teacher") else ""
    device = "one or two CPU threads" if runs[-1]["device"] == "cpu" else "a graphics card"
    quote = lambda text: json.dumps(text, ensure_ascii=False)
    lines = lambda items: "[\n" + "".join(f"    {quote(item)},\n" for item in items) + "]"
    (folder / "card.toml").write_text(f"""name = {quote(name)}
title = {quote(title)}
task = {task}
summary = {quote(summary)}
source = "Trained by this project: models/train, seed {runs[-1]['seed']}, {steps} on {device}{taught}; photos named in models/train/photos.toml"
license = "MIT OR Apache-2.0"
parameters = {parameters}
quality = {lines(quality)}
limits = {lines(limits)}
""")
    print(f"{folder}: {parameters} parameters")


if __name__ == "__main__":
    main()
