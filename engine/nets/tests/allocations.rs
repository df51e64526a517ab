//! A speech network allocates nothing once it is made.
#![allow(clippy::unwrap_used)] // a test program

#[path = "../../../tests/support/allocator.rs"]
mod allocator;

use limpid_nets::speech::OwnSpeech;
use limpid_nets::{Architecture, DeepFilterNet3, DeepFilterSettings, Weights};

use allocator::calls_on_this_thread;

#[test]
fn no_hop_allocates_on_any_thread() {
    let weights = Weights::from_fn(Architecture::DeepFilterNet3, |_, shape| {
        let count: usize = shape.iter().product();
        (0..count).map(|i| (i % 7) as f32 * 0.01 - 0.03).collect()
    })
    .unwrap();
    let mut network = DeepFilterNet3::new(&weights, DeepFilterSettings::default()).unwrap();
    // a thread that has never run anything, from its first hop on
    let count = std::thread::spawn(move || {
        let sound: Vec<f32> = (0..DeepFilterNet3::HOP).map(|i| (i % 90) as f32 / 90.0).collect();
        let mut output = vec![0.0; DeepFilterNet3::HOP];
        let before = calls_on_this_thread();
        for hop in 0..20 {
            network.process(&sound, &mut output).unwrap();
            if hop == 10 {
                network.reset();
                network.set_settings(DeepFilterSettings { limit_db: 20.0, ..Default::default() });
            }
        }
        for _ in 0..6 {
            network.process(&[0.0; DeepFilterNet3::HOP], &mut output).unwrap();
        }
        calls_on_this_thread() - before
    });
    assert_eq!(count.join().unwrap(), 0);
}

#[test]
fn no_hop_of_our_own_network_allocates_either() {
    let weights = include_bytes!("../../../models/gsa-voice-live/weights.safetensors");
    let mut network = OwnSpeech::read(weights).unwrap();
    // Past the 128 frames that its attention looks back on, and once more after a reset.
    let count = std::thread::spawn(move || {
        let sound: Vec<f32> = (0..OwnSpeech::HOP).map(|i| (i % 90) as f32 / 90.0).collect();
        let mut output = vec![0.0; OwnSpeech::HOP];
        let before = calls_on_this_thread();
        for hop in 0..150 {
            network.process(&sound, &mut output).unwrap();
            if hop == 140 {
                network.reset();
                network.set_floor(0.1);
            }
        }
        calls_on_this_thread() - before
    });
    assert_eq!(count.join().unwrap(), 0);
}
