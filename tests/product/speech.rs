//! Recordings: cleaned to files of the same length, bad ones named, originals left alone.

use std::f32::consts::TAU;
use std::path::Path;

use crate::limpid::{Place, files_below};

/// A mono WAV of 16 bits: a buzz like a vowel that comes and goes, in noise.
fn write_noisy(path: &Path, rate: u32, seconds: f32) {
    let mut samples = Vec::new();
    let mut state = 7_u32;
    for n in 0..(seconds * rate as f32) as u32 {
        let t = n as f32 / rate as f32;
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = (state >> 8) as f32 / 16_777_216.0 - 0.5;
        let voice: f32 = (1..12).map(|k| (TAU * 140.0 * k as f32 * t).sin() / k as f32).sum();
        let gate = if ((t * 2.0) as u32).is_multiple_of(2) { 1.0 } else { 0.0 };
        samples.push((8000.0 * (0.4 * gate * voice + 0.1 * noise)) as i16);
    }
    write(path, rate, &samples);
}

/// A mono WAV of 16 bits.
fn write(path: &Path, rate: u32, samples: &[i16]) {
    let bytes = (samples.len() * 2) as u32;
    let mut wav = Vec::new();
    wav.extend(b"RIFF");
    wav.extend((36 + bytes).to_le_bytes());
    wav.extend(b"WAVEfmt ");
    for (value, size) in [(16, 4), (1, 2), (1, 2), (rate, 4), (rate * 2, 4), (2, 2), (16, 2)] {
        wav.extend(&u32::to_le_bytes(value)[..size]);
    }
    wav.extend(b"data");
    wav.extend(bytes.to_le_bytes());
    wav.extend(samples.iter().flat_map(|s| s.to_le_bytes()));
    std::fs::write(path, wav).unwrap();
}

/// The samples of a 16-bit WAV that the program wrote.
fn samples(path: &Path) -> Vec<i16> {
    let wav = std::fs::read(path).unwrap();
    let data = wav.windows(4).position(|w| w == b"data").unwrap();
    let bytes = &wav[data + 8..];
    bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]])).collect()
}

fn energy(samples: &[i16]) -> f64 {
    samples.iter().map(|s| f64::from(*s).powi(2)).sum()
}

#[test]
fn a_recording_comes_back_as_long_and_with_less_noise() {
    let place = Place::new();
    let input = place.at("talk.wav");
    write_noisy(&input, 16_000, 3.0);
    let before = std::fs::read(&input).unwrap();
    place.run(["speech", "talk.wav", "-o", "clear.wav"]).ended_with(0);
    assert_eq!(std::fs::read(&input).unwrap(), before, "the original is as it was");
    let (noisy, clean) = (samples(&input), samples(&place.at("clear.wav")));
    assert_eq!(noisy.len(), clean.len());
    // From 1.6 to 1.95 s there is noise alone.
    let noise_only = 25_600..31_200;
    let ratio = energy(&clean[noise_only.clone()]) / energy(&noisy[noise_only]);
    assert!(ratio < 0.5, "{ratio}");
    assert!(place.part_files().is_empty());
}

#[test]
fn a_limit_leaves_that_much_of_the_noise() {
    let place = Place::new();
    write_noisy(&place.at("talk.wav"), 16_000, 2.0);
    place.run(["speech", "talk.wav", "-o", "some.wav", "--limit-db", "6"]).ended_with(0);
    place.run(["speech", "talk.wav", "-o", "all.wav"]).ended_with(0);
    let part = 9600..15_200;
    let [noisy, some, all] =
        ["talk.wav", "some.wav", "all.wav"].map(|n| energy(&samples(&place.at(n))[part.clone()]));
    assert!(some > all && some < noisy, "{noisy} {some} {all}");
    // 6 dB is half of the amplitude: at least a quarter of the power stays.
    assert!(some > 0.2 * noisy, "{some} of {noisy}");
}

#[test]
fn best_effort_hears_the_same_sound_at_the_same_place() {
    let place = Place::new();
    write_noisy(&place.at("talk.wav"), 16_000, 3.0);
    place.run(["speech", "talk.wav", "-o", "fast.wav"]).ended_with(0);
    place.run(["speech", "talk.wav", "-o", "best.wav", "--best"]).ended_with(0);
    let [fast, best] = ["fast.wav", "best.wav"].map(|name| samples(&place.at(name)));
    assert_eq!(fast.len(), best.len());
    let apart: Vec<i16> = fast.iter().zip(&best).map(|(a, b)| a.saturating_sub(*b)).collect();
    let share = energy(&apart) / energy(&fast);
    assert!(share > 0.0 && share < 0.02, "{share} of the power differs");
}

