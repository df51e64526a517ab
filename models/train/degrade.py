"""What happens to a clean patch before the network sees it. Tensors are [N, 3, H, W] in 0..1."""
import io
import math

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

#: Pixels around a patch that `camera` and `compressed` need; they are cut off.
MARGIN = 8


def linear(x):
    return torch.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def gamma(x):
    x = x.clamp(0, 1)
    return torch.where(x <= 0.0031308, x * 12.92, 1.055 * x.clamp_min(1e-6) ** (1 / 2.4) - 0.055)


def eight_bits(x):
    return (x.clamp(0, 1) * 255).round() / 255


def uniform(rng, low, high):
    return float(torch.rand(1, generator=rng)) * (high - low) + low


def chance(rng, share):
    return float(torch.rand(1, generator=rng)) < share


def white(x, rng):
    """Gaussian noise, sigma 0..55 of 255, each picture its own; `([N, 3, H, W], sigma [N])`."""
    sigma = torch.rand(len(x), generator=rng) * 55 / 255
    return x + torch.randn(x.shape, generator=rng) * sigma.view(-1, 1, 1, 1), sigma


def blurred(x, sigma):
    """Gaussian blur of [3, H, W]; the border is mirrored."""
    if sigma <= 0:
        return x
    radius = max(1, math.ceil(2.5 * sigma))
    steps = torch.arange(-radius, radius + 1, dtype=x.dtype)
    kernel = torch.exp(-steps**2 / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    count = len(x)
    x = F.pad(x[None], (radius,) * 4, mode="reflect")
    x = F.conv2d(x, kernel.view(1, 1, 1, -1).expand(count, 1, 1, -1), groups=count)
    return F.conv2d(x, kernel.view(1, 1, -1, 1).expand(count, 1, -1, 1), groups=count)[0]


def demosaicked(noise):
    """Noise of [3, H, W] as a Bayer sensor sees it: one colour a site, the rest by bilinear
    interpolation. Red and blue come out blotchier than green."""
    _, height, width = noise.shape
    sites = torch.zeros_like(noise)
    sites[0, 0::2, 0::2] = noise[0, 0::2, 0::2]
    sites[1, 0::2, 1::2] = noise[1, 0::2, 1::2]
    sites[1, 1::2, 0::2] = noise[1, 1::2, 0::2]
    sites[2, 1::2, 1::2] = noise[2, 1::2, 1::2]
    cross = torch.tensor([[0, 0.25, 0], [0.25, 1, 0.25], [0, 0.25, 0]])
    square = torch.tensor([[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]])
    kernels = torch.stack([square, cross, square])[:, None]
    return F.conv2d(F.pad(sites[None], (1, 1, 1, 1), mode="reflect"), kernels, groups=3)[0]


def stretched(noise, scale, rng):
    """Noise as a picture resized by `scale` carries it: above 1 blotchier, below 1 finer. The
    strength a pixel is kept, so that `scale` says how it looks and nothing else."""
    _, height, width = noise.shape
    grown = F.interpolate(noise[None], scale_factor=scale, mode="bilinear", antialias=scale < 1,
                          align_corners=False)[0]
    if scale < 1:
        # Too small now: tiled with random shifts.
        repeats = (-(-height // grown.shape[1]) + 1, -(-width // grown.shape[2]) + 1)
        grown = grown.repeat(1, *repeats)
    top = int(torch.randint(grown.shape[1] - height + 1, (1,), generator=rng))
    left = int(torch.randint(grown.shape[2] - width + 1, (1,), generator=rng))
    grown = grown[:, top:top + height, left:left + width]
    return grown * (noise.std() / grown.std().clamp_min(1e-8))


def sharpened(x, amount, radius):
    return x + amount * (x - blurred(x, radius))


def camera(x, rng, strength=1.0, sharpens=0.4):
    """One picture through a camera: `(what it delivers, what it would deliver without noise)`,
    both [3, H, W] of the same size.

    Light is taken back to linear and out of the white balance; shot and read noise are added as
    the sensor does, go through the demosaicker, the white balance, the tone curve, sharpening, a
    change of size, and at last through JPEG. Whatever a camera does to a noiseless picture, both
    get: a denoiser must not learn to sharpen. `strength` is a factor on the noise, `sharpens` the
    chance of sharpening."""
    gains = torch.tensor([uniform(rng, 1.2, 2.4), 1.0, uniform(rng, 1.2, 2.2)]).view(3, 1, 1)
    exposure = uniform(rng, 0.35, 1.0) if chance(rng, 0.4) else 1.0
    softness = uniform(rng, 0.3, 0.9) if chance(rng, 0.3) else 0.0
    light = blurred(linear(x), softness) * exposure
    raw = light / gains
    shot = 10 ** uniform(rng, -4.0, -2.0) * strength
    read = 10 ** uniform(rng, -3.4, -1.9) * strength
    noise = torch.randn(x.shape, generator=rng) * (raw * shot + read**2).sqrt()
    if chance(rng, 0.6):
        noise = demosaicked(noise)
    if chance(rng, 0.5):
        noise = stretched(noise, uniform(rng, 0.6, 2.2), rng)
    if chance(rng, 0.25):
        # Phones blur colour themselves: what is left of its noise is broad blotches.
        grey = noise.mean(0, keepdim=True)
        noise = grey + blurred(noise - grey, uniform(rng, 1.0, 2.5)) * uniform(rng, 1.0, 2.5)
    clean, noisy = gamma(light), gamma((raw + noise) * gains)
    if chance(rng, sharpens):
        amount, radius = uniform(rng, 0.2, 1.2), uniform(rng, 0.6, 1.4)
        clean, noisy = (sharpened(v, amount, radius).clamp(0, 1) for v in (clean, noisy))
    noisy = eight_bits(noisy)
    if chance(rng, 0.6):
        noisy = jpeg(noisy, rng, 30, 95)
    return noisy, clean


def jpeg(x, rng, low, high):
    """[3, H, W] through JPEG of a quality in low..=high, colour at full or half resolution."""
    picture = (x.clamp(0, 1) * 255).round().byte().permute(1, 2, 0).numpy()
    buffer = io.BytesIO()
    quality = int(torch.randint(low, high + 1, (1,), generator=rng))
    Image.fromarray(picture).save(buffer, "jpeg", quality=quality,
                                  subsampling=2 if chance(rng, 0.6) else 0)
    return torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1).float() / 255


def shifted(pair, rng):
    """The middle of both with a random offset: blocks of JPEG begin anywhere."""
    top, left = (int(v) for v in torch.randint(0, 2 * MARGIN + 1, (2,), generator=rng))
    size = pair[0].shape[-1] - 2 * MARGIN
    return tuple(v[:, top:top + size, left:left + size] for v in pair)


def noisy(x, rng, taught=None):
    """`(bad, clean)` of patches [N, 3, P, P]; both [N, 3, P - 2 MARGIN, P - 2 MARGIN].
    `taught(bad, clean, sigma)` may say what is to come out of white noise, instead of `clean`.

    Of sixteen: six with white noise, one of them clean or nearly so; eight from a camera, two of
    those with strong noise that was sharpened, which is easily taken for texture; two clean ones
    through JPEG."""
    n = len(x)
    of_white, of_jpeg = (6 * n) // 16, max(1, n // 8)
    cut = x[:of_white, :, MARGIN:-MARGIN, MARGIN:-MARGIN]
    seen, sigma = white(cut, rng)
    seen = eight_bits(seen)
    bad, clean = [seen], [taught(seen, cut, sigma) if taught else cut]
    for index in range(of_white, n):
        picture = x[index]
        if index < n - of_jpeg:
            pair = camera(picture, rng, 2.5, 1.0) if chance(rng, 0.25) else camera(picture, rng)
        else:
            pair = jpeg(picture, rng, 20, 95), picture
        one_bad, one_clean = shifted(pair, rng)
        bad.append(one_bad[None])
        clean.append(one_clean[None])
    return torch.cat(bad), torch.cat(clean)


def reduced(x, scale):
    """Bicubic, anti-aliased: the usual definition of super-resolution. Rounded to 8 bits."""
    return eight_bits(shrunk(x, scale, "bicubic"))


def shrunk(x, scale, mode):
    """[N, 3, H, W] to [N, 3, H / scale, W / scale]; both sides are multiples of `scale`."""
    if mode == "area":
        return F.avg_pool2d(x, scale)
    size = (x.shape[2] // scale, x.shape[3] // scale)
    return F.interpolate(x, size=size, mode=mode, antialias=True, align_corners=False)


def optics(rng, scale):
    """A blur kernel [K, K] of a lens: a Gaussian of any direction, or the disc of a wrong focus.
    Its width is 0 to about half a small pixel more than the reduction itself blurs."""
    radius = 3 * scale
    steps = torch.arange(-radius, radius + 1, dtype=torch.float32)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    if chance(rng, 0.2):
        kernel = (uniform(rng, 0.3, 0.7) * scale + 0.5 - (x**2 + y**2).sqrt()).clamp(0, 1)
    else:
        long = uniform(rng, 0.1, 0.75) * scale
        short = long * (uniform(rng, 0.4, 1.0) if chance(rng, 0.5) else 1.0)
        turn = uniform(rng, 0, math.pi)
        u, v = math.cos(turn) * x + math.sin(turn) * y, math.cos(turn) * y - math.sin(turn) * x
        kernel = torch.exp(-u**2 / (2 * long**2) - v**2 / (2 * short**2))
    return kernel / kernel.sum()


def seen_by_camera(x, scale, covariance):
    """[3, H, W] as a camera of 1 / `scale` the resolution has it, whose pixels blur by a Gaussian of
    `covariance` [xx, xy, yy] in pixels of its own: prepare.py measures them on photos."""
    half = (6 * scale + scale % 2 - 1) / 2  # as even as the scale: pixels lie over their middle
    steps = torch.arange(-half, half + 1) / scale
    y, x_ = torch.meshgrid(steps, steps, indexing="ij")
    xx, xy, yy = (float(v) for v in covariance)
    kernel = torch.exp(-(yy * x_**2 - 2 * xy * x_ * y + xx * y**2) / (2 * (xx * yy - xy**2)))
    kernel = kernel / kernel.sum()
    edge = (len(steps) - scale) // 2
    padded = F.pad(x[None], (edge,) * 4, mode="reflect")
    return F.conv2d(padded, kernel.expand(3, 1, -1, -1), stride=scale, groups=3)[0]


def faithful(x, scale, rng, kernels=None):
    """[N, 3, H, W] reduced, one in eight of them as a camera sees it (`kernels` as in `natural`):
    the usual test, and pictures that no program has reduced."""
    small = reduced(x, scale)
    for index in range(0, len(x) if kernels is not None else 0, 8):
        kernel = kernels[int(torch.randint(len(kernels), (1,), generator=rng))]
        small[index] = eight_bits(seen_by_camera(x[index], scale, kernel))
    return small


def through_optics(x, kernel):
    """[3, H, W] blurred; the border is mirrored."""
    radius = kernel.shape[0] // 2
    padded = F.pad(x[None], (radius,) * 4, mode="reflect")
    return F.conv2d(padded, kernel.expand(3, 1, -1, -1), groups=3)[0]


def natural(x, scale, rng, pool=None, kernels=None):
    """[N, 3, H, W] as a photo found somewhere is: soft, reduced by whatever program, noisy, and
    saved as JPEG. Noise comes from the camera model or, where `pool` [N, 3, P, P] is given (noise
    cut from flat places of photos, 8 bits around 128), from there; where `kernels` [N, 3] are given
    (covariances measured on photos), two in five are not reduced but seen by such a camera."""
    found = []
    for picture in x:
        if kernels is not None and chance(rng, 0.4):
            index = int(torch.randint(len(kernels), (1,), generator=rng))
            small = seen_by_camera(picture, scale, kernels[index]).clamp(0, 1)
        else:
            if chance(rng, 0.8):
                picture = through_optics(picture, optics(rng, scale))
            mode = ("bicubic", "bilinear", "area")[int(torch.randint(3, (1,), generator=rng))]
            small = shrunk(picture[None], scale, mode)[0].clamp(0, 1)
        if chance(rng, 0.7):
            small = grainy(small, rng, pool)
        small = eight_bits(small)
        if chance(rng, 0.7):
            small = jpeg(small, rng, 40, 95)
        found.append(small)
    return torch.stack(found)


def grainy(small, rng, pool):
    if pool is not None and chance(rng, 0.5):
        _, height, width = small.shape
        grain = pool[int(torch.randint(len(pool), (1,), generator=rng))].float() / 255 - 128 / 255
        repeats = (-(-height // grain.shape[1]), -(-width // grain.shape[2]))
        grain = grain.repeat(1, *repeats)[:, :height, :width]
        return small + grain * uniform(rng, 0.5, 2.0)
    shot, read = 10 ** uniform(rng, -4.5, -2.7), 10 ** uniform(rng, -3.4, -2.3)
    light = linear(small)
    noise = torch.randn(small.shape, generator=rng) * (light * shot + read**2).sqrt()
    if chance(rng, 0.5):
        noise = demosaicked(noise)
    return gamma(light + noise)
