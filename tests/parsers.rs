//! The fuzz targets' entry points over a small corpus and over random changes of it, so that every
//! change of a reader meets hostile bytes before it is merged.

// A test fails by panicking, and tells a measured figure by printing it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "../fuzz/entries.rs"]
mod entries;

use limpid_engine::{Denoise, Recipe, StepSettings, Upscale};
use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence};

/// Changes of the corpus that are tried for each reader.
fn config(cases: u32) -> Config {
    let failure_persistence = Some(Box::new(FileFailurePersistence::Off) as _);
    Config { cases, failure_persistence, ..Config::default() }
}

/// A change of some bytes: a place as a share of the length, and what happens there.
#[derive(Clone, Debug)]
enum Change {
    Put(f64, u8),
    Cut(f64),
    Repeat(f64, usize),
    Insert(f64, Vec<u8>),
}

fn change() -> impl Strategy<Value = Change> {
    let place = 0.0..1.0_f64;
    prop_oneof![
        4 => (place.clone(), any::<u8>()).prop_map(|(at, byte)| Change::Put(at, byte)),
        1 => place.clone().prop_map(Change::Cut),
        1 => (place.clone(), 1..40_usize).prop_map(|(at, length)| Change::Repeat(at, length)),
        1 => (place, prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Change::Insert(at, bytes)),
    ]
}

fn changed(bytes: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for change in changes {
        let index = |at: f64, bytes: &[u8]| {
            ((at * bytes.len() as f64) as usize).min(bytes.len().saturating_sub(1))
        };
        match change {
            _ if bytes.is_empty() => {}
            Change::Put(at, byte) => {
                let at = index(*at, &bytes);
                bytes[at] = *byte;
            }
            Change::Cut(at) => bytes.truncate(index(*at, &bytes)),
            Change::Repeat(at, length) => {
                let at = index(*at, &bytes);
                let piece = bytes[at..(at + length).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
            Change::Insert(at, piece) => {
                let at = index(*at, &bytes);
                bytes.splice(at..at, piece.iter().copied());
            }
        }
    }
    bytes
}

/// Runs a reader over the corpus as it is, then over changes of it, then over random bytes.
fn stands(entry: fn(&[u8]), corpus: &[Vec<u8>], cases: u32) {
    corpus.iter().for_each(|bytes| entry(bytes));
    let strategy = (0..corpus.len(), prop::collection::vec(change(), 1..6));
    let mut runner = proptest::test_runner::TestRunner::new(config(cases));
    let outcome = runner.run(&strategy, |(which, changes)| {
        entry(&changed(&corpus[which], &changes));
        Ok(())
    });
    outcome.unwrap();
    let random = prop::collection::vec(any::<u8>(), 0..300);
    runner
        .run(&random, |bytes| {
            entry(&bytes);
            Ok(())
        })
        .unwrap();
}

#[test]
fn the_recipe_reader() {
    let mut recipe = Recipe::new([
        StepSettings::Denoise(Denoise::default()),
        StepSettings::Upscale(Upscale::default()),
    ]);
    recipe.output.folder = Some("out put".into());
    let written = recipe.to_toml().unwrap().into_bytes();
    stands(
        entries::recipe,
        &[written, b"version = 1\n[[steps]]\nkind = \"denoise\"\nstrength = 0.3\n".to_vec()],
        2000,
    );
}

#[test]
fn the_packs_reader() {
    let table = include_bytes!("../models/packs.toml");
    stands(entries::packs, &[table.to_vec()], 1000);
}

/// A container as safetensors lays it out: a length, a header in JSON, numbers.
fn container(header: &str, numbers: usize) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.resize(bytes.len() + numbers, 0);
    bytes
}

#[test]
fn the_weights_reader() {
    let plain = r#"{"__metadata__":{"limpid.arch":"ffdnet","limpid.channels":"4","limpid.layers":"3"},"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}"#;
    let huge = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,16]}}"#;
    let crossed = r#"{"a":{"dtype":"F16","shape":[4],"data_offsets":[8,0]}}"#;
    let mut long = u64::MAX.to_le_bytes().to_vec();
    long.extend_from_slice(b"{}");
    let corpus = [
        container(plain, 16),
        container(huge, 16),
        container(crossed, 8),
        container("{}", 0),
        long,
    ];
    stands(entries::weights, &corpus, 1000);
}

