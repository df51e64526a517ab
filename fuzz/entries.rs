//! What every reader of ours must stand, whatever the bytes: no panic, no memory beyond reason, and
//! what was understood is understood again. The fuzz targets and the ordinary tests in
//! `tests/parsers.rs` share these.

use limpid_engine::{Recipe, journal};
use limpid_kernels::{Cancel, Pool};
use limpid_nets::{Weights, packs};
use limpid_photo::metadata::{exif, xmp};
use limpid_photo::{WorkContext, decode};

/// A recipe file.
pub(crate) fn recipe(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(recipe) = Recipe::from_toml(text) {
        let written = recipe.to_toml().expect("what was read can be written");
        let again = Recipe::from_toml(&written).expect("what was written can be read");
        assert_eq!(again, recipe, "{written}");
    }
}

/// The table of packs.
pub(crate) fn packs(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(packs) = packs::parse(text) {
        for pack in packs {
            let path = pack.path(std::path::Path::new("packs"));
            assert_eq!(path.parent(), Some(std::path::Path::new("packs")), "it leaves its folder");
        }
    }
}

/// A weight file.
pub(crate) fn weights(bytes: &[u8]) {
    if let Ok(weights) = Weights::read(bytes) {
        let _ = weights.architecture();
    }
}

/// A saved queue, as it is and with the checksums that its lines would need.
pub(crate) fn queue(bytes: &[u8]) {
    let summed: Vec<u8> = bytes.split(|byte| *byte == b'\n').flat_map(journal::line).collect();
    for bytes in [bytes, &summed] {
        let contents = journal::read(bytes);
        assert!(contents.unfinished <= contents.files);
        assert!(contents.damaged_lines <= bytes.len());
    }
}

const EDITS: exif::Edits = exif::Edits { size: Some((4000, 3000)), strip_gps: true };

/// An EXIF block that is corrected.
pub(crate) fn exif(bytes: &[u8]) {
    if let Ok(edited) = exif::edit(bytes, &EDITS) {
        assert!(edited.len() <= bytes.len() + 4096, "{} became {}", bytes.len(), edited.len());
        exif::edit(&edited, &EDITS).expect("what was corrected can be corrected again");
    }
}

/// An XMP packet that is corrected.
pub(crate) fn xmp(bytes: &[u8]) {
    if let Ok(edited) = xmp::edit(bytes, &EDITS) {
        let again = xmp::edit(&edited, &EDITS).expect("what was corrected can be corrected again");
        assert_eq!(again, edited, "the second correction has nothing left to do");
    }
}

/// A picture file, under a budget of 64 MB.
pub(crate) fn picture(bytes: &[u8]) {
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), bytes).expect("a temporary file");
    let pool = Pool::new(1).expect("a thread");
    let cancel = Cancel::new();
    let cx = WorkContext { pool: &pool, cancel: &cancel, budget_bytes: 64_000_000 };
    if let Ok(picture) = decode(file.path(), &cx) {
        assert!(picture.raster.width() > 0 && picture.raster.height() > 0);
    }
}
