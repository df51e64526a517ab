#!/usr/bin/env python3
"""Renders assets/sample.jpg: a still life as a small camera would see it in poor light.

Everything in the picture is computed here, so it may be committed and given away under the
project's own licence. A small ray tracer draws the scene in linear light; a sensor model adds
photon (Poisson) and read (Gaussian) noise, with the white balance's gains; the result is stored as
sRGB JPEG with EXIF and an ICC profile.

    python3 assets/sample.py assets/sample.jpg [--clean clean.png] [--samples 16]

Needs numpy and Pillow.
"""

import argparse

import numpy as np
from PIL import Image, ImageCms, ImageDraw, ImageFont

WIDTH, HEIGHT = 1440, 1080
LIGHT = np.array([-3.2, 4.6, 2.6], np.float32)  # centre of a window, up left in front
LIGHT_U = np.array([0.7, 0.0, 0.9], np.float32)
LIGHT_V = np.array([0.0, 0.9, 0.0], np.float32)
LIGHT_COLOUR = np.array([1.0, 0.93, 0.80], np.float32) * 1.05
SKY = np.array([0.62, 0.72, 0.92], np.float32) * 0.42


def dot(a, b):
    return np.einsum("...i,...i->...", a, b)


def unit(v):
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)


def linear(rgb):
    """sRGB bytes to linear light."""
    c = np.asarray(rgb, np.float32) / 255.0
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4).astype(np.float32)


def srgb(c):
    """Linear light 0..1 to sRGB 0..1."""
    c = np.clip(c, 0.0, 1.0)
    return np.where(c <= 0.0031308, c * 12.92, 1.055 * c ** (1 / 2.4) - 0.055)


class Noise:
    """Smooth random texture: octaves of interpolated lattice values, period 256."""

    def __init__(self, seed):
        self.lattice = np.random.default_rng(seed).random((256, 256), np.float32)

    def one(self, x, y):
        xf, yf = np.floor(x), np.floor(y)
        tx, ty = x - xf, y - yf
        tx, ty = tx * tx * (3 - 2 * tx), ty * ty * (3 - 2 * ty)
        x0, y0 = xf.astype(np.int32) & 255, yf.astype(np.int32) & 255
        x1, y1 = (x0 + 1) & 255, (y0 + 1) & 255
        top = self.lattice[y0, x0] * (1 - tx) + self.lattice[y0, x1] * tx
        low = self.lattice[y1, x0] * (1 - tx) + self.lattice[y1, x1] * tx
        return top * (1 - ty) + low * ty

    def __call__(self, x, y, octaves=4):
        total, weight, share = 0.0, 0.0, 1.0
        for octave in range(octaves):
            total = total + share * self.one(x * 2**octave + 17.3 * octave, y * 2**octave + 5.1 * octave)
            weight += share
            share *= 0.5
        return total / weight


NOISE = Noise(7)


def sample_texture(texture, u, v):
    """Bilinear look-up; (0, 0) is the top left corner of the texture."""
    h, w = texture.shape[:2]
    x = np.clip(u * w - 0.5, 0, w - 1.001)
    y = np.clip(v * h - 0.5, 0, h - 1.001)
    x0, y0 = x.astype(np.int32), y.astype(np.int32)
    tx, ty = (x - x0)[..., None], (y - y0)[..., None]
    x1, y1 = np.minimum(x0 + 1, w - 1), np.minimum(y0 + 1, h - 1)
    return (texture[y0, x0] * (1 - tx) + texture[y0, x1] * tx) * (1 - ty) + (
        texture[y1, x0] * (1 - tx) + texture[y1, x1] * tx
    ) * ty


def font(size):
    return ImageFont.load_default(size)


