"""Losses on the waveform (arXiv 1901.09146 and its sequel): SDR, a differentiable core of PESQ
(ITU-T P.862 without time alignment), STOI; and a compressed spectral error to start with.

Each takes an estimate and a target, [batch, samples] at 16 kHz, and gives one value a clip, the
smaller the better.
"""
import torch
from torch.nn import functional as F

# Bins of 31.25 Hz in each of the 49 bands of P.862 at 16 kHz.
PESQ_BINS = [1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3,
             4, 3, 4, 5, 4, 5, 6, 6, 7, 8, 9, 9, 12, 12, 15, 16, 18, 21, 25, 20]
STOI_WINDOW, STOI_HOP, STOI_FFT = 410, 205, 820  # 25.6 ms at 16 kHz; bins as 512 at 10 kHz
STOI_FRAMES = 30


def frames_power(x, window, hop, size):
    frames = x.unfold(1, window, hop) * torch.hann_window(window, device=x.device)
    spectrum = torch.fft.rfft(frames, n=size)
    return spectrum.real ** 2 + spectrum.imag ** 2, spectrum


def spectral(estimate, target):
    """Error of magnitudes and of complex values, both to the power 0.3 (Braun and Tashev 2020)."""
    scale = target.pow(2).mean(1, keepdim=True).clamp_min(1e-8).rsqrt() * 0.1
    results = []
    for x in (estimate * scale, target * scale):
        power, spectrum = frames_power(x, 512, 256, 512)
        power = power + 1e-5
        results.append((power ** 0.15, torch.view_as_real(spectrum) * (power ** -0.35)[..., None]))
    (mag, part), (mag_t, part_t) = results
    return ((mag - mag_t) ** 2).mean((1, 2)) + 0.3 * ((part - part_t) ** 2).sum(-1).mean((1, 2))


def sdr(estimate, target):
    """-10 log10(|a s|^2 / |s - e|^2), a = <e, s> / |s|^2; levels off near 35 dB. The papers take
    the error from a s: then nothing holds the level, and it sank by 4 dB here. This is the
    scale-dependent form (Le Roux et al. 2019)."""
    energy = target.pow(2).sum(1, keepdim=True).clamp_min(1e-6)
    scaled = (estimate * target).sum(1, keepdim=True) / energy * target
    signal = scaled.pow(2).sum(1) + 1e-4 * energy[:, 0]
    error = (target - estimate).pow(2).sum(1) + 3e-4 * signal
    return -10 * torch.log10(signal / error)


def bark(hz):
    return 7 * torch.asinh(hz / 650)


