use safetensors::Dtype;

use super::*;
use crate::error::LoadErrorKind;
use crate::weights::{Stored, read_tensors, widen, write};

/// Weights of a small random network in half precision, and what PyTorch made of the sound of
/// [`sound`] with it: by `models/train/speech/fixture.py`.
const SMALL: &[u8] = include_bytes!("../../../tests/fixtures/gsa-voice-small.safetensors");
const WANTED: &[u8] = include_bytes!("../../../tests/fixtures/gsa-voice-small-out.safetensors");

/// The same of the form that looks both ways.
const SMALL_FILE: &[u8] =
    include_bytes!("../../../tests/fixtures/gsa-voice-small-file.safetensors");
const WANTED_FILE: &[u8] =
    include_bytes!("../../../tests/fixtures/gsa-voice-small-file-out.safetensors");
/// The built-in one.
const FILE: &[u8] = include_bytes!("../../../../../models/gsa-voice-file/weights.safetensors");

const HOPS: usize = 200;

/// Noise from a linear congruential generator whose level rises and falls, with a silent stretch.
fn sound() -> Vec<f32> {
    let mut state: u32 = 1;
    (0..HOPS * OwnSpeech::HOP)
        .map(|n| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 8) as f32 / (1u32 << 24) as f32 - 0.5;
            let hop = n / OwnSpeech::HOP;
            noise * [0.5, 0.02, 0.2, 0.0, 0.004][hop / 9 % 5]
        })
        .collect()
}

fn clean(network: &mut OwnSpeech, sound: &[f32]) -> Vec<f32> {
    let mut out = vec![0.0; sound.len()];
    for (input, output) in
        sound.chunks_exact(OwnSpeech::HOP).zip(out.chunks_exact_mut(OwnSpeech::HOP))
    {
        network.process(input, output).unwrap();
    }
    out
}

/// Compares what came out of `sound`, late by `delay`, with pieces named for where they start.
fn assert_equals_pytorch(found: &[f32], delay: usize, wanted: &[u8]) {
    let stored = read_tensors(wanted).unwrap();
    assert!(stored.len() > 3);
    let mut loudest = 0f32;
    for tensor in stored {
        let first: usize = tensor.name.parse().unwrap();
        let wanted = widen(tensor.dtype, &tensor.bytes).unwrap();
        let found = &found[first + delay..][..wanted.len()];
        for (n, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
            loudest = loudest.max(wanted.abs());
            let at = first + n;
            assert!((found - wanted).abs() <= 1e-4, "{found} for {wanted} at {at}");
        }
    }
    assert!(loudest > 0.05, "there was something to compare");
}

#[test]
fn hop_by_hop_equals_pytorch_on_the_whole_clip() {
    let found = clean(&mut OwnSpeech::read(SMALL).unwrap(), &sound());
    assert_equals_pytorch(&found, OwnSpeech::DELAY, WANTED);
}

/// What the form for files makes of `sound`, on time.
fn clean_file(network: &mut OwnFileSpeech, sound: &[f32]) -> Vec<f32> {
    let mut sound = sound.to_vec();
    sound.resize(sound.len() + OwnFileSpeech::DELAY, 0.0);
    let mut out = vec![0.0; sound.len()];
    let hops = sound.chunks_exact(OwnFileSpeech::HOP);
    for (input, output) in hops.zip(out.chunks_exact_mut(OwnFileSpeech::HOP)) {
        network.process(input, output).unwrap();
    }
    out.split_off(OwnFileSpeech::DELAY)
}

#[test]
fn both_ways_equals_pytorch_on_the_whole_clip() {
    let mut network = OwnFileSpeech::read(SMALL_FILE).unwrap();
    let found = clean_file(&mut network, &sound());
    assert_equals_pytorch(&found, 0, WANTED_FILE);
    network.reset();
    assert_eq!(clean_file(&mut network, &sound()), found, "a reset forgets");
}

