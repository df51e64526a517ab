//! AIFF and CAF: whether the chunks fit the file.

use std::fs::File;
use std::io;

use super::sniff::read_at;

const MAX_CHUNKS: usize = 4096;

/// The sound chunk of an AIFF file must lie inside the file.
pub(super) fn aiff(file: &mut File, file_len: u64) -> io::Result<bool> {
    let mut at = 12u64;
    for _ in 0..MAX_CHUNKS {
        let head = read_at(file, at, 8)?;
        let Some(len) = head.get(4..8).and_then(|len| len.try_into().ok()).map(u32::from_be_bytes)
        else {
            return Ok(true); // no sound chunk: the reader will say so
        };
        let end = at + 8 + u64::from(len);
        if head.starts_with(b"SSND") {
            return Ok(end <= file_len);
        }
        at = end + u64::from(len % 2);
    }
    Ok(true)
}

/// The sound chunk of a CAF file must lie inside the file; −1 means "to the end".
pub(super) fn caf(file: &mut File, file_len: u64) -> io::Result<bool> {
    let mut at = 8u64;
    for _ in 0..MAX_CHUNKS {
        let head = read_at(file, at, 12)?;
        let Some(len) = head.get(4..12).and_then(|len| len.try_into().ok()).map(i64::from_be_bytes)
        else {
            return Ok(true);
        };
        let is_sound = head.starts_with(b"data");
        let Ok(len) = u64::try_from(len) else { return Ok(is_sound) };
        let end = at.saturating_add(12).saturating_add(len);
        if is_sound {
            return Ok(end <= file_len);
        }
        at = end;
    }
    Ok(true)
}
