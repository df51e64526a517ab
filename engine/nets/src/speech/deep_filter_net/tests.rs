//! Against onnxruntime, and against itself.

use std::path::Path;

use safetensors::SafeTensors;

use super::*;
use crate::error::LoadErrorKind;
use crate::library::{Library, LibraryConfig};

/// Values in -1..1 that follow from a name alone, as in `fixtures/make_speech_reference.py`.
fn made_up(name: &str, count: usize) -> Vec<f64> {
    let seed = name.bytes().fold(0_u32, |h, byte| h.wrapping_mul(31).wrapping_add(byte.into()));
    let value = |at: usize| {
        let mut h = (at as u32).wrapping_add(seed);
        for (shift, factor) in [(16, 0x7feb_352d), (15, 0x846c_a68b)] {
            h = (h ^ (h >> shift)).wrapping_mul(factor);
        }
        f64::from(h ^ (h >> 16)) / f64::from(1_u32 << 31) - 1.0
    };
    (0..count).map(value).collect()
}

fn made_up_f32(name: &str, count: usize) -> Vec<f32> {
    made_up(name, count).into_iter().map(|value| value as f32).collect()
}

fn made_up_weights() -> Weights {
    Weights::from_fn(Architecture::DeepFilterNet3, |name, shape| {
        let fan_in = match shape {
            [_, inputs, _] => *inputs,
            _ => shape[1..].iter().product(),
        };
        let gain = if shape.len() == 1 { 0.1 } else { (3.0 / fan_in as f64).sqrt() };
        let count = shape.iter().product();
        made_up(name, count).into_iter().map(|value| (value * gain) as f32).collect()
    })
    .unwrap()
}

fn network(settings: DeepFilterSettings) -> DeepFilterNet3 {
    use std::sync::OnceLock;
    static MADE_UP: OnceLock<DeepFilterNet3> = OnceLock::new();
    let mut network =
        MADE_UP.get_or_init(|| DeepFilterNet3::new(&made_up_weights(), settings).unwrap()).clone();
    network.set_settings(settings);
    network
}

/// All whole hops of a sound.
fn run(network: &mut DeepFilterNet3, sound: &[f32]) -> Vec<f32> {
    let mut clean = vec![f32::NAN; sound.len() / HOP * HOP];
    for (input, output) in sound.chunks_exact(HOP).zip(clean.chunks_exact_mut(HOP)) {
        network.process(input, output).unwrap();
    }
    clean
}

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    std::fs::read(folder.join(format!("{name}.io.safetensors"))).unwrap()
}

/// The largest differences from the fixture: embedding, SNR in dB, gains, filters, sound, sound with
/// a limit.
fn differences(mut network: DeepFilterNet3, fixture: &[u8]) -> [f32; 6] {
    let file = SafeTensors::deserialize(fixture).unwrap();
    let wanted = |name: &str| -> Vec<f32> {
        let bytes = file.tensor(name).unwrap().data();
        bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value)).collect()
    };
    let far = |found: &[f32], wanted: &[f32]| {
        assert_eq!(found.len(), wanted.len());
        assert!(found.iter().all(|value| value.is_finite()));
        found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    };

    let (snr_db, gains) = (wanted("snr_db"), wanted("gains"));
    let frames = snr_db.len();
    let by_band = made_up_f32("by_band", frames * BANDS);
    let by_bin = made_up_f32("by_bin", 2 * frames * BINS);
    let (real, imaginary) = by_bin.split_at(frames * BINS);
    let mut worst = [0.0_f32; 6];
    let (mut embeddings, mut filters) = (Vec::new(), Vec::new());
    let (encoder, erb, df) = (&network.layers.encoder, &network.layers.erb, &network.layers.df);
    for frame in 0..frames {
        let features = &mut network.features;
        features.by_band.copy_from_slice(&by_band[frame * BANDS..][..BANDS]);
        features.by_bin[0].copy_from_slice(&real[frame * BINS..][..BINS]);
        features.by_bin[1].copy_from_slice(&imaginary[frame * BINS..][..BINS]);
        encoder.run(features, &mut network.encoded).unwrap();
        erb.run(&network.encoded, &mut network.gains).unwrap();
        df.run(&network.encoded, &mut network.filters).unwrap();
        worst[1] = worst[1].max((network.encoded.snr_db - snr_db[frame]).abs());
        let wanted = &gains[frame * BANDS..][..BANDS];
        worst[2] = worst[2].max(far(&network.gains.by_band, wanted));
        if [0, 1, 5, 11].contains(&frame) {
            embeddings.extend(network.encoded.embedding);
            filters.extend(network.filters.by_bin);
        }
    }
    worst[0] = far(&embeddings, &wanted("embedding"));
    worst[3] = far(&filters, &wanted("filters"));

    network.reset();
    let sound = wanted("sound");
    let clean = run(&mut network, &sound);
    worst[4] = far(&clean[sound.len() / HOP / 2 * HOP..], &wanted("clean"));
    network.reset();
    network.set_settings(DeepFilterSettings { limit_db: 12.0, ..network.settings() });
    let limited = run(&mut network, &sound);
    worst[5] = far(&limited[sound.len() - HOP..], &wanted("limited"));
    worst
}

