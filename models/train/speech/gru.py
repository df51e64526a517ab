#!/usr/bin/env python3
"""A GRU as torch's, three times as fast in training on a CPU with a C++ compiler at hand. Run as a
program, it compares itself with torch's, gradients and all.
"""
import ctypes
import functools
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import torch
from torch import nn

SOURCE = pathlib.Path(__file__).with_name("gru.cpp")
FLAGS = ["-O3", "-march=native", "-ffast-math", "-std=c++17", "-shared", "-fPIC"]
#: glibc's mallopt: the largest block that malloc keeps for the next step instead of giving it back to
#: the system, which would clear it anew; how much free memory it keeps; how much it asks for at once.
MALLOC = {-3: 32 << 20, -1: (1 << 31) - 1, -2: 256 << 20}


@functools.cache
def library():
    """The compiled gru.cpp, or None: then torch's own GRU does the work."""
    compiler = os.environ.get("CXX") or shutil.which("g++") or shutil.which("clang++")
    if not compiler:
        return None
    folder = pathlib.Path(tempfile.mkdtemp(prefix="limpid-gru-"))
    try:
        built = subprocess.run([compiler, *FLAGS, SOURCE, "-o", folder / "gru.so"],
                               capture_output=True, text=True)
        if built.returncode:
            print(f"{compiler} cannot build {SOURCE.name}; training is slower: "
                  f"{built.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
            return None
        if sys.platform == "linux" and hasattr(ctypes.CDLL(None), "mallopt"):
            for name, value in MALLOC.items():
                ctypes.CDLL(None).mallopt(name, value)
        return ctypes.CDLL(str(folder / "gru.so"))  # stays loaded when its file is gone
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def addresses(*tensors):
    return [ctypes.c_void_p(t.data_ptr()) for t in tensors]


class Run(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight_in, weight_state, bias_in, bias_state, is_reversed):
        x = x.contiguous()
        count, steps, inputs = x.shape
        size = weight_state.shape[1]
        out = x.new_empty(count, steps, size)
        kept = x.new_empty(count, steps, 4, size)
        ctx.sizes = ctypes.c_long(count), steps, inputs, size, int(is_reversed)
        library().gru_forward(*addresses(x, weight_in, weight_state, bias_in, bias_state, out, kept), *ctx.sizes)
        ctx.save_for_backward(x, weight_in, weight_state, out, kept)
        return out

    @staticmethod
    def backward(ctx, grad):
        x, weight_in, weight_state, out, kept = ctx.saved_tensors
        grad = grad.contiguous()
        grads = [torch.empty_like(x), torch.empty_like(weight_in), torch.empty_like(weight_state),
                 weight_in.new_empty(len(weight_in)), weight_in.new_empty(len(weight_in))]
        library().gru_backward(*addresses(x, weight_in, weight_state, out, kept, grad, *grads),
                               *ctx.sizes)
        return *grads, None


class GRU(nn.GRU):
    """One layer, batch first, from a state of zeros; gives the output alone."""

    def __init__(self, inputs, size, bidirectional=False):
        super().__init__(inputs, size, batch_first=True, bidirectional=bidirectional)

    def forward(self, x, is_reversed=False):
        if x.device.type != "cpu" or x.dtype != torch.float32 or library() is None:
            x = x.flip(1) if is_reversed else x
            out = super().forward(x)[0]
            return out.flip(1) if is_reversed else out
        weights = self._flat_weights
        out = Run.apply(x, *weights[:4], is_reversed)
        if self.bidirectional:
            out = torch.cat([out, Run.apply(x, *weights[4:], not is_reversed)], -1)
        return out


def compared(count, steps, inputs, size, is_reversed, bidirectional):
    """The largest difference from torch's results and gradients, relative to the largest of each;
    seconds of both."""
    gru = GRU(inputs, size, bidirectional)
    x = torch.randn(count, steps, inputs, requires_grad=True)
    pull = torch.randn(count, steps, size * (1 + bidirectional))

    def theirs():
        out = nn.GRU.forward(gru, x.flip(1) if is_reversed else x)[0]
        return out.flip(1) if is_reversed else out

    results, seconds = [], []
    for run in (theirs, lambda: gru(x, is_reversed)):
        times = []
        for _ in range(5):
            started = time.perf_counter()
            out = run()
            gradients = torch.autograd.grad((out * pull).sum(), [x, *gru.parameters()])
            times.append(time.perf_counter() - started)
        results.append([out.detach(), *gradients])
        seconds.append(min(times))
    return max(float((a - b).abs().max() / a.abs().max()) for a, b in zip(*results)), seconds


def main():
    if library() is None:
        raise SystemExit("no C++ compiler: torch's own GRU is used")
    torch.manual_seed(1)
    torch.set_num_threads(1)
    for sizes in [(256, 125, 48, 48, False, False), (256, 125, 48, 48, True, False),
                  (1000, 32, 48, 24, False, True), (37, 20, 40, 21, True, False), (1, 1, 3, 5, False, True)]:
        difference, (theirs, ours) = compared(*sizes)
        print(f"{sizes}: differs by {difference:.1e} of the largest value; "
              f"torch {1e3 * theirs:.1f} ms, ours {1e3 * ours:.1f} ms")
        if difference > 1e-4:
            raise SystemExit("differs from torch's GRU")


if __name__ == "__main__":
    main()