/// As much of [`sound`] as takes several windows.
fn long_sound() -> impl Iterator<Item = f32> {
    (0..13).flat_map(|_| sound())
}

/// Noise that keeps its level, a fan's.
fn steady_noise() -> impl Iterator<Item = f32> {
    const LOUDEST: usize = 9 * OwnSpeech::HOP;
    sound().into_iter().take(LOUDEST).cycle().take(13 * HOPS * OwnSpeech::HOP)
}

/// Something like a voice, four syllables a second of gliding pitch with two formants, in noise. Noise
/// alone is taken out whole, and leaves nothing to compare.
fn voice_in(noise: impl Iterator<Item = f32>) -> Vec<f32> {
    let mut phase = 0.0;
    noise
        .enumerate()
        .map(|(n, noise)| {
            let seconds = n as f32 / OwnFileSpeech::RATE as f32;
            let pitch = 130.0 + 30.0 * (2.3 * seconds).sin();
            phase = (phase + pitch / OwnFileSpeech::RATE as f32).fract();
            let formants = |hz: f32| {
                let near = |at: f32, width: f32| 1.0 / (1.0 + ((hz - at) / width).powi(2));
                near(600.0, 150.0) + 0.4 * near(1500.0 + 400.0 * (5.0 * seconds).sin(), 200.0)
            };
            let voiced: f32 = (1..30u8)
                .map(f32::from)
                .map(|k| formants(k * pitch) * (std::f32::consts::TAU * k * phase).sin())
                .sum();
            let syllable = (std::f32::consts::TAU * 2.0 * seconds).sin().powi(2);
            0.1 * syllable * voiced + noise
        })
        .collect()
}

/// By how many dB what changes with the place of the windows lies below `sound`, at worst.
fn windows_below(sound: &[f32]) -> f32 {
    let mut network = OwnFileSpeech::read(FILE).unwrap();
    let found = clean_file(&mut network, sound);
    let energy = |x: &[f32]| x.iter().map(|v| v * v).sum::<f32>();
    assert!(energy(&found) > 0.5 * energy(sound), "there is something to compare");
    // Silence in front moves the windows over the sound.
    let below = [1, 200, 411].map(|hops| {
        network.reset();
        let late = [&vec![0.0; hops * OwnFileSpeech::HOP], sound].concat();
        let other = &clean_file(&mut network, &late)[hops * OwnFileSpeech::HOP..];
        let apart: Vec<f32> = found.iter().zip(other).map(|(a, b)| a - b).collect();
        10.0 * (energy(sound) / energy(&apart).max(1e-20)).log10()
    });
    below.into_iter().fold(f32::INFINITY, f32::min)
}

#[test]
fn where_windows_end_cannot_be_heard() {
    let below = windows_below(&voice_in(steady_noise().map(|noise| 0.1 * noise)));
    assert!(below > 50.0, "{below} dB in steady noise");
}

/// Noise that jumps by up to 40 dB, seven times a second, is harder than any recording measured.
#[test]
fn where_windows_end_is_faint_in_bursts() {
    let below = windows_below(&voice_in(long_sound().map(|noise| 0.2 * noise)));
    assert!(below > 40.0, "{below} dB in bursts");
}

#[test]
fn each_form_refuses_the_others_file() {
    for error in [OwnSpeech::read(SMALL_FILE).err(), OwnFileSpeech::read(SMALL).err()] {
        assert!(error.unwrap().to_string().contains("sound that is heard"));
    }
}

#[test]
fn a_reset_stream_starts_over() {
    let mut network = OwnSpeech::read(SMALL).unwrap();
    let sound = &sound()[..12_800];
    let first = clean(&mut network, sound);
    let after = clean(&mut network, sound);
    network.reset();
    assert_ne!(first, after);
    assert_eq!(first, clean(&mut network, sound));
}