def poster():
    image = Image.new("RGB", (1100, 760), (233, 226, 208))
    draw = ImageDraw.Draw(image)
    draw.rectangle((24, 24, 1075, 735), outline=(52, 60, 70), width=5)
    draw.text((60, 50), "The harbour", font=font(118), fill=(36, 66, 96))
    draw.text((64, 184), "Museum of the northern coast, open daily from ten to six", font=font(34), fill=(90, 70, 60))
    for band in range(150):  # dusk over the sea
        t = band / 149
        colour = tuple(int(a + (b - a) * t) for a, b in zip((86, 112, 160), (242, 176, 116)))
        draw.rectangle((60, 244 + band, 700, 245 + band), fill=colour)
    draw.rectangle((60, 394, 700, 560), fill=(44, 74, 104))
    draw.ellipse((330, 330, 420, 420), fill=(255, 224, 150))
    draw.rectangle((60, 396, 700, 560), fill=(44, 74, 104))
    for wave in range(12):
        y = 404 + wave * 13
        for x in range(64 + wave * 7 % 30, 690, 34):
            draw.arc((x, y, x + 26, y + 8), 190, 350, fill=(104, 136, 162), width=2)
    draw.polygon([(170, 400), (300, 400), (282, 432), (188, 432)], fill=(122, 44, 38))
    draw.polygon([(236, 396), (236, 280), (292, 390)], fill=(244, 240, 228))
    draw.line((234, 276, 234, 400), fill=(60, 44, 36), width=4)
    for number in range(36):  # a star of fine wedges, where blur and ringing show
        a, b = np.pi * 2 * number / 36, np.pi * 2 * (number + 0.5) / 36
        centre = np.array([880, 400])
        draw.polygon(
            [tuple(centre), tuple(centre + 140 * np.array([np.cos(a), np.sin(a)])), tuple(centre + 140 * np.array([np.cos(b), np.sin(b)]))],
            fill=(40, 44, 50),
        )
    lines = [
        "Small boats left before sunrise and were back by noon with herring,",
        "mackerel and news. Nets were mended on the quay, ropes were tarred,",
        "and whoever had no boat had a story. Read it slowly: letters this small",
        "are the first thing that noise takes and the last that it gives back.",
    ]
    for row, line in enumerate(lines):
        draw.text((60, 584 + row * 34), line, font=font(29), fill=(60, 58, 60))
    return linear(image)


def mug_print():
    image = Image.new("RGB", (900, 420), (238, 236, 230))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 18, 900, 58), fill=(34, 94, 120))
    draw.rectangle((0, 66, 900, 74), fill=(34, 94, 120))
    draw.rectangle((0, 372, 900, 402), fill=(34, 94, 120))
    for x in range(0, 900, 450):
        draw.text((x + 66, 130), "limpid", font=font(120), fill=(28, 72, 98))
        draw.text((x + 72, 270), "clear as water", font=font(46), fill=(150, 72, 52))
    return linear(image)


def colour_chart():
    patches = [
        (115, 82, 68), (194, 150, 130), (98, 122, 157), (87, 108, 67), (133, 128, 177), (103, 189, 170),
        (214, 126, 44), (80, 91, 166), (193, 90, 99), (94, 60, 108), (157, 188, 64), (224, 163, 46),
        (56, 61, 150), (70, 148, 73), (175, 54, 60), (231, 199, 31), (187, 86, 149), (8, 133, 161),
        (243, 243, 242), (200, 200, 200), (160, 160, 160), (122, 122, 121), (85, 85, 85), (52, 52, 52),
    ]  # fmt: skip
    image = Image.new("RGB", (660, 460), (22, 22, 24))
    draw = ImageDraw.Draw(image)
    for index, colour in enumerate(patches):
        x, y = 26 + index % 6 * 103, 24 + index // 6 * 106
        draw.rectangle((x, y, x + 90, y + 92), fill=colour)
    return linear(image)


def book_cover():
    image = Image.new("RGB", (900, 150), (124, 30, 34))
    draw = ImageDraw.Draw(image)
    for y in (12, 18, 130, 136):
        draw.line((14, y, 886, y), fill=(214, 176, 96), width=2)
    draw.text((60, 34), "LIGHT AND ITS GRAIN", font=font(66), fill=(222, 188, 112))
    return linear(image)


