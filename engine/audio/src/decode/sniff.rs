//! What a file is, by its first bytes.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// Containers that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Wav,
    Flac,
    Ogg,
    Mp4,
    Matroska,
    Aiff,
    Caf,
    Mp3,
    Adts,
}

impl Kind {
    /// The name that a user knows it by.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Wav => "WAV",
            Self::Flac => "FLAC",
            Self::Ogg => "Ogg",
            Self::Mp4 => "MP4",
            Self::Matroska => "Matroska",
            Self::Aiff => "AIFF",
            Self::Caf => "CAF",
            Self::Mp3 => "MP3",
            Self::Adts => "AAC",
        }
    }
}

/// How far a first MPEG frame may lie behind zeros or the rest of a cut frame.
const LOOK_BYTES: usize = 4096;

/// The kind of `file`, or nothing that is known. Leaves the file at any place.
pub(super) fn sniff(file: &mut File) -> io::Result<Option<Kind>> {
    let at = behind_id3(file)?;
    let head = read_at(file, at, LOOK_BYTES)?;
    Ok(kind_of(&head, at > 0))
}

/// Where the file begins behind its ID3v2 tags, which may stand before MP3, AAC and even FLAC, and
/// be more than one.
pub(super) fn behind_id3(file: &mut File) -> io::Result<u64> {
    let mut at = 0;
    for _ in 0..4 {
        match id3_len(&read_at(file, at, 10)?) {
            Some(len) => at += len,
            None => break,
        }
    }
    Ok(at)
}

/// The bytes from `at` on, as many as there are up to `len`.
pub(super) fn read_at(file: &mut File, at: u64, len: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(len);
    file.seek(SeekFrom::Start(at))?;
    file.take(len as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The length of an ID3v2 tag that stands here, header and footer included.
fn id3_len(head: &[u8]) -> Option<u64> {
    if head.len() < 10 || !head.starts_with(b"ID3") || head[6..10].iter().any(|byte| *byte > 127) {
        return None;
    }
    let body = head[6..10].iter().fold(0u64, |sum, byte| (sum << 7) | u64::from(*byte));
    Some(10 + body + if head[5] & 0x10 == 0 { 0 } else { 10 })
}

fn kind_of(head: &[u8], behind_id3: bool) -> Option<Kind> {
    let at = |from: usize, what: &[u8]| head.get(from..from + what.len()) == Some(what);
    if (at(0, b"RIFF") || at(0, b"RF64") || at(0, b"BW64")) && at(8, b"WAVE") {
        return Some(Kind::Wav);
    }
    if at(0, b"fLaC") {
        return Some(Kind::Flac);
    }
    if at(0, b"OggS") {
        return Some(Kind::Ogg);
    }
    if at(0, &[0x1a, 0x45, 0xdf, 0xa3]) {
        return Some(Kind::Matroska);
    }
    if at(0, b"FORM") && (at(8, b"AIFF") || at(8, b"AIFC")) {
        return Some(Kind::Aiff);
    }
    if at(0, b"caff") {
        return Some(Kind::Caf);
    }
    // Pictures of phones lie in the same boxes as films.
    const PICTURES: [&[u8]; 11] = [
        b"avif", b"avis", b"crx ", b"heic", b"heim", b"heis", b"heix", b"hevc", b"hevx", b"mif1",
        b"msf1",
    ];
    if at(4, b"ftyp") && PICTURES.iter().any(|brand| at(8, brand)) {
        return None;
    }
    // Old QuickTime files begin without `ftyp`.
    let boxes: [&[u8]; 6] = [b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"];
    if boxes.iter().any(|name| at(4, name)) {
        return Some(Kind::Mp4);
    }
    mpeg(head, behind_id3)
}

/// MP3 or bare AAC: two frames in a row where the first says the second is. Without a tag before
/// them only at the very start or behind zeros, so that a picture or a text is not taken for sound.
fn mpeg(head: &[u8], behind_id3: bool) -> Option<Kind> {
    for start in 0..head.len().saturating_sub(4) {
        let frame = mp3_frame_len(&head[start..]).map(|len| (Kind::Mp3, len));
        let frame = frame.or_else(|| adts_frame_len(&head[start..]).map(|len| (Kind::Adts, len)));
        if let Some((kind, len)) = frame {
            let next = head.get(start + len..);
            let follows = match (kind, next) {
                // The last frame of a very short file, or one that reaches beyond the look.
                (_, None) => true,
                (_, Some(next)) if next.len() < 7 => true,
                (Kind::Mp3, Some(next)) => {
                    mp3_frame_len(next).is_some() || next.starts_with(b"TAG")
                }
                (_, Some(next)) => adts_frame_len(next).is_some(),
            };
            if follows {
                return Some(kind);
            }
        }
        if head[start] != 0 && !behind_id3 {
            return None;
        }
    }
    None
}

/// The length in bytes of an MPEG layer III frame that stands here.
fn mp3_frame_len(head: &[u8]) -> Option<usize> {
    const V1: [usize; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
    const V2: [usize; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];
    let [first, second, third] = *head.first_chunk()?;
    if first != 0xff || second & 0xe6 != 0xe2 {
        return None;
    }
    let version = (second >> 3) & 3; // 0: 2.5, 2: 2, 3: 1
    let rate = *[44_100, 48_000, 32_000].get(usize::from((third >> 2) & 3))?;
    let rates = if version == 3 { V1 } else { V2 };
    let kilobits = *rates.get(usize::from(third >> 4))?;
    if version == 1 || kilobits == 0 {
        return None;
    }
    let padding = usize::from((third >> 1) & 1);
    Some(match version {
        3 => 144_000 * kilobits / rate + padding,
        2 => 72_000 * kilobits / (rate / 2) + padding,
        _ => 72_000 * kilobits / (rate / 4) + padding,
    })
}

/// The length in bytes of an ADTS frame that stands here.
fn adts_frame_len(head: &[u8]) -> Option<usize> {
    let head = head.first_chunk::<7>()?;
    if head[0] != 0xff || head[1] & 0xf6 != 0xf0 || (head[2] >> 2) & 15 > 12 {
        return None;
    }
    let len =
        (usize::from(head[3] & 3) << 11) | (usize::from(head[4]) << 3) | usize::from(head[5] >> 5);
    (len > 7).then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell() {
        let mut mp3 = vec![0xff, 0xfb, 0x90, 0x00];
        mp3.resize(417, 0);
        mp3.extend_from_slice(&[0xff, 0xfb, 0x90, 0x00, 0, 0, 0, 0]);
        let cases: [(&[u8], Option<Kind>); 10] = [
            (b"RIFF\0\0\0\0WAVEfmt ", Some(Kind::Wav)),
            (b"RIFF\0\0\0\0AVI LIST", None),
            (b"RIFF\0\0\0\0WEBPVP8 ", None),
            (b"\0\0\0\x20ftypM4A ", Some(Kind::Mp4)),
            (b"\0\0\0\x20ftypheic", None),
            (b"Dear reader, this is a text", None),
            (b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01", None),
            (b"\x89PNG\r\n\x1a\n\xff\xfb\x90\0", None),
            (b"", None),
            (&mp3, Some(Kind::Mp3)),
        ];
        for (bytes, kind) in cases {
            assert_eq!(kind_of(bytes, false), kind, "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