#[test]
fn the_queue_reader() {
    // A real journal: what a batch leaves that is killed at its first event.
    let place = tempfile::tempdir().unwrap();
    let state = place.path().join("state");
    let journal = {
        let library = limpid_engine::LibraryConfig {
            packs_dir: place.path().join("packs"),
            imports_dir: place.path().join("imports"),
        };
        let config = limpid_engine::EngineConfig {
            state_dir: Some(state.clone()),
            views: false,
            ..limpid_engine::EngineConfig::new(library)
        };
        let engine = limpid_engine::Engine::start(config).unwrap();
        engine.pause();
        let job = limpid_engine::Job {
            inputs: vec!["a.jpg".into(), "b c.png".into()],
            recursive: false,
            recipe: Recipe::new([StepSettings::Denoise(Denoise::default())]),
            destination: limpid_engine::Destination::Recipe,
        };
        engine.submit(job).unwrap();
        // Not `Idle`: pausing tells that too, before the files are found.
        let is_in = |event: limpid_engine::Event| matches!(event, limpid_engine::Event::Queued { items, .. } if items.len() == 2);
        assert!(engine.events().iter().any(is_in));
        drop(engine);
        std::fs::read(state.join("queue.journal")).unwrap()
    };
    let contents = limpid_engine::journal::read(&journal);
    assert_eq!((contents.jobs, contents.files, contents.damaged_lines), (1, 2, 0));
    stands(entries::queue, &[journal, b"0000000000000000 {}\n".to_vec()], 2000);
}

/// A little EXIF block: orientation, and a GPS directory that holds one entry.
fn exif_block() -> Vec<u8> {
    let mut block = b"II*\0\x08\0\0\0".to_vec();
    let entry = |out: &mut Vec<u8>, tag: u16, kind: u16, count: u32, value: u32| {
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&count.to_le_bytes());
        out.extend_from_slice(&value.to_le_bytes());
    };
    block.extend_from_slice(&2_u16.to_le_bytes());
    entry(&mut block, 0x0112, 3, 1, 6);
    entry(&mut block, 0x8825, 4, 1, 38);
    block.extend_from_slice(&0_u32.to_le_bytes());
    assert_eq!(block.len(), 38);
    block.extend_from_slice(&1_u16.to_le_bytes());
    entry(&mut block, 1, 2, 2, u32::from(b'N'));
    block.extend_from_slice(&0_u32.to_le_bytes());
    block
}

#[test]
fn the_exif_editor() {
    let block = exif_block();
    // A directory that names itself as the next one.
    let mut looped = block.clone();
    looped[34..38].copy_from_slice(&8_u32.to_le_bytes());
    let empty = b"MM\0*\0\0\0\x08\0\0".to_vec();
    // A directory in the header: the end of its chain is the header's pointer to it.
    let overlapping = b"MM\0*\0\0\0\x04\0\0".to_vec();
    stands(entries::exif, &[block, looped, empty, overlapping], 3000);
}

#[test]
fn the_xmp_editor() {
    let packet =
        br#"<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 tiff:Orientation="6" exif:PixelXDimension="40"><exif:GPSLatitude>48,12.0N</exif:GPSLatitude>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>"#;
    stands(entries::xmp, &[packet.to_vec()], 3000);
}

#[test]
fn the_picture_readers() {
    let picture =
        image::RgbImage::from_fn(9, 7, |x, y| image::Rgb([x as u8 * 20, y as u8 * 30, 90]));
    let formats = [
        image::ImageFormat::Jpeg,
        image::ImageFormat::Png,
        image::ImageFormat::Tiff,
        image::ImageFormat::WebP,
        image::ImageFormat::Bmp,
    ];
    let corpus = formats.map(|format| {
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    });
    stands(entries::picture, &corpus, 1000);
}