POSTER, MUG, CHART, BOOK = poster(), mug_print(), colour_chart(), book_cover()


class Sphere:
    """An ellipsoid with axes along x, y, z."""

    def __init__(self, centre, radii, shade):
        self.centre = np.array(centre, np.float32)
        self.radii = np.array(radii, np.float32)
        self.shade = shade

    def hit(self, o, d):
        o, d = (o - self.centre) / self.radii, d / self.radii
        a, b, c = dot(d, d), dot(o, d), dot(o, o) - 1
        root = b * b - a * c
        s = np.sqrt(np.maximum(root, 0))
        near, far = (-b - s) / a, (-b + s) / a
        t = np.where(near > 1e-3, near, far)
        return np.where((root > 0) & (t > 1e-3), t, np.inf)

    def surface(self, p):
        local = (p - self.centre) / self.radii
        return self.shade(p, local, unit(local / self.radii))


class Tube:
    """An upright cylinder with a filled top a little below its rim."""

    def __init__(self, centre, radius, height):
        self.centre, self.radius, self.height = np.array(centre, np.float32), radius, height

    def hit(self, o, d):
        o = o - self.centre
        a = d[..., 0] ** 2 + d[..., 2] ** 2
        b = o[..., 0] * d[..., 0] + o[..., 2] * d[..., 2]
        c = o[..., 0] ** 2 + o[..., 2] ** 2 - self.radius**2
        root = b * b - a * c
        s = np.sqrt(np.maximum(root, 0))
        best = np.full(root.shape, np.inf, np.float32)
        for t in ((-b - s) / a, (-b + s) / a):
            y = o[..., 1] + t * d[..., 1]
            good = (root > 0) & (t > 1e-3) & (y > 0) & (y < self.height)
            best = np.where(good, np.minimum(best, t), best)
        t = (self.height * 0.93 - o[..., 1]) / np.where(np.abs(d[..., 1]) < 1e-6, 1e-6, d[..., 1])
        q = o + t[..., None] * d
        good = (t > 1e-3) & (q[..., 0] ** 2 + q[..., 2] ** 2 < self.radius**2)
        return np.where(good, np.minimum(best, t), best)

    def surface(self, p):
        local = p - self.centre
        r = np.sqrt(local[..., 0] ** 2 + local[..., 2] ** 2)
        inside = r < self.radius * 0.985
        angle = np.arctan2(local[..., 0], local[..., 2]) / (2 * np.pi) + 0.5
        colour = sample_texture(MUG, (angle * 1.0 + 0.235) % 1.0, 1 - local[..., 1] / self.height)
        coffee = np.array([0.035, 0.016, 0.008], np.float32)
        colour = np.where(inside[..., None], coffee, colour)
        side = np.stack([local[..., 0], np.zeros_like(r), local[..., 2]], -1)
        normal = np.where(inside[..., None], np.array([0, 1, 0], np.float32), unit(side))
        return colour, normal, np.full(r.shape, 0.35, np.float32), 60.0


class Box:
    """A box turned about the upright axis."""

    def __init__(self, centre, half, turn, shade):
        self.centre, self.half, self.shade = np.array(centre, np.float32), np.array(half, np.float32), shade
        c, s = np.cos(turn), np.sin(turn)
        self.turn = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]], np.float32)

    def hit(self, o, d):
        o, d = (o - self.centre) @ self.turn.T, d @ self.turn.T
        d = np.where(np.abs(d) < 1e-7, 1e-7, d)
        t0, t1 = (-self.half - o) / d, (self.half - o) / d
        near = np.minimum(t0, t1).max(-1)
        far = np.maximum(t0, t1).min(-1)
        return np.where((near < far) & (near > 1e-3), near, np.inf)

    def surface(self, p):
        local = (p - self.centre) @ self.turn.T / self.half
        axis = np.abs(local).argmax(-1)
        sign = np.take_along_axis(np.sign(local), axis[..., None], -1)
        normal = (np.eye(3, dtype=np.float32)[axis] * sign) @ self.turn
        colour, gloss, power = self.shade(p, local, axis, sign[..., 0])
        return colour, normal, gloss, power