#[test]
fn echo_is_taken_out_apart_from_noise() {
    let place = Place::new();
    // Half a second of tone and a repetition 0.2 s later that decays: a room with one wall.
    let rate = 16_000;
    let voice = |at: usize| {
        let is_on = at % 24_000 < 8000;
        if is_on { 6000.0 * (at as f32 * 0.11).sin() } else { 0.0 }
    };
    let mut sound: Vec<f32> = (0..11 * rate).map(voice).collect();
    for at in 3200..sound.len() {
        sound[at] += 0.6 * sound[at - 3200];
    }
    let sound: Vec<i16> = sound.into_iter().map(|x| x as i16).collect();
    write(&place.at("hall.wav"), rate as u32, &sound);
    let whole = ["speech", "hall.wav", "--limit-db", "0.1", "-o"];
    place.run([&whole[..], &["wet.wav"]].concat()).ended_with(0);
    place.run([&whole[..], &["dry.wav", "--dereverb", "1"]].concat()).ended_with(0);
    let [wet, dry] = ["wet.wav", "dry.wav"].map(|name| samples(&place.at(name)));
    assert_eq!((wet.len(), dry.len()), (sound.len(), sound.len()));
    // From 0.55 to 0.7 s after the second word began there is echo alone.
    let echo = 24_000 + 8800..24_000 + 11_200;
    let ratio = energy(&dry[echo.clone()]) / energy(&wet[echo]);
    assert!(ratio < 0.25, "{ratio}");
    let wrong = place.run([&whole[..], &["no.wav", "--dereverb", "2"]].concat()).ended_with(2);
    assert!(wrong.stderr.contains("--dereverb"), "{}", wrong.stderr);
}

#[test]
fn a_recipe_says_in_which_form_a_recording_is_stored() {
    let place = Place::new();
    write_noisy(&place.at("talk.wav"), 16_000, 0.5);
    let mut wrong = Vec::new();
    for (sound, bits) in [("wav16", 16), ("wav24", 24), ("wav32", 32)] {
        let recipe = format!("version = 1\n[speech]\n[output]\nsound = \"{sound}\"\n");
        std::fs::write(place.at("r.toml"), recipe).unwrap();
        place.run(["run", "--recipe", "r.toml", "talk.wav", "-o", sound]).ended_with(0);
        let written = std::fs::read(place.at(sound).join("talk.wav")).unwrap();
        // The bits of a sample stand 14 bytes into the body of the chunk "fmt ".
        let at = 22 + written.windows(4).position(|w| w == b"fmt ").unwrap();
        let found = u16::from_le_bytes([written[at], written[at + 1]]);
        if found != bits {
            wrong.push(format!("{sound}: {found} bits"));
        }
    }
    std::fs::write(place.at("r.toml"), "version = 1\n[speech]\n[output]\nsound = \"flac\"\n")
        .unwrap();
    place.run(["run", "--recipe", "r.toml", "talk.wav", "-o", "flac"]).ended_with(0);
    assert_eq!(&std::fs::read(place.at("flac").join("talk.flac")).unwrap()[..4], b"fLaC");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_folder_of_recordings_and_bad_files() {
    let place = Place::new();
    let folder = place.folder("in");
    write_noisy(&folder.join("a.wav"), 8000, 0.5);
    write_noisy(&folder.join("c.wav"), 44_100, 0.5);
    let whole = std::fs::read(folder.join("c.wav")).unwrap();
    std::fs::write(folder.join("b cut.wav"), &whole[..whole.len() / 2]).unwrap();
    std::fs::write(folder.join("empty.mp3"), b"").unwrap();
    std::fs::write(folder.join("text.flac"), b"this is no sound at all").unwrap();
    std::fs::write(folder.join("notes.txt"), b"not even asked for").unwrap();
    let ran = place.run(["speech", "in", "-o", "out"]).ended_with(1);
    assert_eq!(ran.failures().len(), 3, "{}", ran.stderr);
    let wanted = ["a.wav", "c.wav"].map(|name| place.at("out").join(name));
    assert_eq!(files_below(&place.at("out")), wanted);
    assert!(place.part_files().is_empty());
    // Once more: what is there is left alone.
    let again = place.run(["speech", "in", "-o", "out"]).ended_with(1);
    assert_eq!(again.failures().len(), 3, "{}", again.stderr);
}

#[test]
fn wrong_endings_and_wrong_recordings_are_refused_before_any_work() {
    let place = Place::new();
    write_noisy(&place.at("talk.wav"), 16_000, 0.2);
    place.run(["speech", "talk.wav", "-o", "clear.mp3"]).ended_with(2);
    place.run(["speech", "talk.wav", "-o", "talk.wav"]).ended_with(2);
    place.run(["record", "-o", "take.mp3"]).ended_with(2);
    let ran = place.run(["record", "-o", "take.wav", "--device", "no such microphone"]);
    ran.ended_with(1);
    assert!(!place.at("take.wav").exists());
}
