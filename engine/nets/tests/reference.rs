//! Whole networks against PyTorch and ncnn, on the outputs that `fixtures/make_reference.py` wrote.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)] // helpers of tests

use std::path::{Path, PathBuf};

use limpid_kernels::{Cancel, Planes, Pool, RunContext};
use limpid_nets::{Device, Library, LibraryConfig, LoadErrorKind, Network, Task};
use safetensors::SafeTensors;

/// Largest difference allowed from another implementation, of a range of 0..1.
const TOLERANCE: f32 = 1e-4;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn planes(file: &SafeTensors<'_>, name: &str) -> Planes {
    let tensor = file.tensor(name).unwrap();
    let &[channels, height, width] = tensor.shape() else { panic!("{name} is not a picture") };
    let values = tensor.data().as_chunks::<4>().0.iter().map(|v| f32::from_le_bytes(*v)).collect();
    Planes::from_vec(channels, height, width, values).unwrap()
}

/// Runs the input of `NAME.io.safetensors`; the largest difference from the output in it.
fn difference(network: &Network, name: &str) -> f32 {
    let bytes = std::fs::read(fixture(&format!("{name}.io.safetensors"))).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let sigma = file
        .tensor("sigma")
        .ok()
        .map(|tensor| f32::from_le_bytes(*tensor.data().first_chunk().unwrap()));
    assert_eq!(network.wants_sigma(), sigma.is_some());
    let (input, expected) = (planes(&file, "input"), planes(&file, "output"));
    let (pool, cancel) = (Pool::new(2).unwrap(), Cancel::new());
    let found = network.run(&input, sigma, &RunContext { pool: &pool, cancel: &cancel }).unwrap();
    assert_eq!(
        (found.channels(), found.height(), found.width()),
        (expected.channels(), expected.height(), expected.width())
    );
    found.data().iter().zip(expected.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn small_networks_equal_pytorch() {
    small_networks_on(Device::Cpu);
}

/// The same descriptions through the other executor, on candle's own CPU device.
#[cfg(feature = "candle")]
#[test]
fn small_networks_equal_pytorch_through_candle() {
    small_networks_on(Device::Candle(candle_core::Device::Cpu));
}

fn small_networks_on(device: Device) {
    let folder = tempfile::tempdir().unwrap();
    let config = LibraryConfig {
        packs_dir: folder.path().join("packs"),
        imports_dir: folder.path().join("imports"),
    };
    let library = Library::open_on(config, device).unwrap();
    let mut faults = Vec::new();
    for name in
        ["small-ffdnet", "small-span-x2", "small-span-x4", "small-dn-resnet", "small-ct-srcnn"]
    {
        let card = library.import(&fixture(&format!("{name}.safetensors"))).unwrap();
        let network = library.load(&card.name).unwrap();
        let difference = difference(&network, name);
        println!("{name}: {difference:e}");
        if difference > TOLERANCE {
            faults.push(format!("{name}: {difference:e}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Runs where the packs are installed: `LIMPID_PACKS_DIR`, or the user's own folder.
#[test]
fn packs_equal_the_runtimes_they_come_from() {
    let library = Library::open(LibraryConfig::for_user()).unwrap();
    let mut faults = Vec::new();
    // those for speech are compared beside them, layer by layer
    for pack in library.packs().iter().filter(|pack| pack.card.task != Task::Speech) {
        let name = pack.name();
        match library.load(name) {
            Ok(network) => {
                let difference = difference(&network, name);
                println!("{name}: {difference:e}");
                if difference > TOLERANCE {
                    faults.push(format!("{name}: {difference:e}"));
                }
            }
            Err(error) if error.kind() == LoadErrorKind::NotInstalled => {
                println!("not run: {error}")
            }
            Err(error) => faults.push(error.to_string()),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