class Plane:
    """y = level (the table) or z = level (the wall)."""

    def __init__(self, axis, level, shade):
        self.axis, self.level, self.shade = axis, level, shade

    def hit(self, o, d):
        along = np.where(np.abs(d[..., self.axis]) < 1e-7, 1e-7, d[..., self.axis])
        t = (self.level - o[..., self.axis]) / along
        return np.where(t > 1e-3, t, np.inf)

    def surface(self, p):
        return self.shade(p)


def bumped(normal, height_u, height_v, u_axis, v_axis, amount):
    return unit(normal - amount * (height_u[..., None] * u_axis + height_v[..., None] * v_axis))


def linen(p):
    """Woven cloth: threads over and under, irregular, with a few dyed stripes."""
    x, z = p[..., 0], p[..., 2]
    threads = 62.0
    wobble = NOISE(x * 5, z * 5, 2) * 0.5
    u, v = x * threads + wobble, z * threads + wobble
    over = (np.floor(u / np.pi) + np.floor(v / np.pi)) % 2
    warp, weft = np.abs(np.sin(u)), np.abs(np.sin(v))
    height = np.where(over > 0, warp, weft)
    thickness = 0.78 + 0.3 * NOISE(np.floor(u / np.pi) * 0.37, np.floor(v / np.pi) * 0.07, 2)
    base = linear((206, 196, 176)) * ((0.55 + 0.45 * height) * thickness)[..., None]
    stripe = (np.abs((x + 0.08 * z) % 1.1 - 0.55) < 0.075) | (np.abs((x + 0.08 * z) % 1.1 - 0.40) < 0.018)
    dyed = linear((64, 96, 138)) * ((0.5 + 0.5 * height) * thickness)[..., None]
    colour = np.where(stripe[..., None], dyed, base)
    normal = np.broadcast_to(np.array([0, 1, 0], np.float32), p.shape)
    fold = np.cos(x * 2.1 + 1.2 * np.sin(z * 1.1)) * 0.10
    slope_u = np.cos(u) * np.sign(np.sin(u)) * 0.28 * (over > 0) + fold
    slope_v = np.cos(v) * np.sign(np.sin(v)) * 0.28 * (over <= 0)
    normal = bumped(normal, slope_u, slope_v, np.array([1, 0, 0], np.float32), np.array([0, 0, 1], np.float32), 1.0)
    return colour, normal, np.full(x.shape, 0.02, np.float32), 12.0


def wall(p):
    """Plaster with a poster on it."""
    x, y = p[..., 0], p[..., 1]
    rough = NOISE(x * 9, y * 9, 5)
    colour = linear((158, 172, 164)) * (0.9 + 0.2 * rough)[..., None]
    left, right, low, high = -1.72, 0.28, 0.92, 2.30
    inside = (x > left) & (x < right) & (y > low) & (y < high)
    art = sample_texture(POSTER, (x - left) / (right - left), (high - y) / (high - low))
    colour = np.where(inside[..., None], art, colour)
    normal = np.broadcast_to(np.array([0, 0, 1], np.float32), p.shape)
    e = 0.01
    slope_u = (NOISE((x + e) * 9, y * 9, 5) - rough) / e * ~inside
    slope_v = (NOISE(x * 9, (y + e) * 9, 5) - rough) / e * ~inside
    normal = bumped(normal, slope_u, slope_v, np.array([1, 0, 0], np.float32), np.array([0, 1, 0], np.float32), 0.02)
    return colour, normal, np.full(x.shape, 0.03, np.float32), 10.0


