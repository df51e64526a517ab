use super::*;
use crate::metadata::build::{Dir, Field, serialize};
use proptest::prelude::*;

/// A camera's block: orientation 6, sizes, a maker note, GPS, and a thumbnail at the end.
pub(crate) fn camera_block(order: Order) -> Vec<u8> {
    let short = |tag, value| Field::short(order, tag, value);
    let ascii = |tag, text: &str| Field::ascii(tag, text);
    let interop = Dir { fields: vec![short(RELATED_WIDTH, 640)], children: vec![] };
    let mut maker = b"MAKER\0".to_vec();
    maker.extend((0..200).map(|i| i as u8));
    let exif = Dir {
        fields: vec![
            Field { tag: 0x829A, kind: 5, count: 1, data: rational(order, 1, 60) },
            Field { tag: 0x829D, kind: 5, count: 1, data: rational(order, 20, 10) },
            short(0x8827, 6400),
            Field { tag: 0x920A, kind: 5, count: 1, data: rational(order, 23, 1) },
            Field { tag: 0x927C, kind: 7, count: maker.len() as u32, data: maker },
            short(PIXEL_X_DIMENSION, 640),
            Field::long(order, PIXEL_Y_DIMENSION, 480),
        ],
        children: vec![(INTEROP_IFD, interop)],
    };
    let mut latitude = rational(order, 48, 1);
    latitude.extend(rational(order, 51, 1));
    latitude.extend(rational(order, 2999, 100));
    let gps = Dir {
        fields: vec![
            ascii(1, "N"),
            Field { tag: 2, kind: 5, count: 3, data: latitude },
            ascii(0x1D, "2026:11:22"),
        ],
        children: vec![],
    };
    let first = Dir {
        fields: vec![
            ascii(0x010F, "FUJIFILM"),
            ascii(0x0110, "X-T3"),
            short(ORIENTATION, 6),
            Field { tag: X_RESOLUTION, kind: 5, count: 1, data: rational(order, 300, 1) },
        ],
        children: vec![(EXIF_IFD, exif), (GPS_IFD, gps)],
    };
    let mut block = serialize(&first, order);
    // The second directory, with a thumbnail behind it.
    let second = block.len();
    let start = {
        let tiff = Tiff::open(&block[..]).unwrap();
        tiff.directory(tiff.first).unwrap().end as usize
    };
    block[start..start + 4].copy_from_slice(&order.of_u32(second as u32));
    let thumbnail = second + 2 + 24 + 4;
    block.extend(order.of_u16(2));
    for (tag, value) in [(THUMBNAIL_OFFSET, thumbnail as u32), (THUMBNAIL_LENGTH, 50)] {
        block.extend(order.of_u16(tag));
        block.extend(order.of_u16(LONG));
        block.extend(order.of_u32(1));
        block.extend(order.of_u32(value));
    }
    block.extend([0; 4]);
    block.extend([0xD8; 50]);
    block
}

fn rational(order: Order, over: u32, under: u32) -> Vec<u8> {
    [order.of_u32(over), order.of_u32(under)].concat()
}

fn integer(block: &[u8], path: &[u16], tag: u16) -> Option<u64> {
    let tiff = Tiff::open(block)?;
    let mut directory = tiff.directory(tiff.first)?;
    for step in path {
        directory = tiff.child(&directory, *step)?;
    }
    tiff.integer(directory.find(tag)?)
}

#[test]
fn an_edit_corrects_what_is_stale_and_keeps_the_rest_in_its_place() {
    for order in [Order::Little, Order::Big] {
        let block = camera_block(order);
        assert_eq!(orientation(&block), Some(6));
        let edits = Edits { size: Some((1280, 70_000)), strip_gps: false };
        let out = edit(&block, &edits).unwrap();
        assert_eq!(orientation(&out), Some(1));
        assert_eq!(integer(&out, &[EXIF_IFD], PIXEL_X_DIMENSION), Some(1280));
        assert_eq!(integer(&out, &[EXIF_IFD], PIXEL_Y_DIMENSION), Some(70_000));
        assert_eq!(integer(&out, &[EXIF_IFD, INTEROP_IFD], RELATED_WIDTH), Some(1280));
        let tiff = Tiff::open(&out[..]).unwrap();
        assert_eq!(tiff.directory(tiff.first).unwrap().next, 0, "no thumbnail directory");
        assert!(!out.windows(8).any(|w| w == [0xD8; 8]), "no thumbnail bytes");
        assert!(out.len() < block.len(), "the block ends where the thumbnail was");
        let changed: Vec<usize> = (0..out.len()).filter(|i| out[*i] != block[*i]).collect();
        assert!(changed.len() < 30, "{} bytes changed", changed.len());
        let maker = block.windows(6).position(|w| w == b"MAKER\0").unwrap();
        assert_eq!(out[maker..maker + 206], block[maker..maker + 206]);
    }
}

