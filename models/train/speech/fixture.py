#!/usr/bin/env python3
"""Makes the fixtures with which Limpid's speech network is compared with PyTorch: a small network
with random weights in half precision, and pieces of what it makes of a made-up sound."""
import pathlib

import numpy as np
import torch
from safetensors.torch import save_file

from speech_net import HOP, SpeechNet

FIXTURES = pathlib.Path(__file__).resolve().parents[3] / "engine/nets/tests/fixtures"
HOPS = 200


def sound():
    """As in engine/nets/src/speech/own/tests.rs."""
    state, out = 1, np.zeros(HOPS * HOP, np.float32)
    for n in range(len(out)):
        state = (state * 1664525 + 1013904223) % (1 << 32)
        out[n] = np.float32(state >> 8) / np.float32(1 << 24) - np.float32(0.5)
        out[n] *= np.float32([0.5, 0.02, 0.2, 0.0, 0.004][n // HOP // 9 % 5])
    return out


def make(looks_ahead, file):
    torch.manual_seed(3)
    sizes = {"channels": 8, "blocks": 2, "token": 16, "heads": 2, "squeezed": 3}
    model = SpeechNet(**sizes, looks_ahead=looks_ahead)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if "norm" not in name and "log_sigma" not in name:
                value.copy_(torch.randn_like(value) * (0.5 if value.dim() > 1 else 0.3))
            value.copy_(value.half().float())
        # Not so large that everything saturates, nor so small that attention is flat.
        for block in model.blocks:
            block.attention.qkv.weight.mul_(2)
        # A hop of silence follows, as the last frame of a whole recording is half full.
        out = model(torch.from_numpy(np.pad(sound(), (0, HOP)))[None])[0]
    metadata = {f"limpid.{k}": str(v) for k, v in sizes.items()}
    metadata |= {"limpid.arch": SpeechNet.arch, "limpid.attention": "gaussian"}
    if looks_ahead:
        metadata["limpid.looks_ahead"] = "true"
    save_file({k: v.half().contiguous() for k, v in model.state_dict().items()},
              FIXTURES / f"{file}.safetensors", metadata=metadata)
    pieces = {str(first): out[first:first + 768].contiguous()
              for first in (0, 5000, 20000, 33000, 40000, 50000)}
    save_file(pieces, FIXTURES / f"{file}-out.safetensors")


if __name__ == "__main__":
    make(False, "gsa-voice-small")
    make(True, "gsa-voice-small-file")