def angles(local):
    around = np.arctan2(local[..., 0], local[..., 2])
    up = np.arcsin(np.clip(local[..., 1], -1, 1))
    return around, up


def skin(p, local, normal):
    """A peach: warm tones that run into each other, a bloom of fine mottling."""
    around, up = angles(local)
    blush = np.clip(0.5 + 0.6 * np.sin(around * 1.0 + 0.6) + 0.5 * (NOISE(around * 2, up * 3, 3) - 0.5), 0, 1)
    colour = linear((236, 188, 150)) * (1 - blush[..., None]) + linear((206, 108, 86)) * blush[..., None]
    colour = colour * (0.9 + 0.2 * NOISE(around * 40, up * 60, 2))[..., None]
    crease = np.exp(-((np.sin(around - 0.5) * 9) ** 2)) * (np.cos(around - 0.5) > 0)
    return colour * (1 - 0.35 * crease[..., None]), normal, np.full(around.shape, 0.04, np.float32), 8.0


def lemon(p, local, normal):
    around, up = angles(local)
    pores = NOISE(around * 26, up * 26, 2)
    e = 0.02
    slope_u = (NOISE((around + e) * 26, up * 26, 2) - pores) / e
    slope_v = (NOISE(around * 26, (up + e) * 26, 2) - pores) / e
    tangent = unit(np.cross(np.broadcast_to(np.array([0, 1, 0], np.float32), normal.shape), normal))
    normal = bumped(normal, slope_u, slope_v, tangent, np.cross(normal, tangent), 0.018)
    colour = linear((232, 190, 44)) * (0.86 + 0.24 * pores)[..., None]
    return colour, normal, np.full(around.shape, 0.22, np.float32), 28.0


def yarn(p, local, normal):
    """A ball of wool: strands wound in three directions, each of twisted fibres."""
    wound = NOISE(local[..., 0] * 1.6 + 3, local[..., 1] * 1.6 + local[..., 2], 1)
    way = np.floor(wound * 3.99).astype(np.int32) % 3
    axes = unit(np.array([[0.3, 1, 0.2], [1, 0.4, -0.3], [-0.6, 0.7, 0.9]], np.float32))
    across = np.einsum("...i,...i->...", local, axes[way])
    phase = across * 46
    strand = np.abs(np.cos(phase))
    along = np.einsum("...i,...i->...", local, np.roll(axes, 1, 0)[way])
    fibre = 0.8 + 0.2 * np.sin(along * 150 + phase * 2)
    colour = linear((96, 140, 116)) * ((0.25 + 0.75 * strand) * fibre)[..., None]
    slope = np.sin(phase) * np.sign(np.cos(phase)) * 0.5
    return colour, unit(normal + slope[..., None] * axes[way]), np.full(strand.shape, 0.01, np.float32), 6.0


def marble(p, local, normal):
    vein = NOISE(p[..., 0] * 9 + 3 * NOISE(p[..., 1] * 7, p[..., 2] * 7), p[..., 1] * 9, 5)
    dark = np.exp(-((np.abs(vein - 0.5) * 26) ** 2))
    colour = linear((40, 62, 120)) * (1 - dark[..., None]) + linear((206, 214, 230)) * dark[..., None]
    return colour, normal, np.full(vein.shape, 0.75, np.float32), 240.0


def chart_card(p, local, axis, sign):
    face = (axis == 2) & (sign > 0)
    art = sample_texture(CHART, (local[..., 0] + 1) / 2, (1 - local[..., 1]) / 2)
    return np.where(face[..., None], art, 0.03), np.full(axis.shape, 0.03, np.float32), 12.0


def book(p, local, axis, sign):
    spine = (axis == 2) & (sign > 0)
    art = sample_texture(BOOK, (local[..., 0] + 1) / 2, (1 - local[..., 1]) / 2)
    cloth = linear((124, 30, 34)) * (0.85 + 0.3 * NOISE(p[..., 0] * 90, p[..., 2] * 90, 2))[..., None]
    return np.where(spine[..., None], art, cloth), np.full(axis.shape, 0.05, np.float32), 14.0


