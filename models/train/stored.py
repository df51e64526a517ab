"""Reads a `weights.safetensors` of this project back into what a training goes on from, so that a
clone of the repository is enough to make its networks better."""
import json

import torch
from safetensors import safe_open


def read(path):
    """Float32 tensors by name, and the metadata without its prefix; `run`, which `export.py` and
    `export_speech.py` write, tells of the training (nothing in older files). What was stored in
    bytes comes back within half a step."""
    tensors = {}
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        for key in file.keys():
            if key.endswith(".step"):
                continue
            value = file.get_tensor(key)
            tensors[key] = value.float()
            if value.dtype == torch.int8:
                step = file.get_tensor(f"{key}.step")
                tensors[key] *= step.view(-1, *[1] * (value.dim() - 1))
    metadata = {key.removeprefix("limpid."): value for key, value in metadata.items()}
    metadata["run"] = json.loads(metadata.get("run", "null"))
    return tensors, metadata
