"""Noisy and clean clips for training, made from voices, noises and rooms as they are asked for.

The clean one is what should come out: the voice with the early reflections of its room (to 50 ms
after the direct sound), in the same band and at the same level as in the noisy one.
"""
import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import resample_poly

RATE = 16000
EARLY = int(0.05 * RATE)
#: Speeds at which a voice or a noise is played, in tenths: another speed is another throat.
SPEEDS = {False: (8, 12), True: (6, 16)}


class Bank:
    """All clips of the packages in a folder."""

    def __init__(self, folder, is_weighted_by_root, is_sound=False, varies=False):
        self.is_sound = is_sound
        self.varies = varies  # the speed of its clips
        self.packages = []
        for path in sorted(folder.glob("*.npz")):
            file = np.load(path)
            self.packages.append((file["samples"], file["starts"]))
        sizes = np.array([len(samples) for samples, _ in self.packages], np.float64)
        # A package with few hours has few voices, but its voices are others.
        chance = np.sqrt(sizes) if is_weighted_by_root else sizes
        self.chance = chance / chance.sum()

    def clip(self, rng, package, longest):
        """A clip, or `longest` samples from anywhere in a longer one."""
        samples, starts = self.packages[package]
        if self.is_sound:  # as often as it is long: effects of half a second are most of the files
            index = np.searchsorted(starts, rng.integers(starts[-1]), "right") - 1
        else:
            index = rng.integers(len(starts) - 1)
        first, end = starts[index], starts[index + 1]
        if end - first > longest:
            first += rng.integers(end - first - longest)
            end = first + longest
        return samples[first:end].astype(np.float32) / 32768

    def at_speed(self, clip, tenths):
        return clip if tenths == 10 else resample_poly(clip, 10, tenths).astype(np.float32)

    def fill(self, rng, length, pause_secs, package=None):
        """`length` samples: clips of one package one after the other."""
        if package is None:
            package = rng.choice(len(self.packages), p=self.chance)
        tenths = 10
        if self.varies and rng.random() < 0.6:
            slowest, fastest = SPEEDS[self.is_sound]
            tenths = int(rng.integers(slowest, fastest + 1))
        out = np.zeros(length, np.float32)
        at = 0
        while True:
            clip = self.at_speed(self.clip(rng, package, length * tenths // 10), tenths)
            fade = min(len(clip) // 4, 160)
            ramp = np.linspace(0, 1, fade, dtype=np.float32)
            clip[:fade] *= ramp
            clip[len(clip) - fade:] *= ramp[::-1]
            # Clips come at one peak level; people do not speak at one.
            clip *= 10 ** (rng.normal(0, 2) / 20)
            taken = min(len(clip), length - at)
            out[at:at + taken] += clip[:taken]
            at += taken + int(rng.uniform(0, pause_secs) * RATE) if pause_secs else taken - fade
            if at >= length - 2 * fade - 1:
                return out


def active_power(x):
    """Mean power of the frames that are less than 30 dB below the loudest."""
    frames = (x[:len(x) // 320 * 320].reshape(-1, 320) ** 2).mean(1)
    return frames[frames > 1e-3 * frames.max()].mean() if frames.max() > 0 else 0.0


def shaped(x, curve):
    """Filtered by a curve of gains over even frequencies, without delay."""
    size = next_fast_len(len(x), real=True)
    spectrum = rfft(x, size)
    at = np.linspace(0, len(curve) - 1, len(spectrum))
    return irfft(spectrum * np.interp(at, np.arange(len(curve)), curve), size)[:len(x)].astype(np.float32)


def random_curve(rng, depth_db):
    """A smooth equaliser, up to about `depth_db` up or down."""
    points = rng.normal(0, depth_db / 2, 6)
    octaves = np.log2(np.linspace(30, 8000, 129) / 30) / np.log2(8000 / 30) * 5
    return 10 ** (np.interp(octaves, np.arange(6), points) / 20)


def made_noise(rng, length):
    """Hiss, rumble or hum, sometimes swelling: what fans, wires and traffic sound like."""
    noise = rng.standard_normal(length).astype(np.float32)
    slope = rng.uniform(-2.2, 0.3)
    noise = shaped(noise, np.maximum(np.arange(129), 0.7) ** (slope / 2) * random_curve(rng, 8))
    noise /= noise.std() + 1e-9
    if rng.random() < 0.25:
        base = rng.choice([50.0, 60.0, rng.uniform(80, 400)])
        seconds = np.arange(length) / RATE
        for harmonic in range(1, rng.integers(2, 12)):
            noise += rng.uniform(0, 1.5) / harmonic * np.sin(
                2 * np.pi * base * harmonic * seconds + rng.uniform(0, 6.28)).astype(np.float32)
    if rng.random() < 0.4:
        knots = rng.normal(0, rng.uniform(1, 5), length // 1600 + 2)
        noise *= 10 ** (np.interp(np.arange(length) / 1600, np.arange(len(knots)), knots) / 20)
    return noise


class Mixer:
    def __init__(self, data, seconds):
        self.voices = Bank(data / "train" / "speech", True, varies=True)
        self.noises = Bank(data / "train" / "noise", True, is_sound=True, varies=True)
        rooms = np.load(data / "rooms.npz")
        self.responses, self.direct = rooms["responses"], rooms["direct"]
        self.length = int(seconds * RATE)

    def noise(self, rng):
        kind = rng.random()
        if kind < 0.27:
            return made_noise(rng, self.length)
        if kind < 0.37:  # people talking in the background
            voices = [self.voices.fill(rng, self.length, 0.1) for _ in range(rng.integers(4, 9))]
            babble = np.sum([v * 10 ** (rng.normal(0, 3) / 20) for v in voices], 0)
            index = rng.integers(len(self.direct))
            return convolved(babble, self.responses[index])
        noise = self.noises.fill(rng, self.length, 0)
        if rng.random() < 0.15:  # backwards: as many noises again
            noise = noise[::-1]
        if rng.random() < 0.3:  # noises are in rooms, too; few recordings of effects have one
            noise = convolved(noise, self.responses[rng.integers(len(self.direct))])
        if rng.random() < 0.4:
            other = made_noise(rng, self.length) if rng.random() < 0.5 else self.noises.fill(rng, self.length, 0)
            noise = noise / (noise.std() + 1e-6)
            noise = noise + other / (other.std() + 1e-6) * 10 ** (rng.uniform(-12, 6) / 20)
        return shaped(noise, random_curve(rng, 6))

    def pair(self, rng):
        """(noisy, clean), [samples] each."""
        clean = self.voices.fill(rng, self.length, 0.5)
        clean = shaped(clean, random_curve(rng, 4))
        wet = clean
        if rng.random() < 0.35:
            index = rng.integers(len(self.direct))
            response, direct = self.responses[index], self.direct[index]
            early = response.copy()
            end = direct + EARLY
            early[end:] *= np.exp(-np.arange(len(early) - end, dtype=np.float32) / (0.01 * RATE))
            # The direct sound stays where it is, so that echo costs no delay.
            wet = convolved(clean, response, direct)
            clean = convolved(clean, early, direct)
        noise = self.noise(rng)
        power, noise_power = active_power(clean), float((noise ** 2).mean())
        snr_db = rng.uniform(-5, 20) if rng.random() < 0.88 else rng.uniform(25, 50)
        noise *= np.sqrt(power / (noise_power + 1e-12)) * 10 ** (-snr_db / 20)
        noisy = wet + noise
        if rng.random() < 0.12:  # telephones, old recordings
            cut = np.ones(129)
            cut[int(rng.uniform(45, 115)):] = 0
            noisy, clean = shaped(noisy, cut), shaped(clean, cut)
        gain = 10 ** (rng.uniform(-42, -14) / 20) / (np.sqrt(active_power(noisy)) + 1e-9)
        return noisy * gain, clean * gain

    def batch(self, seed, count):
        """[2, count, samples], the same for the same seed."""
        rng = np.random.default_rng(seed)
        pairs = [self.pair(rng) for _ in range(count)]
        return np.stack([np.stack(side) for side in zip(*pairs)])


def convolved(x, response, delay=0):
    size = next_fast_len(len(x) + len(response), real=True)
    out = irfft(rfft(x, size) * rfft(response, size), size)
    return out[delay:delay + len(x)].astype(np.float32)