def wood(p, local, axis, sign):
    rings = NOISE(p[..., 0] * 1.5, p[..., 1] * 22 + p[..., 2] * 22, 4)
    grain = 0.5 + 0.5 * np.sin(rings * 34)
    colour = linear((150, 98, 54)) * (0.6 + 0.5 * grain)[..., None]
    return colour, np.full(axis.shape, 0.06, np.float32), 16.0


SCENE = [
    Plane(1, 0.0, linen),
    Plane(2, -1.5, wall),
    Sphere((-0.42, 0.34, 0.55), (0.35, 0.34, 0.35), skin),
    Sphere((0.52, 0.18, 1.22), (0.26, 0.18, 0.19), lemon),
    Sphere((1.42, 0.36, 0.22), (0.36, 0.36, 0.36), yarn),
    Sphere((-0.16, 0.15, 1.46), (0.15, 0.15, 0.15), marble),
    Tube((0.62, 0.0, -0.10), 0.36, 0.86),
    Box((-1.30, 0.13, 0.10), (0.62, 0.11, 0.42), 0.22, book),
    Box((-1.26, 0.32, 0.06), (0.55, 0.08, 0.36), -0.10, wood),
    Box((-1.28, 0.72, -0.18), (0.44, 0.31, 0.02), 0.10, chart_card),
]


def nearest(o, d):
    best = np.full(o.shape[0], np.inf, np.float32)
    which = np.full(o.shape[0], -1, np.int8)
    for index, thing in enumerate(SCENE):
        t = thing.hit(o, d)
        closer = t < best
        best = np.where(closer, t, best)
        which[closer] = index
    return best, which


def lit(o, d, reach):
    """1 where nothing is between `o` and `reach` along `d`."""
    free = np.ones(o.shape[0], bool)
    for thing in SCENE:
        free &= ~(thing.hit(o, d) < reach)
    return free.astype(np.float32)[:, None]


def colour_of(o, d, rng, bounce=1):
    t, which = nearest(o, d)
    seen = np.isfinite(t)
    p = o + np.where(seen, t, 0)[:, None] * d
    albedo, normal = np.zeros_like(p), np.zeros_like(p)
    gloss, power = np.zeros(len(p), np.float32), np.ones(len(p), np.float32)
    for index, thing in enumerate(SCENE):
        rows = np.nonzero(which == index)[0]
        if rows.size:
            albedo[rows], normal[rows], gloss[rows], power[rows] = thing.surface(p[rows])
    p = p + normal * 2e-3
    spread = rng.random((len(p), 2), np.float32) - 0.5
    to_light = LIGHT + spread[:, :1] * LIGHT_U * 2 + spread[:, 1:] * LIGHT_V * 2 - p
    distance = np.linalg.norm(to_light, axis=1)
    way = to_light / distance[:, None]
    direct = np.maximum(dot(normal, way), 0)[:, None] * lit(p, way, distance) * (34.0 / distance**2)[:, None]
    # one cosine-weighted ray for the light of the room
    z = rng.random((len(p), 1), np.float32) * 2 - 1
    turn = rng.random((len(p), 1), np.float32) * 2 * np.pi
    ring = np.sqrt(1 - z * z)
    out = unit(normal + np.concatenate([ring * np.cos(turn), ring * np.sin(turn), z], 1))
    room = lit(p, out, 1.3) * (0.65 + 0.35 * np.maximum(out[:, 1:2], 0))
    light = albedo * (direct * LIGHT_COLOUR + room * SKY + 0.05)
    half = unit(way - d)
    shine = gloss * np.maximum(dot(normal, half), 0) ** power * 1.6
    light += shine[:, None] * direct * LIGHT_COLOUR
    mirror = np.nonzero(gloss > 0.3)[0]
    if bounce and mirror.size:
        n, dm = normal[mirror], d[mirror]
        facing = np.clip(-dot(n, dm), 0, 1)
        fresnel = (0.04 + 0.96 * (1 - facing) ** 5) * gloss[mirror] * 1.6
        reflected = colour_of(p[mirror], unit(dm - 2 * dot(n, dm)[:, None] * n), rng, 0)
        light[mirror] += np.minimum(fresnel, 1)[:, None] * reflected
    return np.where(seen[:, None], light, SKY).astype(np.float32)


