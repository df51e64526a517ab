//! Frames that reconstruct, bins there and back, and DeepFilterNet's bands.
#![allow(clippy::unwrap_used)] // helpers outside the test functions

use limpid_kernels::spectrum::{
    Bands, Frames, Window, erb_widths, from_polar, magnitude_phase, power,
};
use proptest::prelude::*;

/// Cases of each property; under Miri each takes a second.
const CASES: u32 = if cfg!(miri) { 2 } else { 64 };

fn noise(len: usize) -> Vec<f32> {
    (0..len).map(|i| ((i * 7919 + 13) % 2003) as f32 / 1001.5 - 1.0).collect()
}

#[test]
fn windows_are_those_of_their_definitions() {
    let close = |found: Vec<f32>, wanted: &[f32]| {
        assert_eq!(found.len(), wanted.len());
        assert!(found.iter().zip(wanted).all(|(f, w)| (f - w).abs() < 1e-6), "{found:?}");
    };
    close(Window::Hann.values(4), &[0.0, 0.5, 1.0, 0.5]);
    let root = 0.5f32.sqrt();
    close(Window::SqrtHann.values(4), &[0.0, root, 1.0, root]);
    close(Window::Vorbis.values(4), &[0.228_013_7, 0.973_657_8, 0.973_657_8, 0.228_013_7]);
    close(Window::Rectangular.values(2), &[1.0; 2]);
    close(Window::Hann.values(0), &[]);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: CASES, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn frames_give_the_signal_back(samples in 0usize..500, hop in 1usize..60, kind in 0usize..5) {
        let (window, len, twice) = [
            (Window::SqrtHann, 2, true),
            (Window::Vorbis, 2, true),
            (Window::Hann, 4, true),
            (Window::Hann, 2, false),
            (Window::Rectangular, 1, true),
        ][kind];
        let len = len * hop;
        let analysis = window.values(len);
        let synthesis = if twice { analysis.clone() } else { vec![1.0; len] };
        let frames = Frames::new(&analysis, &synthesis, hop).unwrap();
        let signal = noise(samples);
        let (mut found, mut frame) = (vec![0.0; samples], vec![f32::NAN; len]);
        for index in 0..frames.count(samples) {
            frames.cut(&signal, index, &mut frame).unwrap();
            frames.add(&frame, index, &mut found).unwrap();
        }
        for (f, w) in found.iter().zip(&signal) {
            prop_assert!((f - w).abs() <= 1e-6, "{f}, not {w}");
        }
        // the frame after the last lies outside
        frames.cut(&signal, frames.count(samples), &mut frame).unwrap();
        prop_assert!(samples == 0 || frame.iter().all(|v| *v == 0.0));
    }
}

#[test]
fn windows_that_do_not_reconstruct_are_refused() {
    let hann = Window::Hann.values(16);
    assert!(Frames::new(&hann, &hann, 8).is_err(), "squared Hann at half overlap");
    assert!(Frames::new(&hann, &[1.0; 16], 7).is_err(), "a hop that does not divide");
    assert!(Frames::new(&hann, &[1.0; 15], 8).is_err());
    assert!(Frames::new(&hann, &[1.0; 16], 0).is_err());
    assert!(Frames::new(&hann, &[1.0; 16], 17).is_err());
    assert!(Frames::new(&[], &[], 1).is_err());
    assert!(Frames::new(&[0.0; 4], &[0.0; 4], 2).is_err());
    assert!(Frames::new(&[f32::NAN; 4], &[1.0; 4], 2).is_err());
    let frames = Frames::new(&hann, &[1.0; 16], 8).unwrap();
    assert_eq!((frames.frame_len(), frames.hop(), frames.lead()), (16, 8, 8));
    assert!(frames.cut(&[0.0; 9], 0, &mut [0.0; 15]).is_err());
    assert!(frames.add(&[0.0; 17], 0, &mut [0.0; 9]).is_err());
    frames.cut(&[1.0; 9], usize::MAX, &mut [0.0; 16]).unwrap();
}

#[test]
fn bins_survive_the_way_there_and_back() {
    let bins = noise(42);
    let [mut magnitude, mut phase, mut squares] = [(); 3].map(|()| vec![0.0; 21]);
    magnitude_phase(&bins, &mut magnitude, &mut phase).unwrap();
    power(&bins, &mut squares).unwrap();
    let mut back = vec![0.0; 42];
    from_polar(&magnitude, &phase, &mut back).unwrap();
    assert!(bins.iter().zip(&back).all(|(a, b)| (a - b).abs() < 3e-6));
    assert!(magnitude.iter().zip(&squares).all(|(m, p)| (m * m - p).abs() < 3e-6));
    assert!(power(&bins, &mut [0.0; 20]).is_err());
    assert!(magnitude_phase(&bins[1..], &mut magnitude, &mut phase).is_err());
    assert!(from_polar(&magnitude[1..], &phase, &mut back).is_err());
}

#[test]
fn bands_are_those_of_deepfilternet() {
    // libDF's `erb_fb(48000, 960, 32, 2)`, and the same at 16 kHz
    let wide = [
        2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 5, 5, 7, 7, 8, 10, 12, 13, 15, 18, 20, 24, 28, 31,
        37, 42, 50, 56, 67,
    ];
    let narrow = [1, 1, 1, 1, 1, 2, 1, 3, 2, 3, 3, 4, 4, 5, 6, 7, 8, 10, 10, 13, 15, 17, 19, 24];
    assert_eq!(erb_widths(48_000, 960, 32, 2).unwrap(), wide);
    assert_eq!(erb_widths(16_000, 320, 24, 1).unwrap(), narrow);
    assert!(erb_widths(48_000, 32, 32, 2).is_err());
    assert!(erb_widths(0, 960, 32, 2).is_err());
    assert!(erb_widths(48_000, 960, 0, 2).is_err());

    let bands = Bands::adjacent(&wide).unwrap();
    assert_eq!((bands.bins(), bands.bands()), (481, 32));
    // a value a band comes back as it went, and bins as their band's mean
    let gains = noise(32);
    let (mut bins, mut back) = (vec![0.0; 481], vec![0.0; 32]);
    bands.spread(&gains, &mut bins).unwrap();
    bands.group(&bins, &mut back).unwrap();
    assert!(gains.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-6));
    assert!((bins[26] - gains[13]).abs() < 1e-6 && (bins[30] - gains[13]).abs() < 1e-6);
    assert!(bands.group(&bins[1..], &mut back).is_err());
    assert!(bands.spread(&gains[1..], &mut bins).is_err());
    assert!(Bands::adjacent(&[]).is_err());
    assert!(Bands::adjacent(&[2, 0]).is_err());
}

#[test]
fn weighted_bands_are_a_matrix_and_its_transpose() {
    let rows = vec![(0, vec![0.5, 1.0, 0.5]), (2, vec![0.5, 1.0])];
    let bands = Bands::weighted(5, rows).unwrap();
    let (mut grouped, mut bins) = ([0.0; 2], [f32::NAN; 5]);
    bands.group(&[1.0, 2.0, 3.0, 4.0, 5.0], &mut grouped).unwrap();
    assert_eq!(grouped, [4.0, 5.5]);
    bands.spread(&[2.0, 4.0], &mut bins).unwrap();
    assert_eq!(bins, [1.0, 2.0, 3.0, 4.0, 0.0]);
    assert!(Bands::weighted(5, vec![(4, vec![1.0; 2])]).is_err());
    assert!(Bands::weighted(5, vec![(usize::MAX, vec![1.0; 2])]).is_err());
    assert!(Bands::weighted(5, vec![]).is_err());
}
