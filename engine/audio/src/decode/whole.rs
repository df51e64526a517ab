//! Whether a file is as long as its own tables say, seen without decoding it.
//!
//! Readers that come to the end of a cut file often take it for the end of the sound; the result
//! would be silently shorter.

use std::fs::File;
use std::io;

use super::sniff::{Kind, read_at};
use super::{aiff_caf, mp4};
use crate::error::AudioError;

/// An error when `file` is shorter than it says. Codings that know their length only sample by
/// sample (FLAC, MP3) are checked while they are read.
pub(super) fn check(file: &mut File, kind: Kind, file_len: u64) -> Result<(), AudioError> {
    let whole = match kind {
        Kind::Ogg => ogg(file, file_len),
        Kind::Matroska => matroska(file, file_len),
        Kind::Mp4 => return mp4::check(file, file_len),
        Kind::Aiff => aiff_caf::aiff(file, file_len),
        Kind::Caf => aiff_caf::caf(file, file_len),
        Kind::Wav | Kind::Flac | Kind::Mp3 | Kind::Adts => Ok(true),
    };
    if whole.map_err(AudioError::reading)? { Ok(()) } else { Err(AudioError::cut_off()) }
}

/// The last page must be whole and say that it is the last one of its stream.
fn ogg(file: &mut File, file_len: u64) -> io::Result<bool> {
    const LONGEST_PAGE: u64 = 27 + 255 + 255 * 255;
    // Some programs leave zeros or a tag behind the last page: look at two pages' length.
    let from = file_len.saturating_sub(2 * LONGEST_PAGE);
    let tail = read_at(file, from, 2 * 65_307)?;
    let mut at = tail.len().saturating_sub(27);
    loop {
        let page = &tail[at..];
        if page.starts_with(b"OggS") && page.len() >= 27 && page[4] == 0 {
            let segments = usize::from(page[26]);
            let table = page.get(27..27 + segments);
            let body: Option<usize> =
                table.map(|table| table.iter().map(|len| usize::from(*len)).sum());
            let whole = body.is_some_and(|body| page.len() >= 27 + segments + body);
            return Ok(whole && page[5] & 4 != 0);
        }
        if at == 0 {
            return Ok(false);
        }
        at -= 1;
    }
}

/// The segment's length, where it is told, must fit the file.
fn matroska(file: &mut File, file_len: u64) -> io::Result<bool> {
    let head = read_at(file, 0, 4096)?;
    let Some((header_len, used)) = ebml_len(head.get(4..).unwrap_or_default()) else {
        return Ok(false);
    };
    let at = 4 + used as u64 + header_len.unwrap_or(0);
    let segment = read_at(file, at, 12)?;
    if !segment.starts_with(&[0x18, 0x53, 0x80, 0x67]) {
        return Ok(true); // something stands between; the reader will know
    }
    Ok(match ebml_len(&segment[4..]) {
        Some((Some(len), used)) => at + 4 + used as u64 + len <= file_len,
        Some((None, _)) => true, // a live stream: no length was ever known
        None => false,
    })
}

/// An EBML length and the bytes it took; `None` inside for "unknown".
fn ebml_len(bytes: &[u8]) -> Option<(Option<u64>, usize)> {
    let first = *bytes.first()?;
    let used = first.leading_zeros() as usize + 1;
    if used > 8 {
        return None;
    }
    let mut value = u64::from(first) & ((1u64 << (8 - used)) - 1);
    for byte in bytes.get(1..used)? {
        value = (value << 8) | u64::from(*byte);
    }
    let unknown = (1u64 << (7 * used)) - 1;
    Some(((value != unknown).then_some(value), used))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ebml_lengths() {
        let cases: [(&[u8], Option<(Option<u64>, usize)>); 5] = [
            (&[0x82], Some((Some(2), 1))),
            (&[0x40, 0x05], Some((Some(5), 2))),
            (&[0xff], Some((None, 1))),
            (&[0x01, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], Some((None, 8))),
            (&[0x40], None),
        ];
        for (bytes, wanted) in cases {
            assert_eq!(ebml_len(bytes), wanted, "{bytes:x?}");
        }
    }
}
