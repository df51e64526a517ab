#!/usr/bin/env python3
"""Writes a trained speech network as `weights.safetensors` (a byte a weight of the recurrent and
dense layers, half precision for the bands' own) and its `card.toml`.

The figures on the card come from `eval.json` in the same folder, measured through the program by
tests/score/speech.py: make that, then run this again.
"""
import argparse
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file

from speech_net import SpeechNet

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from export import in_order, small  # noqa: E402

NAMES = {False: "gsa-voice-live", True: "gsa-voice-file"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--name", default="live", help="of the checkpoint in DATA")
    parser.add_argument("--models", type=pathlib.Path, default=HERE.parents[1])
    args = parser.parse_args()
    saved = torch.load(args.data / f"{args.name}.ckpt", weights_only=True, map_location="cpu")
    run = saved["run"]
    looks_ahead = run.get("looks_ahead", False)
    name = NAMES[looks_ahead]
    folder = args.models / name
    folder.mkdir(parents=True, exist_ok=True)
    # A band's own weights [bands, in, out] would share one step over all of its inputs and outputs.
    tensors = small(saved["average"], lambda _, value: value.dim() == 2)
    metadata = {f"limpid.{k}": str(v) for k, v in saved["sizes"].items()}
    metadata |= {"limpid.arch": SpeechNet.arch, "limpid.attention": saved["attention"]}
    if looks_ahead:
        metadata["limpid.looks_ahead"] = "true"
    before = run["before"]
    metadata["limpid.run"] = json.dumps({"steps": before["steps"] + saved["step"],
                                         "spent": round(before["spent"] + saved["spent"])})
    save_file(tensors, folder / "weights.safetensors", metadata=metadata)
    in_order(folder / "weights.safetensors")
    parameters = sum(v.numel() for v in saved["average"].values())
    evaluation = folder / "eval.json"
    quality = json.loads(evaluation.read_text())["quality"] if evaluation.exists() else []
    where = "one CPU thread" if run["device"] == "cpu" else "a GPU"
    first = ""
    if before["steps"]:
        form = ", the first of them of the live form" if looks_ahead else ""
        first = f" after {before['steps']} steps and {before['spent'] / 60:.0f} minutes{form}"
    source = (f"Trained by this project: models/train/speech, seed {run['seed']}, {saved['step']} steps of "
              f"{run['batch']} mixtures of {run['seconds']:g} seconds, {saved['spent'] / 60:.0f} minutes on "
              f"{where}{first}; voices and noises named in models/train/speech/speech.toml")
    quote = lambda text: json.dumps(text, ensure_ascii=False)
    lines = lambda items: "[\n" + "".join(f"    {quote(item)},\n" for item in items) + "]"
    hours = (saved["spent"] + before["spent"]) / 3600
    limits = [
        f"Trained for {hours:.1f} hours on one processor core, with four hours of noises; on "
        "VoiceBank–DEMAND, DeepFilterNet3 is above it by PESQ and STOI.",
        "16 kHz: what lies above 8 kHz is not in its output.",
        "Needs to hear what comes: for recordings only." if looks_ahead else
        "Sees nothing of what comes later; 32 ms of latency.",
        "Takes a little of a room's echo with the noise; for halls there is echo removal, apart from it.",
    ]
    title = "GSA Voice, file" if looks_ahead else "GSA Voice, live"
    summary = ("Takes noise out of a recorded voice, with an eye on what comes next." if looks_ahead else
               "Takes noise out of a voice while it arrives.")
    (folder / "card.toml").write_text(f"""name = {quote(name)}
title = {quote(title)}
task = "speech"
summary = {quote(summary)}
source = {quote(source)}
license = "MIT OR Apache-2.0"
parameters = {parameters}
quality = {lines(quality)}
limits = {lines(limits)}
""")
    print(f"{folder}: {parameters} parameters, step {saved['step']}")


if __name__ == "__main__":
    main()