def render(samples, rng):
    eye = np.array([0.05, 1.28, 4.3], np.float32)
    forward = unit(np.array([0.0, 0.80, 0.0], np.float32) - eye)
    right = unit(np.cross(forward, np.array([0, 1, 0], np.float32)))
    up = np.cross(right, forward)
    picture = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    rows_at_once = 90
    for top in range(0, HEIGHT, rows_at_once):
        y, x = np.mgrid[top : top + rows_at_once, 0:WIDTH].astype(np.float32)
        band = np.zeros((rows_at_once * WIDTH, 3), np.float32)
        for _ in range(samples):
            # a tent filter of one pixel, as a lens and its sensor blur a little
            jitter = rng.random((2, *x.shape), np.float32) + rng.random((2, *x.shape), np.float32) - 1
            u = ((x + 0.5 + jitter[0]) / WIDTH - 0.5) * 0.93
            v = (0.5 - (y + 0.5 + jitter[1]) / HEIGHT) * 0.93 * HEIGHT / WIDTH
            d = unit(forward + u.reshape(-1, 1) * right + v.reshape(-1, 1) * up).astype(np.float32)
            band += np.minimum(colour_of(np.broadcast_to(eye, d.shape), d, rng), 4.0)
        picture[top : top + rows_at_once] = (band / samples).reshape(rows_at_once, WIDTH, 3)
    yy, xx = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    corner = ((xx / WIDTH - 0.5) ** 2 + (yy / HEIGHT - 0.5) ** 2)[..., None]
    return picture * (1 - 0.45 * corner)


def photographed(picture, rng):
    """What the sensor reads: electrons with photon noise, read noise, then white balance."""
    white_electrons = 110.0
    read_noise = 2.5
    gains = np.array([1.75, 1.0, 1.5], np.float32)  # red and blue are amplified to make white
    electrons = np.maximum(picture, 0) * white_electrons / gains
    counted = rng.poisson(electrons) + rng.normal(0, read_noise, electrons.shape)
    return counted / white_electrons * gains


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output")
    parser.add_argument("--clean", help="also store the picture without noise, as PNG")
    parser.add_argument("--samples", type=int, default=16, help="rays a pixel")
    arguments = parser.parse_args()
    rng = np.random.default_rng(20240229)
    picture = render(arguments.samples, rng)
    picture = picture * 0.92
    if arguments.clean:
        Image.fromarray((srgb(picture) * 255 + 0.5).astype(np.uint8)).save(arguments.clean)
    noisy = srgb(photographed(picture, rng))
    image = Image.fromarray((noisy * 255 + 0.5).astype(np.uint8))
    exif = Image.Exif()
    exif[0x010F] = "Limpid"
    exif[0x0110] = "Rendered still life"
    exif[0x0131] = "assets/sample.py"
    exif[0x0132] = "2024:02:29 18:30:00"
    exif[0x8298] = "The Limpid authors, MIT OR Apache-2.0"
    exif[0x0112] = 1
    camera = exif.get_ifd(0x8769)
    camera[0x829A] = 1 / 60  # exposure time, seconds
    camera[0x829D] = 2.0  # f-number
    camera[0x8827] = 6400  # ISO
    camera[0x9003] = "2024:02:29 18:30:00"
    camera[0x920A] = 27.0  # focal length, mm
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.save(
        arguments.output, quality=93, subsampling=0,
        exif=exif, icc_profile=profile, dpi=(300, 300),
    )  # fmt: skip


if __name__ == "__main__":
    main()
