"""The whole job with a peer: read a photo, run the network tile by tile, write a photo.

The job is a JSON object in the first argument. With `probe` it prints the milliseconds of a tile
instead.
"""
from __future__ import annotations

import json
import sys
import time
from typing import Iterator

import numpy as np
from PIL import Image

from child import ENGINES

Image.MAX_IMAGE_PIXELS = None


def starts(length: int, tile: int, halo: int) -> Iterator[tuple[int, int, int]]:
    """Tiles along one side: where each starts, and the part of the result that is taken from it.
    All are of one size: the last reaches back."""
    done = 0
    while done < length:
        start = max(0, min(done - halo, length - tile))
        end = length if start + tile >= length else start + tile - halo
        yield start, done, end
        done = end


def process(job: dict) -> None:
    with Image.open(job["photo"]) as file:
        photo = np.asarray(file.convert("RGB"))
    (_, rows_high, columns_wide), halo, scale = job["shape"], job["halo"], job["scale"]
    height, width = photo.shape[:2]
    run = ENGINES[job["engine"]](job)
    result = np.empty((height * scale, width * scale, 3), np.uint8)
    for top, y0, y1 in starts(height, rows_high, halo):
        for left, x0, x1 in starts(width, columns_wide, halo):
            piece = photo[top : top + rows_high, left : left + columns_wide]
            np.multiply(piece.transpose(2, 0, 1), np.float32(1 / 255), out=run.feeds["in"][0])
            found = np.asarray(run()).reshape(3, rows_high * scale, columns_wide * scale)
            rows = slice((y0 - top) * scale, (y1 - top) * scale)
            columns = slice((x0 - left) * scale, (x1 - left) * scale)
            inner = found[:, rows, columns] * np.float32(255) + np.float32(0.5)
            levels = inner.clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
            result[y0 * scale : y1 * scale, x0 * scale : x1 * scale] = levels
    Image.fromarray(result).save(job["result"], quality=job["quality"], subsampling=job["subsampling"])


def probe(job: dict) -> None:
    run = ENGINES[job["engine"]](job)
    run.feeds["in"][:] = 0.5
    times = []
    for _ in range(4):
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    print("probe", min(times[1:]))


if __name__ == "__main__":
    JOB = json.loads(sys.argv[1])
    (probe if JOB.get("probe") else process)(JOB)
