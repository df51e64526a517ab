"""What happens to a clean patch before the network sees it. Tensors are [N, 3, H, W] in 0..1."""
import io

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F


def linear(x):
    return torch.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def gamma(x):
    x = x.clamp(0, 1)
    return torch.where(x <= 0.0031308, x * 12.92, 1.055 * x.clamp_min(1e-6) ** (1 / 2.4) - 0.055)


def uniform(rng, n, low, high):
    return torch.rand(n, 1, 1, 1, generator=rng) * (high - low) + low


def white(x, rng):
    """Gaussian noise, sigma 0..55 of 255."""
    return x + torch.randn(x.shape, generator=rng) * uniform(rng, len(x), 0, 55 / 255)


def camera(x, rng):
    """Poisson-Gaussian noise in linear light behind a white balance and a gamma curve; half of
    the pictures get it spatially correlated, as demosaicking and scaling leave it."""
    n = len(x)
    gains = 1 + (torch.rand(n, 3, 1, 1, generator=rng) - 0.2).clamp_min(0) * torch.tensor(
        [1.0, 0.0, 0.9]).view(1, 3, 1, 1)
    light = linear(x)
    shot = 10 ** uniform(rng, n, -4.0, -1.9)
    read = 10 ** uniform(rng, n, -3.2, -1.6)
    noise = torch.randn(x.shape, generator=rng) * (light * shot * gains + (read * gains) ** 2).sqrt()
    wide = F.avg_pool2d(F.pad(noise, (1, 1, 1, 1), mode="reflect"), 3, stride=1) * 2.0
    mix = uniform(rng, n, 0, 0.8) * (torch.rand(n, 1, 1, 1, generator=rng) < 0.5)
    return gamma(light + (1 - mix) * noise + mix * wide)


def jpeg(x, rng):
    out = []
    for picture in (x.clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy():
        buffer = io.BytesIO()
        quality = int(torch.randint(50, 97, (1,), generator=rng))
        Image.fromarray(picture).save(buffer, "jpeg", quality=quality)
        out.append(np.asarray(Image.open(buffer)))
    return torch.from_numpy(np.stack(out)).permute(0, 3, 1, 2).float() / 255


def noisy(x, rng):
    """Half white, half camera noise, a quarter of the latter through JPEG; rounded to 8 bits."""
    half, part = len(x) // 2, len(x) // 8
    y = torch.cat([white(x[:half], rng), camera(x[half:], rng)])
    y[len(x) - part:] = jpeg(y[len(x) - part:], rng)
    return (y.clamp(0, 1) * 255).round() / 255


def halved(x):
    """Bicubic, anti-aliased: the usual definition of x2 super-resolution. Rounded to 8 bits."""
    small = F.interpolate(x, scale_factor=0.5, mode="bicubic", antialias=True)
    return (small.clamp(0, 1) * 255).round() / 255