fn assert_close(name: &str, found: [f32; 6]) {
    let tolerances = [1e-4, 1e-3, 1e-4, 1e-4, 2e-5, 2e-5];
    println!("{name}: {found:?}");
    assert!(found.iter().zip(tolerances).all(|(found, most)| *found <= most), "{name}: {found:?}");
}

#[test]
fn every_layer_equals_onnxruntime_with_made_up_weights() {
    let network = network(DeepFilterSettings::default());
    assert_close("made up", differences(network, &fixture("small-deepfilternet3")));
}

/// Runs where the pack is installed: `LIMPID_PACKS_DIR`, or the user's own folder.
#[test]
fn the_pack_equals_onnxruntime() {
    let library = Library::open(LibraryConfig::for_user()).unwrap();
    match library.load_deep_filter_net("deepfilternet3", DeepFilterSettings::default()) {
        Ok(network) => assert_close("pack", differences(network, &fixture("deepfilternet3"))),
        Err(error) if error.kind() == LoadErrorKind::NotInstalled => println!("not run: {error}"),
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn after_a_reset_everything_is_as_at_the_start() {
    let sound = made_up_f32("sound", 12 * HOP);
    let mut network = network(DeepFilterSettings::default());
    let first = run(&mut network, &sound);
    let on = run(&mut network, &sound);
    network.reset();
    assert_eq!(run(&mut network, &sound), first);
    assert_ne!(on, first, "what was heard matters");
    assert!(first.iter().all(|sample| sample.is_finite()));
}

#[test]
fn clones_listen_for_themselves() {
    let sound = made_up_f32("sound", 8 * HOP);
    let mut one = network(DeepFilterSettings::default());
    run(&mut one, &sound[..4 * HOP]);
    let mut other = one.clone();
    other.process(&[0.5; HOP], &mut [0.0; HOP]).unwrap();
    let mut alone = network(DeepFilterSettings::default());
    let wanted = run(&mut alone, &sound);
    assert_eq!(run(&mut one, &sound[4 * HOP..]), wanted[4 * HOP..]);
}

#[test]
fn a_limit_of_nothing_is_the_sound_itself_three_hops_later() {
    let sound = made_up_f32("sound", 10 * HOP);
    let mut network = network(DeepFilterSettings { limit_db: 0.0, ..Default::default() });
    let clean = run(&mut network, &sound);
    for (found, wanted) in clean[DeepFilterNet3::DELAY..].iter().zip(&sound) {
        assert!((found - wanted).abs() < 1e-5, "{found}, not {wanted}");
    }
    let kept = |limit_db| DeepFilterSettings { limit_db, ..Default::default() }.kept();
    assert_eq!([kept(100.0), kept(f32::INFINITY), kept(f32::NAN)], [0.0; 3]);
    assert!((kept(20.0) - 0.1).abs() < 1e-6);
}

#[test]
fn stages_are_left_out_by_the_estimated_snr() {
    let sound = made_up_f32("sound", 8 * HOP);
    let with = |min_snr_db, max_snr_db, max_filter_snr_db| {
        let settings =
            DeepFilterSettings { min_snr_db, max_snr_db, max_filter_snr_db, ..Default::default() };
        run(&mut network(settings), &sound)
    };
    let silenced = with(40.0, 40.0, 40.0);
    assert!(silenced.iter().all(|sample| *sample == 0.0));
    let untouched = with(-20.0, -20.0, -20.0);
    for (found, wanted) in untouched[DeepFilterNet3::DELAY..].iter().zip(&sound) {
        assert!((found - wanted).abs() < 1e-5, "{found}, not {wanted}");
    }
    let (gained, whole) = (with(-20.0, 40.0, -20.0), with(-20.0, 40.0, 40.0));
    assert!(gained != whole && gained != untouched);
}

#[test]
fn silence_is_silent_and_what_is_under_way_comes_out_first() {
    let sound = made_up_f32("sound", 4 * HOP);
    let silent = [0.0; 6 * HOP];
    let settings = DeepFilterSettings { limit_db: 0.0, ..Default::default() };
    let mut network = network(settings);
    run(&mut network, &sound);
    let after = run(&mut network, &silent);
    assert!(after[HOP..2 * HOP].iter().any(|sample| sample.abs() > 0.1));
    assert!(after[3 * HOP..].iter().all(|sample| *sample == 0.0));
    // the reference stops at once, and goes on where it was
    network.reset();
    network.set_settings(DeepFilterSettings { silent_hops: 0, ..settings });
    run(&mut network, &sound);
    assert!(run(&mut network, &silent).iter().all(|sample| *sample == 0.0));
    let rest = run(&mut network, &sound);
    assert!((rest[0] - sound[HOP]).abs() < 1e-4, "{}, not {}", rest[0], sound[HOP]);
}

#[test]
fn hostile_samples_leave_no_trace() {
    let sound = made_up_f32("sound", 6 * HOP);
    let mut network = network(DeepFilterSettings::default());
    for value in [f32::NAN, f32::INFINITY, f32::MAX, -1e30, f32::MIN_POSITIVE] {
        let mut output = [f32::NAN; HOP];
        network.process(&[value; HOP], &mut output).unwrap();
        assert!(output.iter().all(|sample| sample.is_finite()), "{value}");
    }
    assert!(run(&mut network, &sound).iter().all(|sample| sample.is_finite()));
}

#[test]
fn other_lengths_and_other_weights_are_refused() {
    let mut network = network(DeepFilterSettings::default());
    for (input, output) in [(HOP - 1, HOP), (HOP, HOP + 1), (0, 0), (2 * HOP, 2 * HOP)] {
        let error = network.process(&vec![0.0; input], &mut vec![0.0; output]).unwrap_err();
        assert!(matches!(error, NetError::Input(_)), "{error}");
    }
    let architecture = Architecture::DnResNet { channels: 4, blocks: 1 };
    let other = Weights::from_fn(architecture, |_, shape| vec![0.0; shape.iter().product()]);
    assert!(DeepFilterNet3::new(&other.unwrap(), DeepFilterSettings::default()).is_err());
}

/// Loudness of bands and bins that are far from anything trained on must not end in numbers that
/// are none.
#[test]
fn long_silence_and_full_scale_stay_finite() {
    let settings = DeepFilterSettings { silent_hops: u32::MAX, ..Default::default() };
    let mut network = network(settings);
    let clean = run(&mut network, &vec![0.0; 300 * HOP]);
    assert!(clean.iter().all(|sample| sample.is_finite()));
    let loud: Vec<f32> = (0..20 * HOP).map(|i| if i / 100 % 2 == 0 { 1.0 } else { -1.0 }).collect();
    assert!(run(&mut network, &loud).iter().all(|sample| sample.is_finite()));
}