#[test]
fn the_place_goes_whole_and_nothing_else() {
    for order in [Order::Little, Order::Big] {
        let block = camera_block(order);
        let kept = edit(&block, &Edits::default()).unwrap();
        let out = edit(&block, &Edits { size: None, strip_gps: true }).unwrap();
        let date = |b: &[u8]| b.windows(10).any(|w| w == b"2026:11:22");
        assert!(date(&kept) && !date(&out));
        assert_eq!(integer(&out, &[], GPS_IFD), None);
        assert_eq!(integer(&out, &[EXIF_IFD], 0x8827), Some(6400));
        assert_eq!(density(&out), density(&block));
        assert_eq!(camera(&out).unwrap(), "FUJIFILM X-T3, 23 mm, f/2, 1/60 s, ISO 6400");
    }
}

#[test]
fn an_edit_twice_is_an_edit_once() {
    let edits = Edits { size: Some((3, 4)), strip_gps: true };
    let once = edit(&camera_block(Order::Little), &edits).unwrap();
    assert_eq!(edit(&once, &edits).unwrap(), once);
}

#[test]
fn a_thumbnail_that_claims_the_directory_itself_takes_nothing_that_stays() {
    let mut block = camera_block(Order::Little);
    let at = block.len() - 50 - 4 - 4;
    // Its length now reaches from its place to far outside, its offset to the header.
    block[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    block[at - 12..at - 8].copy_from_slice(&0_u32.to_le_bytes());
    let out = edit(&block, &Edits::default()).unwrap();
    assert_eq!(camera(&out), camera(&block));
    assert_eq!(integer(&out, &[GPS_IFD], 1), integer(&block, &[GPS_IFD], 1));
}

#[test]
fn what_is_no_block_is_refused() {
    let block = camera_block(Order::Little);
    assert_eq!(edit(b"", &Edits::default()), Err(ExifError::NoHeader));
    assert_eq!(edit(b"Exif\0\0II*\0", &Edits::default()), Err(ExifError::NoHeader));
    assert_eq!(edit(&block[..20], &Edits::default()), Err(ExifError::CutOff));
}

#[test]
#[allow(clippy::single_range_in_vec_init)] // lists of ranges are meant
fn ranges_are_subtracted() {
    let cases = [
        (vec![0..10], vec![2..3, 5..7], vec![0..2, 3..5, 7..10]),
        (vec![5..6, 0..4], vec![3..9], vec![0..3]),
        (vec![0..4, 2..8], vec![], vec![0..8]),
        (vec![0..u64::MAX], vec![0..19], vec![19..20]),
    ];
    for (from, what, wanted) in cases {
        assert_eq!(subtract(from, what, 20), wanted);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_edited_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = edit(&bytes, &Edits { size: Some((1, 2)), strip_gps: true });
    }

    #[test]
    fn a_damaged_block_is_edited_or_refused(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        big: bool,
        strip_gps: bool,
    ) {
        let mut block = camera_block(if big { Order::Big } else { Order::Little });
        for (index, value) in changes {
            let at = index.index(block.len());
            block[at] = value;
        }
        if let Ok(out) = edit(&block, &Edits { size: Some((70_000, 2)), strip_gps }) {
            prop_assert!(out.len() <= block.len());
            prop_assert!(edit(&out, &Edits::default()).is_ok());
        }
        let _ = (orientation(&block), density(&block), camera(&block));
    }
}
