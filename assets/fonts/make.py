#!/usr/bin/env python3
"""Cuts the window's fonts to what the window shows.

    pip install fonttools
    python make.py --inter FOLDER_WITH_INTER_OTF --phosphor Phosphor.ttf

Inter: Latin, Greek, Cyrillic and common signs, with tabular digits baked in so that numbers do not
dance while they change. Phosphor: the icons named in app/src/window/icon.rs. Other scripts come from the system's
fonts at run time.
"""
import argparse
import io
import re
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

HERE = Path(__file__).parent
RANGES = [(0x20, 0x24F), (0x2B0, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x1E00, 0x1EFF),
          (0x2000, 0x206F), (0x20A0, 0x20BF), (0x2100, 0x215F), (0x2190, 0x21FF), (0x2200, 0x22FF),
          (0x2300, 0x23FF), (0x2580, 0x25FF), (0x2700, 0x27BF)]
ICONS = HERE.parents[1] / "app/src/window/icon.rs"


def tabular(font):
    """Maps the digits to their tabular forms (the `tnum` feature)."""
    swap = {}
    table = font["GSUB"].table
    for record in table.FeatureList.FeatureRecord:
        if record.FeatureTag != "tnum":
            continue
        for index in record.Feature.LookupListIndex:
            for sub in table.LookupList.Lookup[index].SubTable:
                sub = getattr(sub, "ExtSubTable", sub)
                swap.update(getattr(sub, "mapping", {}))
    for cmap in font["cmap"].tables:
        for code, glyph in list(cmap.cmap.items()):
            if chr(code) in "0123456789" and glyph in swap:
                cmap.cmap[code] = swap[glyph]


def cut(source, target, codes, digits=False):
    font = TTFont(source)
    if digits:
        tabular(font)
        buffer = io.BytesIO()
        font.save(buffer)
        buffer.seek(0)
        font = TTFont(buffer)
    options = subset.Options()
    options.layout_features = ["kern", "mark", "mkmk", "ccmp", "locl", "liga", "calt"] if digits else []
    options.name_IDs = [0, 1, 2, 13, 14]
    options.hinting = False
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=codes)
    subsetter.subset(font)
    font.save(target)
    print(target, target.stat().st_size)


def icon_codes():
    return [int(code, 16) for code in re.findall(r"\\u\{([0-9A-F]+)\}", ICONS.read_text())]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--inter", type=Path, required=True)
    parser.add_argument("--phosphor", type=Path, required=True)
    arguments = parser.parse_args()
    text = [code for low, high in RANGES for code in range(low, high + 1)]
    for weight in ("Regular", "SemiBold"):
        cut(arguments.inter / f"Inter-{weight}.otf", HERE / f"Inter-{weight}.otf", text, digits=True)
    cut(arguments.phosphor, HERE / "Phosphor-subset.ttf", icon_codes())


if __name__ == "__main__":
    main()