#[test]
fn a_floor_of_one_is_the_noisy_sound_delayed() {
    let mut network = OwnSpeech::read(SMALL).unwrap();
    network.set_floor(1.0);
    let sound = sound();
    let out = clean(&mut network, &sound);
    for (now, then) in out[OwnSpeech::DELAY..].iter().zip(&sound) {
        assert!((now - then).abs() < 1e-5);
    }
}

#[test]
fn what_is_not_a_number_leaves_no_trace() {
    let mut network = OwnSpeech::read(SMALL).unwrap();
    let mut sound = sound();
    sound[3000] = f32::NAN;
    sound[5000] = f32::INFINITY;
    sound[7000] = f32::MAX;
    assert!(clean(&mut network, &sound).iter().all(|value| value.is_finite()));
}

#[test]
fn a_layer_stored_as_bytes_is_the_same_layer() {
    let about = metadata(SMALL).unwrap();
    let stored = |alter: &dyn Fn(&mut Stored) -> Option<Stored>| {
        let mut tensors = read_tensors(SMALL).unwrap();
        let last = tensors.iter_mut().find(|tensor| tensor.name == "last.weight").unwrap();
        let more = alter(last);
        tensors.extend(more);
        OwnSpeech::read(&write(&about, tensors).unwrap()).unwrap()
    };
    let without_steps = {
        let mut tensors = read_tensors(SMALL).unwrap();
        let last = tensors.iter_mut().find(|tensor| tensor.name == "last.weight").unwrap();
        (last.dtype, last.bytes) = (Dtype::I8, vec![1; last.shape.iter().product()]);
        OwnSpeech::read(&write(&about, tensors).unwrap())
    };
    assert!(without_steps.unwrap_err().to_string().contains("last.weight.step"));
    let single = |value: f32, count: usize| value.to_le_bytes().repeat(count);
    let mut bytes = stored(&|last| {
        let (rows, count) = (last.shape[0], last.shape.iter().product());
        (last.dtype, last.bytes) = (Dtype::I8, vec![0xFD; count]); // -3
        let name = "last.weight.step".to_owned();
        Some(Stored { name, dtype: Dtype::F32, shape: vec![rows], bytes: single(0.05, rows) })
    });
    let mut plain = stored(&|last| {
        let count = last.shape.iter().product();
        (last.dtype, last.bytes) = (Dtype::F32, single(0.05 * -3.0, count));
        None
    });
    let sound = sound();
    let found = clean(&mut bytes, &sound);
    assert_eq!(found, clean(&mut plain, &sound));
    assert_ne!(found, clean(&mut OwnSpeech::read(SMALL).unwrap(), &sound));
}

#[test]
fn wrong_hops_and_files_are_refused_in_words() {
    let mut network = OwnSpeech::read(SMALL).unwrap();
    let error = network.process(&[0.0; 100], &mut [0.0; 256]).unwrap_err();
    assert!(error.to_string().contains("100 samples"), "{error}");

    assert!(OwnSpeech::read(&SMALL[..SMALL.len() / 2]).is_err());
    let sound = metadata(SMALL).unwrap();
    let altered = |key: &str, value: &str, drop: usize| {
        let mut about = sound.clone();
        about.insert(key.to_owned(), value.to_owned());
        let mut tensors = read_tensors(SMALL).unwrap();
        tensors.truncate(tensors.len() - drop);
        OwnSpeech::read(&write(&about, tensors).unwrap())
    };
    assert!(altered("note", "", 0).is_ok());
    for (key, value, drop) in [
        ("limpid.arch", "dn-resnet", 0),
        ("limpid.channels", "4000000000", 0),
        ("limpid.channels", "10", 0),
        ("limpid.heads", "3", 0),
        ("limpid.attention", "none", 0),
        ("note", "", 1),
    ] {
        let error = altered(key, value, drop).unwrap_err();
        assert!(
            matches!(error.kind(), LoadErrorKind::Damaged | LoadErrorKind::Unsupported),
            "{key} = {value}: {error}"
        );
    }
}
