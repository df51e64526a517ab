#!/usr/bin/env python3
"""Writes a trained network as `weights.safetensors` (half precision) and its `card.toml`.

The figures on the card come from `eval.json` in the same folder, measured through the program by
tests/score/: put them there, then run this again.
"""
import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).resolve().parent
NAMES = {
    "denoise": ("dn-resnet", "DN-ResNet", "Removes noise without being told how much there is."),
    "upscale": ("ct-srcnn-x2", "CT-SRCNN ×2", "Makes a picture twice as wide and high."),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("task", choices=NAMES)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--models", type=pathlib.Path, default=HERE.parent)
    args = parser.parse_args()
    name, title, summary = NAMES[args.task]
    folder = args.models / name
    folder.mkdir(parents=True, exist_ok=True)
    final = torch.load(args.work / f"{args.task}.final", weights_only=True)
    log = json.loads((args.work / f"{args.task}.log.json").read_text())
    tensors = {k: v.half().contiguous() for k, v in final["model"].items()}
    parameters = sum(v.numel() for v in tensors.values())
    save_file(tensors, folder / "weights.safetensors", metadata={
        "limpid.arch": final["arch"], "limpid.channels": str(final["channels"]),
        "limpid.blocks": str(final["blocks"]), "limpid.scale": str(final["scale"])})
    (folder / "weights.safetensors").chmod(0o644)
    evaluation = folder / "eval.json"
    quality = json.loads(evaluation.read_text())["quality"] if evaluation.exists() else []
    limits = {
        "denoise": ["Trained for a little over an hour on one processor core: a first model, below the best denoisers.",
                    "Heavy blotchy noise of small phone sensors is only partly removed.",
                    "White noise that went through strong JPEG compression was not in the training and is hardly removed."],
        "upscale": ["Trained on clean pictures reduced by bicubic resampling: noise and JPEG blocks are enlarged with the rest, so denoise first.",
                    "Invents no detail: fine texture stays soft."],
    }[args.task]
    task = '"denoise"' if args.task == "denoise" else "{ upscale = { scale = 2 } }"
    quote = lambda text: json.dumps(text, ensure_ascii=False)
    lines = lambda items: "[\n" + "".join(f"    {quote(item)},\n" for item in items) + "]"
    (folder / "card.toml").write_text(f"""name = {quote(name)}
title = {quote(title)}
task = {task}
summary = {quote(summary)}
source = "Trained by this project: models/train, seed {log['seed']}, {log['steps']} steps of {log['batch']} patches of {log['crop']} pixels, {log['minutes']:.0f} minutes on one CPU thread; photos named in models/train/photos.toml"
license = "MIT OR Apache-2.0"
parameters = {parameters}
quality = {lines(quality)}
limits = {lines(limits)}
""")
    print(f"{folder}: {parameters} parameters")


if __name__ == "__main__":
    main()
