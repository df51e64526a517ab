"""The speech network: 16 kHz, frames of 32 ms every 16 ms. Two forms: *live* is causal, without any
look-ahead; *file* looks both ways.

Spectrum -> 32 bands of 48 channels -> blocks of {a GRU over time, shared by all bands (*file*: one
forwards and one backwards); a GRU over the bands, both ways; attention over time with
Gaussian-weighted scores on one token a frame} -> a gain and a short filter over time for every bin
-> overlap-add, so that losses are on the waveform.

The Gaussian-weighted attention is T-GSA's (arXiv 1910.06762): A = softmax(|G * (Q K^T / sqrt d)|),
G_ij = exp(-(i - j)^2 / sigma^2). A far frame's score goes to 0, not to minus infinity: it keeps the
weight 1, so the window's far part cannot be left out. Here it ends after `REACH` frames: without an
end, the weights of an hour would drown those that matter.
"""
import math

import torch
from torch import nn
from torch.nn import functional as F

from gru import GRU

RATE = 16000
WINDOW = 512
HOP = 256
BINS = WINDOW // 2  # of WINDOW / 2 + 1: the last one goes with the one before
WIDTHS = [4] * 16 + [8] * 8 + [16] * 8  # bins of a band: to 2, 4 and 8 kHz
BANDS = len(WIDTHS)
TAPS = 3  # frames that the filter of a bin looks at: this one and the two before
REACH = 128  # frames that attention looks back (and, in a file, ahead), this one included
LEVEL_FRAMES = 62.5  # time constant of the running level
EPSILON = 1e-9


