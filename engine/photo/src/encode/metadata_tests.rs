//! Metadata that takes a way of its own: chunks of PNG, second pictures of JPEG, blocks too large.

use std::fs;

use super::tests::{Bench, picture};
use super::*;
use crate::decode::decode;
use crate::metadata::PngChunk;
use crate::metadata::exif;
use crate::metadata::exif::tests::camera_block;
use crate::metadata::ifd::Order;

const RGB: Layout = Layout { color: ColorKind::Rgb, alpha: false, depth: Depth::U8 };

fn chunk(name: &[u8; 4], data: &[u8]) -> PngChunk {
    PngChunk { name: *name, data: data.to_vec() }
}

#[test]
fn png_keeps_its_chunks_but_not_the_text_that_repeats_exif() {
    let bench = Bench::new();
    let mut before = picture(RGB, Order::Little, false);
    let gamma = chunk(b"gAMA", &100_000_u32.to_be_bytes());
    let title = chunk(b"tEXt", b"Title\0Night");
    let gps = chunk(b"tEXt", b"x:GPSLatitude\x0048.85");
    before.metadata.png = vec![
        gamma.clone(),
        title.clone(),
        gps.clone(),
        chunk(b"tEXt", b"exif:Orientation\x006"),
        chunk(b"zTXt", b"Raw profile type APP1\0\0xx"),
    ];
    let kept = |format, strip| bench.through(&before, format, strip);
    let round = kept(FileFormat::Png, false);
    let xmp = |chunk: &&PngChunk| !chunk.keyword().starts_with(b"XML:");
    let chunks: Vec<_> = round.picture.metadata.png.iter().filter(xmp).cloned().collect();
    assert_eq!(chunks, [gamma.clone(), title.clone(), gps]);
    let round = kept(FileFormat::Png, true);
    let chunks: Vec<_> = round.picture.metadata.png.iter().filter(xmp).cloned().collect();
    assert_eq!(chunks, [gamma, title]);
    let round = kept(FileFormat::Jpeg, false);
    assert!(round.notes.iter().any(|note| note.contains("gamma")), "{:?}", round.notes);
}

#[test]
fn what_a_jpeg_had_besides_its_picture_is_named() {
    let bench = Bench::new();
    let path = bench.folder.path().join("phone.jpg");
    bench.write(&picture(RGB, Order::Big, false), FileFormat::Jpeg, false, &path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let head = b"http://ns.adobe.com/xmp/extension/\0";
    // Cut off, as nothing that decoding needs may be.
    let part = [head.as_slice(), b"abc"].concat();
    let mut extra = b"\xFF\xE2\0\x08MPF\0xx\xFF\xE1".to_vec();
    extra.extend((part.len() as u16 + 2).to_be_bytes());
    extra.extend(part);
    bytes.splice(2..2, extra);
    fs::write(&path, bytes).unwrap();
    let read = decode(&path, &bench.cx()).unwrap();
    let notes = bench.through(&read, FileFormat::Jpeg, false).notes;
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes.iter().all(|note| note.ends_with("left out")), "{notes:?}");
}

#[test]
fn exif_that_a_jpeg_cannot_hold_loses_its_maker_note_only() {
    let bench = Bench::new();
    let mut before = picture(RGB, Order::Little, false);
    let block = camera_block(Order::Little);
    let short = exif::without_maker_note(&block).unwrap();
    assert_eq!(exif::camera(&short), exif::camera(&block));
    // A maker note of 70 KB: the one of the block grows behind everything else.
    let entry = block.windows(4).position(|w| w == [0x7C, 0x92, 7, 0]).unwrap();
    let mut large = block;
    let (length, place) = (70_000_u32, large.len() as u32);
    large[entry + 4..entry + 8].copy_from_slice(&length.to_le_bytes());
    large[entry + 8..entry + 12].copy_from_slice(&place.to_le_bytes());
    large.resize((place + length) as usize, 0xAB);
    before.metadata.exif = Some(large);
    let round = bench.through(&before, FileFormat::Jpeg, false);
    assert!(round.notes.iter().any(|note| note.contains("maker notes")), "{:?}", round.notes);
    assert_eq!(round.picture.metadata.camera(), before.metadata.camera());
    let round = bench.through(&before, FileFormat::Png, false);
    assert!(round.notes.iter().all(|note| !note.contains("EXIF")), "{:?}", round.notes);
    let block = round.picture.metadata.exif.unwrap();
    assert!(block.windows(70_000).any(|window| window.iter().all(|byte| *byte == 0xAB)));
}

#[test]
fn damaged_blocks_are_left_out_with_a_note() {
    let bench = Bench::new();
    let mut before = picture(RGB, Order::Little, false);
    before.metadata.exif = Some(b"II*\0\xFF\xFF\xFF\xFF".to_vec());
    before.metadata.xmp = Some(b"<x:xmpmeta".to_vec());
    let round = bench.through(&before, FileFormat::Png, true);
    assert_eq!(round.notes.iter().filter(|note| note.ends_with("left out")).count(), 3);
    assert_eq!((round.picture.metadata.exif, round.picture.metadata.xmp), (None, None));
}
