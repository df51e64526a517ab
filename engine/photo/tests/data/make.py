#!/usr/bin/env python3
"""Makes the pictures that tests/formats.rs reads. Run here: python3 make.py

Needs numpy, Pillow, tifffile and cjxl. Every picture shows one of three known patterns, so that the
test computes what it must see:
  color  48 x 32: R = 5x, G = 7y, B = 3(x + y)
  gray   48 x 32: 2x + 4y
  steps  48 x 32: entry i = (x // 4 + y // 4) % 16 of the palette (16i, 255 - 16i, 8i)
"""
import io
import struct
import subprocess
import zlib

import numpy as np
import tifffile
from PIL import Image

W, H = 48, 32
y, x = np.mgrid[0:H, 0:W]
color = np.stack([5 * x, 7 * y, 3 * (x + y)], -1).astype(np.uint8)
gray = (2 * x + 4 * y).astype(np.uint8)
index = ((x // 4 + y // 4) % 16).astype(np.uint8)
palette = [v for i in range(16) for v in (16 * i, 255 - 16 * i, 8 * i)]
alpha = (255 - 4 * x).astype(np.uint8)
wide = lambda a: a.astype(np.uint16) * 257

rgb, luma = Image.fromarray(color), Image.fromarray(gray)
rgba = Image.fromarray(np.dstack([color, alpha]))
steps = Image.fromarray(index, "P")
steps.putpalette(palette)


# JPEG
rgb.save("baseline.jpg", quality=95, subsampling=2)
rgb.save("progressive.jpg", quality=95, subsampling=0, progressive=True)
rgb.save("restarts.jpg", quality=95, subsampling=1, restart_marker_blocks=2)
rgb.save("rgb-coded.jpg", quality=95, keep_rgb=True)
luma.save("gray.jpg", quality=95)
rgb.convert("CMYK").save("cmyk.jpg")


# PNG, with its own writer: Pillow makes neither interlaced nor 2-bit files
def png_rows(rows, bits):
    out = b""
    for row in rows:
        if bits == 16:
            data = row.astype(">u2").tobytes()
        elif bits == 8:
            data = row.astype(np.uint8).tobytes()
        else:
            flat = row.ravel()
            flat = np.concatenate([flat, np.zeros(-len(flat) % (8 // bits), flat.dtype)])
            packed = np.zeros(len(flat) * bits // 8, np.uint8)
            for i in range(8 // bits):
                packed |= (flat[i :: 8 // bits] << (8 - bits - i * bits)).astype(np.uint8)
            data = packed.tobytes()
        out += b"\0" + data
    return out


def png(name, array, bits, kind, interlaced=False, extra=(), plte=None):
    chunk = lambda n, d: struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d))
    if interlaced:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
        data = b"".join(png_rows(array[y0::dy, x0::dx], bits) for x0, y0, dx, dy in passes)
    else:
        data = png_rows(array, bits)
    with open(name, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.write(chunk(b"IHDR", struct.pack(">IIBBBBB", W, H, bits, kind, 0, 0, interlaced)))
        for n, d in extra:
            file.write(chunk(n, d))
        if plte:
            file.write(chunk(b"PLTE", bytes(plte)))
        data = zlib.compress(data, 9)
        for i in range(0, len(data), 512):
            file.write(chunk(b"IDAT", data[i : i + 512]))
        file.write(chunk(b"IEND", b""))


png("rgb8.png", color, 8, 2, extra=[(b"gAMA", struct.pack(">I", 100000))])
png("rgb16-interlaced.png", wide(color), 16, 2, interlaced=True)
png("rgba16.png", wide(np.dstack([color, alpha])), 16, 6)
png("graya8-interlaced.png", np.dstack([gray, alpha]), 8, 4, interlaced=True)
png("gray16.png", wide(gray), 16, 0)
png("gray4.png", gray >> 4, 4, 0)
png("gray2.png", gray >> 6, 2, 0)
png("gray1.png", gray >> 7, 1, 0)
png("palette4.png", index, 4, 3, plte=palette)
trns = bytes(255 - i for i in range(16))
with open("palette-alpha.png", "wb") as file:
    buffer = io.BytesIO()
    steps.save(buffer, "png", transparency=trns)
    file.write(buffer.getvalue())
rgb.save("animated.png", save_all=True, append_images=[rgb.rotate(180)])

# TIFF
t = lambda name, a, **k: tifffile.imwrite(name, a, metadata=None, **k)
t("rgb8.tif", color, photometric="rgb")
t("rgb16-big-endian.tif", wide(color), photometric="rgb", byteorder=">", rowsperstrip=5)
t("rgb8-tiles.tif", color, photometric="rgb", tile=(16, 32))
t("rgb16-planar.tif", wide(color).transpose(2, 0, 1), photometric="rgb", planarconfig="separate", rowsperstrip=7)
t("rgb-float.tif", (color / np.float32(255)).astype(np.float32), photometric="rgb")
t("gray-half.tif", (gray / np.float32(255)).astype(np.float16), photometric="minisblack")
t("gray-double.tif", gray / 255.0, photometric="minisblack")
t("gray16-inverted.tif", 65535 - wide(gray), photometric="miniswhite")
t("gray32.tif", gray.astype(np.uint32) * 0x01010101, photometric="minisblack")
t("rgba8.tif", np.dstack([color, alpha]), photometric="rgb", extrasamples=["unassalpha"])
multiplied = np.round(color * (alpha[..., None] / 255.0)).astype(np.uint8)
t("rgba8-associated.tif", np.dstack([multiplied, alpha]), photometric="rgb", extrasamples=["assocalpha"])
t("graya16.tif", wide(np.dstack([gray, alpha])), photometric="minisblack", extrasamples=["unassalpha"])
t("rgb8-bigtiff.tif", color, photometric="rgb", bigtiff=True)
t("cmyk.tif", np.dstack([color, alpha]), photometric="separated")
t("lab.tif", color, photometric="cielab")
rgb.save("rgb8-lzw.tif", compression="tiff_lzw")
rgb.save("rgb8-deflate.tif", compression="tiff_adobe_deflate", tiffinfo={317: 2})
rgb.save("rgb8-jpeg.tif", compression="jpeg", quality=95)
rgb.save("rgb8-packbits.tif", compression="packbits")
luma.point(lambda v: 255 * (v >> 7)).convert("1", dither=0).save("gray1-fax.tif", compression="group4")
steps.save("palette8.tif")
rgb.save("pages.tif", save_all=True, append_images=[rgb, rgb])
with tifffile.TiffWriter("with-preview.tif") as tif:
    tif.write(color, photometric="rgb", metadata=None)
    tif.write(color[::4, ::4], photometric="rgb", subfiletype=1, metadata=None)

# WebP
rgb.save("lossy.webp", quality=95, method=6)
rgba.save("lossy-alpha.webp", quality=95, method=6)
rgba.save("lossless-alpha.webp", lossless=True, exact=True)
rgb.save("animated.webp", save_all=True, append_images=[rgb.rotate(180)], lossless=True)

# BMP
rgb.save("rgb24.bmp")
luma.save("gray8.bmp", dpi=(300, 300))
steps.save("palette.bmp")
luma.point(lambda v: 255 * (v >> 7)).convert("1", dither=0).save("gray1.bmp")


def bmp565(name):
    r, g, b = (color[::-1, :, c].astype(np.uint16) for c in range(3))
    data = ((r >> 3) << 11 | (g >> 2) << 5 | b >> 3).astype("<u2").tobytes()
    head = struct.pack("<IiiHHIIiiII", 40, W, H, 1, 16, 3, len(data), 0, 0, 0, 0)
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    with open(name, "wb") as file:
        file.write(b"BM" + struct.pack("<III", 66 + len(data), 0, 66) + head + masks + data)


def bmp_rle(name):
    data = b""
    for row in index[::-1]:
        for start in range(0, W, 4):
            data += bytes([4, row[start]])
        data += b"\0\0"
    data += b"\0\1"
    head = struct.pack("<IiiHHIIiiII", 40, W, H, 1, 8, 1, len(data), 0, 0, 16, 0)
    table = b"".join(bytes([palette[i + 2], palette[i + 1], palette[i], 0]) for i in range(0, 48, 3))
    with open(name, "wb") as file:
        file.write(b"BM" + struct.pack("<III", 54 + 64 + len(data), 0, 54 + 64) + head + table + data)


bmp565("rgb565.bmp")
bmp_rle("rle8.bmp")

# JPEG XL
def jxl(name, image, *options):
    image.save("/tmp/limpid-make.png")
    subprocess.run(["cjxl", "/tmp/limpid-make.png", name, "--quiet", *options], check=True)


jxl("lossless.jxl", rgb, "-d", "0")
jxl("lossy.jxl", rgb, "-d", "0.5")
jxl("alpha.jxl", rgba, "-d", "0")
Image.fromarray(wide(gray)).save("/tmp/limpid-make.png")
subprocess.run(["cjxl", "/tmp/limpid-make.png", "gray16.jxl", "--quiet", "-d", "0"], check=True)

# Others, to be answered in words
rgb.save("picture.gif")