class GaussianAttention(nn.Module):
    """Self-attention of each frame over itself and up to REACH - 1 frames before it, in a file
    over as many after it too."""

    def __init__(self, size, heads, is_weighted=True, looks_ahead=False):
        super().__init__()
        self.heads = heads
        self.is_weighted = is_weighted
        self.looks_ahead = looks_ahead
        self.norm = nn.LayerNorm(size)
        self.qkv = nn.Linear(size, 3 * size)
        self.out = nn.Linear(size, size)
        self.log_sigma = nn.Parameter(torch.log(torch.tensor([1.5, 4.0, 10.0, 25.0])[:heads]))

    def forward(self, x):  # [batch, frames, size]
        batch, frames, size = x.shape
        q, k, v = (part.view(batch, frames, self.heads, -1).transpose(1, 2)
                   for part in self.qkv(self.norm(x)).chunk(3, -1))
        distance = torch.arange(frames, device=x.device)
        distance = distance[:, None] - distance[None, :]
        scores = q @ k.transpose(-1, -2) / math.sqrt(size // self.heads)
        if self.is_weighted:
            sigma = self.log_sigma.exp().clamp(0.5, 30.0).view(-1, 1, 1)
            scores = (scores * torch.exp(-(distance.float() / sigma) ** 2)).abs()
        hidden = distance.abs() >= REACH
        if not self.looks_ahead:
            hidden |= distance < 0
        weights = scores.masked_fill(hidden, -math.inf).softmax(-1)
        return x + self.out((weights @ v).transpose(1, 2).reshape(batch, frames, size))


class Block(nn.Module):
    def __init__(self, channels, token, heads, squeezed, attention, looks_ahead=False):
        super().__init__()
        self.time_norm = nn.LayerNorm(channels)
        self.time = GRU(channels, channels)
        self.time_back = None
        if looks_ahead:
            self.time_back = GRU(channels, channels)
            with torch.no_grad():  # it starts as almost nothing, next to weights of the live form
                self.time_back.weight_ih_l0[2 * channels:] *= 0.1
        self.band_norm = nn.LayerNorm(channels)
        self.band = GRU(channels, channels // 2, bidirectional=True)
        self.squeeze = nn.Linear(channels, squeezed)
        self.gather = nn.Linear(BANDS * squeezed, token)
        self.attention = None
        if attention != "none":
            self.attention = GaussianAttention(token, heads, attention == "gaussian", looks_ahead)
        self.ff_norm = nn.LayerNorm(token)
        self.ff_in = nn.Linear(token, 2 * token)
        self.ff_out = nn.Linear(token, token)
        self.scatter = nn.Linear(token, BANDS * squeezed)
        self.expand = nn.Linear(squeezed, channels)

    def forward(self, x):  # [batch, frames, bands, channels]
        batch, frames, bands, channels = x.shape
        y = self.time_norm(x).transpose(1, 2).reshape(batch * bands, frames, channels)
        time = self.time(y)
        if self.time_back is not None:
            time = time + self.time_back(y, is_reversed=True)
        x = x + time.view(batch, bands, frames, channels).transpose(1, 2)
        y = self.band_norm(x).reshape(batch * frames, bands, channels)
        x = x + self.band(y).view(batch, frames, bands, channels)
        token = self.gather(self.squeeze(x).reshape(batch, frames, -1))
        if self.attention is not None:
            token = self.attention(token)
        value, gate = self.ff_in(self.ff_norm(token)).chunk(2, -1)
        token = token + self.ff_out(value * torch.sigmoid(gate))
        return x + self.expand(self.scatter(token).view(batch, frames, bands, -1))


class SpeechNet(nn.Module):
    arch = "gsa-voice"

    def __init__(self, channels=48, blocks=2, token=96, heads=4, squeezed=12, attention="gaussian",
                 looks_ahead=False):
        super().__init__()
        self.looks_ahead = looks_ahead
        self.sizes = {"channels": channels, "blocks": blocks, "token": token, "heads": heads,
                      "squeezed": squeezed}
        groups = sorted(set(WIDTHS))
        self.encode = nn.ParameterList()  # [bands, 3 features of each bin, channels]
        self.decode = nn.ParameterList()  # [bands, channels, (gain, taps as re, im) of each bin]
        self.decode_bias = nn.ParameterList()
        for width in groups:
            count = WIDTHS.count(width)
            self.encode.append(nn.Parameter(torch.randn(count, 3 * width, channels) / math.sqrt(3 * width)))
            outputs = torch.zeros(count, channels, width, 1 + 2 * TAPS)
            outputs[..., 0] = torch.randn(count, channels, width) * 0.5 / math.sqrt(channels)
            self.decode.append(nn.Parameter(outputs.flatten(2)))
            bias = torch.zeros(count, width, 1 + 2 * TAPS)
            bias[..., 0] = 1.0  # a gain of 0.73: near to leaving things as they are
            self.decode_bias.append(nn.Parameter(bias.flatten(1)))
        self.encode_bias = nn.Parameter(torch.zeros(BANDS, channels))
        self.blocks = nn.ModuleList(
            Block(channels, token, heads, squeezed, attention, looks_ahead) for _ in range(blocks))
        self.last_norm = nn.LayerNorm(channels)
        self.last = nn.Linear(channels, channels)
        n = torch.arange(WINDOW, dtype=torch.float64)
        self.register_buffer("window", torch.sin(math.pi * n / WINDOW).float(), persistent=False)

    def spectrum(self, x):
        """[batch, samples] to complex [batch, frames, WINDOW / 2 + 1]. Frame i ends with hop i."""
        frames = F.pad(x, (WINDOW - HOP, 0)).unfold(1, WINDOW, HOP)
        return torch.fft.rfft(frames * self.window)

    def signal(self, spectrum):
        """The inverse: samples that lie in two frames, so one hop fewer than went in."""
        frames = torch.fft.irfft(spectrum, n=WINDOW) * self.window
        return (frames[:, :-1, HOP:] + frames[:, 1:, :HOP]).flatten(1)

    def features(self, spectrum):
        """[batch, frames, BINS, 3]: log power over the running level, and compressed re and im.
        The level makes them the same for a quiet and a loud recording."""
        x = spectrum[..., :BINS]
        power = x.real ** 2 + x.imag ** 2 + EPSILON
        log = torch.log10(power)
        frames = x.shape[1]
        weights = torch.zeros(frames, frames, dtype=torch.float64)
        for i in range(frames):  # the running level as a matrix: no loop over the batch
            new = max(1 / (i + 1), 1 - math.exp(-1 / LEVEL_FRAMES))
            if i:
                weights[i] = weights[i - 1] * (1 - new)
            weights[i, i] += new
        if self.looks_ahead:
            weights = (weights + weights.flip(0, 1)) / 2
        level = torch.einsum("ij,bj->bi", weights.float().to(x.device), log.mean(-1))[..., None]
        scale = 10 ** (-0.15 * level) * power ** -0.35
        return torch.stack([(log - level) * 0.5, x.real * scale, x.imag * scale], -1)

    def forward(self, x):
        """Noisy [batch, samples] to clean, aligned with it; the last HOP samples are missing."""
        spectrum = self.spectrum(x)
        features = self.features(spectrum)
        batch, frames = features.shape[:2]
        parts, first = [], 0
        for weight in self.encode:
            count, size, _ = weight.shape
            bins = count * size // 3
            part = features[:, :, first:first + bins].reshape(batch, frames, count, size)
            parts.append(torch.einsum("btnf,nfc->btnc", part, weight))
            first += bins
        y = torch.cat(parts, 2) + self.encode_bias
        for block in self.blocks:
            y = block(y)
        y = torch.relu(self.last(self.last_norm(y)))
        parts, band = [], 0
        for weight, bias in zip(self.decode, self.decode_bias):
            count = weight.shape[0]
            part = torch.einsum("btnc,nco->btno", y[:, :, band:band + count], weight) + bias
            parts.append(part.reshape(batch, frames, -1, 1 + 2 * TAPS))
            band += count
        out = torch.cat(parts, 2)
        out = torch.cat([out, out[:, :, -1:]], 2)  # the last bin
        gain, taps = torch.sigmoid(out[..., 0]), torch.tanh(out[..., 1:])
        result = gain * spectrum
        for tap in range(TAPS):
            late = F.pad(spectrum, (0, 0, tap, 0))[:, :frames]
            result = result + torch.complex(taps[..., 2 * tap], taps[..., 2 * tap + 1]) * late
        return self.signal(result)
