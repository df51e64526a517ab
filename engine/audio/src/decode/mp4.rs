//! MP4, M4A and MOV: whether the file is whole, and how much of the coded sound its edit list
//! leaves out at the start (the coder's delay).

use std::fs::File;
use std::io;

use super::sniff::read_at;
use crate::error::AudioError;

/// More boxes than this at one level are an attack.
const MAX_BOXES: usize = 1 << 14;

/// One box: its name, where its content begins and ends.
struct Atom {
    name: [u8; 4],
    start: u64,
    end: u64,
}

/// The boxes between `at` and `end`; the last one may reach beyond a cut file's end.
fn boxes(file: &mut File, mut at: u64, end: u64) -> io::Result<Vec<Atom>> {
    let mut found = Vec::new();
    while at + 8 <= end && found.len() < MAX_BOXES {
        let head = read_at(file, at, 16)?;
        let (Some(len), Some(name)) = (be_u32(&head, 0), head.get(4..8)) else { break };
        let (start, len) = match len {
            0 => (at + 8, end - at),
            1 => match be_u64(&head, 8) {
                Some(len) => (at + 16, len),
                None => break,
            },
            len => (at + 8, u64::from(len)),
        };
        let Some(stop) = at.checked_add(len).filter(|stop| *stop >= start) else { break };
        found.push(Atom { name: [name[0], name[1], name[2], name[3]], start, end: stop });
        at = stop;
    }
    Ok(found)
}

/// An error when a box reaches beyond the file or the index is missing.
pub(super) fn check(file: &mut File, file_len: u64) -> Result<(), AudioError> {
    let atoms = boxes(file, 0, file_len).map_err(AudioError::reading)?;
    if atoms.last().is_some_and(|last| last.end > file_len) {
        return Err(AudioError::cut_off());
    }
    if !atoms.iter().any(|atom| &atom.name == b"moov") {
        return Err(AudioError::damaged("the recording was not finished, its index is missing"));
    }
    Ok(())
}

/// How much of the sound track with this id is left out at its start and how long the rest is, both
/// in units of the track's own clock (see [`Edit::clock`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edit {
    /// Units of the track's clock that are coded but not to be heard.
    pub(super) skipped: u64,
    /// What is to be heard, in units of the movie's clock; 0 for all.
    pub(super) heard: u64,
    /// Units a second of the track's clock, of the movie's clock.
    pub(super) clock: (u32, u32),
}

/// The one edit of a track. Files with none, or with cuts in the middle, give nothing.
pub(super) fn edit(file: &mut File, file_len: u64, track_id: u32) -> io::Result<Option<Edit>> {
    let Some(moov) = boxes(file, 0, file_len)?.into_iter().find(|atom| &atom.name == b"moov")
    else {
        return Ok(None);
    };
    let inside = boxes(file, moov.start, moov.end)?;
    let Some(movie_clock) = clock(file, &inside, b"mvhd")? else { return Ok(None) };
    for track in inside.iter().filter(|atom| &atom.name == b"trak") {
        let parts = boxes(file, track.start, track.end)?;
        let Some(head) = parts.iter().find(|atom| &atom.name == b"tkhd") else { continue };
        let body = read_at(file, head.start, 24)?;
        let id = be_u32(&body, if body.first() == Some(&1) { 20 } else { 12 });
        if id != Some(track_id) {
            continue;
        }
        let part = |name: &[u8; 4]| parts.iter().find(|atom| &atom.name == name);
        let (Some(media), Some(edits)) = (part(b"mdia"), part(b"edts")) else { return Ok(None) };
        let media = boxes(file, media.start, media.end)?;
        let Some(track_clock) = clock(file, &media, b"mdhd")? else { return Ok(None) };
        let edits = boxes(file, edits.start, edits.end)?;
        let Some(list) = edits.iter().find(|atom| &atom.name == b"elst") else { return Ok(None) };
        let list = read_at(file, list.start, 28)?;
        let one = be_u32(&list, 4) == Some(1);
        let entry = if list.first() == Some(&1) {
            be_u64(&list, 8).zip(be_u64(&list, 16))
        } else {
            be_u32(&list, 8).map(u64::from).zip(be_u32(&list, 12).map(u64::from))
        };
        // A second of delay is more than any coder has: such an edit is a cut by a person.
        return Ok(entry
            .filter(|(_, skipped)| one && *skipped <= u64::from(track_clock))
            .map(|(heard, skipped)| Edit { skipped, heard, clock: (track_clock, movie_clock) }));
    }
    Ok(None)
}

/// The clock in an `mvhd` or `mdhd` box among `atoms`, in units a second.
fn clock(file: &mut File, atoms: &[Atom], name: &[u8; 4]) -> io::Result<Option<u32>> {
    let Some(atom) = atoms.iter().find(|atom| &atom.name == name) else { return Ok(None) };
    let body = read_at(file, atom.start, 24)?;
    let at = if body.first() == Some(&1) { 20 } else { 12 };
    Ok(be_u32(&body, at).filter(|clock| *clock > 0))
}

fn be_u32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|part| part.try_into().ok()).map(u32::from_be_bytes)
}

fn be_u64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8).and_then(|part| part.try_into().ok()).map(u64::from_be_bytes)
}