class Pesq:
    """4.5 minus the PESQ-like score."""

    def __init__(self, device="cpu"):
        edges = torch.tensor([0, *torch.tensor(PESQ_BINS).cumsum(0).tolist()], dtype=torch.float32)
        edges_hz = edges * 31.25
        self.matrix = torch.zeros(257, len(PESQ_BINS))
        for band in range(len(PESQ_BINS)):
            self.matrix[int(edges[band]):int(edges[band + 1]), band] = 1
        centre = (edges_hz[1:] + edges_hz[:-1]) / 2
        self.width = bark(edges_hz[1:]) - bark(edges_hz[:-1])
        khz = centre.clamp_min(60) / 1000
        threshold_db = (3.64 * khz ** -0.8 - 6.5 * torch.exp(-0.6 * (khz - 3.3) ** 2)
                        + 1e-3 * khz ** 4)  # Terhardt 1979
        self.threshold = 10 ** (threshold_db.clamp(max=55) / 10)
        low = (6 / (bark(centre) + 2)).clamp(1, 2) ** 0.15
        self.power = 0.23 * low
        for name in ("matrix", "width", "threshold", "power"):
            setattr(self, name, getattr(self, name).to(device))

    def bands(self, x):
        power, _ = frames_power(x, 512, 256, 512)
        bands = power @ self.matrix
        # The level P.862 listens at: about 65 dB over the file.
        mean = bands[..., 3:40].sum(-1).mean(1).clamp_min(1e-7)
        return bands * (3.4e6 / mean)[:, None, None]

    def loudness(self, power):
        ratio = 0.5 + 0.5 * power / self.threshold
        return (0.1866 * (self.threshold / 0.5) ** self.power
                * (ratio.clamp_min(1.0) ** self.power - 1))

    def __call__(self, estimate, target):
        deg, ref = self.bands(estimate), self.bands(target)
        # Linear filtering is forgiven in part: the reference takes on the estimate's mean spectrum.
        active = (ref.sum(-1, keepdim=True) > 1e5).float()
        count = active.sum(1, keepdim=True).clamp_min(1)
        mean_ref, mean_deg = ((x * active).sum(1, keepdim=True) / count for x in (ref, deg))
        ref = ref * ((mean_deg + 1000) / (mean_ref + 1000)).clamp(0.01, 100)
        # So is a slow change of gain. The smoothed ratio is not differentiated through.
        audible_ref, audible_deg = (torch.where(x > self.threshold, x, 0.0).sum(-1) for x in (ref, deg))
        ratio = ((audible_ref + 5e3) / (audible_deg + 5e3)).clamp(3e-4, 5).detach()
        smooth, last = [], torch.ones_like(ratio[:, 0])
        for value in ratio.unbind(1):
            last = 0.2 * last + 0.8 * value
            smooth.append(last)
        deg = deg * torch.stack(smooth, 1)[..., None]
        loud_ref, loud_deg = self.loudness(ref), self.loudness(deg)
        difference = loud_deg - loud_ref
        dead = 0.25 * torch.minimum(loud_deg, loud_ref)
        # Zero below 3 and at most 12, with a ramp where P.862 has a step.
        asymmetry = ((deg + 50) / (ref + 50)) ** 1.2
        asymmetry = asymmetry.clamp(max=12) * ((asymmetry - 2.5).clamp(0, 1))
        excess = F.relu(difference.abs() - dead)
        width = self.width
        symmetric = ((excess * width) ** 2).sum(-1).add(1e-4).sqrt()
        lopsided = (excess * asymmetry * width).sum(-1)
        weight = ((ref.sum(-1) + 1e5) / 1e7) ** 0.04
        total = 0
        for frame, factor in ((symmetric, 0.1), (lopsided, 0.0309)):
            frame = 45 * torch.tanh(frame / weight / 45)
            # A power mean of 6 over 20 frames, then of 2 over the clip.
            groups = frame.unfold(1, min(20, frame.shape[1]), 10)
            groups = (groups ** 6).mean(-1).add(1e-6) ** (1 / 6)
            total = total + factor * groups.pow(2).mean(1).add(1e-6).sqrt()
        return total


class Stoi:
    """Minus short-time objective intelligibility (Taal et al. 2011)."""

    def __init__(self, device="cpu"):
        bin_hz = 16000 / STOI_FFT
        self.matrix = torch.zeros(STOI_FFT // 2 + 1, 15)
        for band in range(15):
            centre = 150 * 2 ** (band / 3)
            low, high = (round(centre * 2 ** (half / 6) / bin_hz) for half in (-1, 1))
            self.matrix[low:high, band] = 1
        self.matrix = self.matrix.to(device)

    def bands(self, x):
        power, _ = frames_power(x, STOI_WINDOW, STOI_HOP, STOI_FFT)
        return (power @ self.matrix + 1e-9).sqrt(), power.sum(-1)

    def __call__(self, estimate, target):
        scale = target.pow(2).mean(1, keepdim=True).clamp_min(1e-8).rsqrt()
        (est, _), (ref, energy) = self.bands(estimate * scale), self.bands(target * scale)
        # Segments [batch, segments, bands, frames], every fifth of them: neighbours tell the same.
        est, ref = (x.unfold(1, STOI_FRAMES, 5) for x in (est, ref))
        norm = lambda x: x.pow(2).sum(-1, keepdim=True).add(1e-8).sqrt()
        est = est * norm(ref) / norm(est)
        est = torch.minimum(est, ref * (1 + 10 ** (15 / 20)))
        est, ref = (x - x.mean(-1, keepdim=True) for x in (est, ref))
        correlation = ((est * ref).sum(-1) / (norm(est) * norm(ref))[..., 0]).mean(-1)
        # Silent stretches do not count.
        loud = energy.amax(1, keepdim=True) * 1e-3
        weight = (energy > loud).float().unfold(1, STOI_FRAMES, 5).mean(-1) ** 2 + 1e-4
        return -(correlation * weight).sum(1) / weight.sum(1)


def calibrated(losses, estimate, target):
    """Weights with which each loss pulls at the estimate as hard as the first one does."""
    norms = []
    for loss in losses:
        leaf = estimate.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(loss(leaf, target).mean(), leaf)
        norms.append(gradient.norm().item())
    return [norms[0] / max(norm, 1e-12) for norm in norms]
