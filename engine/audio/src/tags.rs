//! Title, artist and the like, by the names that Vorbis comments use, and how other formats name
//! them.

use crate::picture::{self, Picture};

/// The most text kept of one tag, in bytes: nobody reads more, and a hostile file may promise it.
pub(crate) const MAX_TAG_BYTES: usize = 64 << 10;
/// The most tags kept.
pub(crate) const MAX_TAGS: usize = 256;
/// The most bytes kept of one WAV chunk that is carried over as it is.
pub(crate) const MAX_CHUNK_BYTES: u32 = 1 << 20;
/// The most of an ID3 chunk, which may hold pictures.
pub(crate) const MAX_ID3_BYTES: u32 = 16 << 20;

/// The Vorbis comment that tells the loudspeaker positions in a FLAC file.
pub(crate) const MASK_TAG: &str = "WAVEFORMATEXTENSIBLE_CHANNEL_MASK";

/// Title, artist and so on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags {
    entries: Vec<(String, String)>,
    wav_chunks: Vec<([u8; 4], Vec<u8>)>,
    pictures: Vec<Picture>,
}

/// Vorbis comment name, RIFF `INFO` name, ID3v2 frame.
const NAMES: &[(&str, &[u8; 4], &str)] = &[
    ("TITLE", b"INAM", "TIT2"),
    ("ARTIST", b"IART", "TPE1"),
    ("ALBUM", b"IPRD", "TALB"),
    ("DATE", b"ICRD", "TDRC"),
    ("GENRE", b"IGNR", "TCON"),
    ("TRACKNUMBER", b"ITRK", "TRCK"),
    ("COMMENT", b"ICMT", "COMM"),
    ("COPYRIGHT", b"ICOP", "TCOP"),
    ("ENGINEER", b"IENG", ""),
    ("KEYWORDS", b"IKEY", ""),
    ("SUBJECT", b"ISBJ", ""),
    ("ENCODER", b"ISFT", "TSSE"),
    ("COMPOSER", b"IMUS", "TCOM"),
    ("LANGUAGE", b"ILNG", "TLAN"),
];

impl Tags {
    /// The tags in the file's order: upper-case name, text.
    #[must_use]
    pub fn entries(&self) -> &[(String, String)] {
        &self.entries
    }

    /// The text of the first tag with this name, in any case.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entries
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Adds a tag. Names that Vorbis comments cannot hold, empty and repeated ones are left out,
    /// and so is what goes beyond 256 tags or 64 KiB of text.
    pub fn add(&mut self, name: &str, value: &str) {
        let name = name.trim().to_ascii_uppercase();
        let value = value.trim_matches(['\0', ' ']);
        let holds = !name.is_empty()
            && name.len() <= 128
            && name.bytes().all(|byte| (0x20..0x7e).contains(&byte) && byte != b'=');
        if !holds
            || value.is_empty()
            || value.len() > MAX_TAG_BYTES
            || self.entries.len() >= MAX_TAGS
            || self.entries.iter().any(|(key, old)| *key == name && old == value)
        {
            return;
        }
        self.entries.push((name, value.to_owned()));
    }

    /// The cover and other pictures.
    #[must_use]
    pub fn pictures(&self) -> &[Picture] {
        &self.pictures
    }

    /// Adds a picture; one that is there already or beyond 8 MiB, and a ninth, is left out.
    pub fn add_picture(&mut self, picture: Picture) {
        picture::add(&mut self.pictures, picture);
    }

    /// Whole WAV chunks that go from a WAV file into a WAV file untouched: name, content.
    #[must_use]
    pub fn wav_chunks(&self) -> &[([u8; 4], Vec<u8>)] {
        &self.wav_chunks
    }

    /// Keeps a WAV chunk as it is; the first of its name, so that a file cannot fill the memory.
    /// Whether it was kept.
    pub(crate) fn add_wav_chunk(&mut self, name: [u8; 4], content: Vec<u8>) -> bool {
        let is_new = !self.wav_chunks.iter().any(|(kept, _)| kept.eq_ignore_ascii_case(&name));
        if is_new {
            self.wav_chunks.push((name, content));
        }
        is_new
    }

    /// Adds what a RIFF `INFO` list says under `name`.
    pub(crate) fn add_info(&mut self, name: [u8; 4], value: &str) {
        match NAMES.iter().find(|(_, info, _)| **info == name) {
            Some((key, _, _)) => self.add(key, value),
            None => self.add(&String::from_utf8_lossy(&name), value),
        }
    }

    /// The content of a `LIST` chunk of form `INFO`; empty without a tag that fits there.
    pub(crate) fn info_list(&self) -> Vec<u8> {
        let mut list = Vec::new();
        for (key, value) in &self.entries {
            let name = NAMES.iter().find(|(name, _, _)| name == key).map(|(_, info, _)| **info);
            let own: Option<[u8; 4]> = key.as_bytes().try_into().ok();
            let Some(name) = name.or(own.filter(|own| own[0] == b'I')) else { continue };
            if list.is_empty() {
                list.extend_from_slice(b"INFO");
            }
            list.extend_from_slice(&name);
            let bytes = value.len() + 1;
            list.extend_from_slice(&u32::try_from(bytes).unwrap_or(0).to_le_bytes());
            list.extend_from_slice(value.as_bytes());
            list.extend_from_slice(if bytes % 2 == 0 { &[0] } else { &[0, 0] });
        }
        list
    }

    /// Tags and pictures as an ID3v2.4 tag in UTF-8; empty without any.
    pub(crate) fn id3(&self) -> Vec<u8> {
        let mut frames = Vec::new();
        for (key, value) in &self.entries {
            let known = NAMES.iter().find(|(name, _, id3)| name == key && !id3.is_empty());
            let (frame, mut body) = match known.map(|(_, _, id3)| *id3) {
                Some("COMM") => ("COMM", b"\x03und\0".to_vec()),
                Some(id3) => (id3, vec![3]),
                None => ("TXXX", [&[3][..], key.as_bytes(), &[0]].concat()),
            };
            body.extend_from_slice(value.as_bytes());
            frames.extend_from_slice(frame.as_bytes());
            frames.extend_from_slice(&syncsafe(body.len()));
            frames.extend_from_slice(&[0, 0]);
            frames.extend_from_slice(&body);
        }
        for picture in &self.pictures {
            frames.extend_from_slice(&picture.id3_frame());
        }
        if frames.is_empty() {
            return frames;
        }
        let mut tag = b"ID3\x04\0\0".to_vec();
        tag.extend_from_slice(&syncsafe(frames.len()));
        tag.extend_from_slice(&frames);
        tag
    }

    /// The content of a Vorbis comment block, as in FLAC.
    pub(crate) fn vorbis_comment(&self) -> Vec<u8> {
        let vendor = concat!("Limpid ", env!("CARGO_PKG_VERSION"));
        let mut block = Vec::new();
        let text = |text: &str, block: &mut Vec<u8>| {
            block.extend_from_slice(&u32::try_from(text.len()).unwrap_or(0).to_le_bytes());
            block.extend_from_slice(text.as_bytes());
        };
        text(vendor, &mut block);
        block.extend_from_slice(&u32::try_from(self.entries.len()).unwrap_or(0).to_le_bytes());
        for (key, value) in &self.entries {
            text(&format!("{key}={value}"), &mut block);
        }
        block
    }
}

/// A number in 4 bytes of 7 bits, as ID3 wants it.
pub(crate) fn syncsafe(number: usize) -> [u8; 4] {
    [21, 14, 7, 0].map(|shift| u8::try_from((number >> shift) & 0x7f).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_names_and_texts_are_left_out() {
        let mut tags = Tags::default();
        for (name, value) in
            [("title", " a\0"), ("a=b", "x"), ("", "x"), ("X", ""), ("é", "x"), ("TITLE", "a")]
        {
            tags.add(name, value);
        }
        assert_eq!(tags.entries(), [("TITLE".to_owned(), "a".to_owned())]);
    }

    #[test]
    fn one_chunk_of_a_name_is_kept() {
        let mut tags = Tags::default();
        assert!(tags.add_wav_chunk(*b"id3 ", vec![1]));
        assert!(!tags.add_wav_chunk(*b"ID3 ", vec![2]));
        assert!(tags.add_wav_chunk(*b"bext", vec![3]));
        assert_eq!(tags.wav_chunks(), [(*b"id3 ", vec![1]), (*b"bext", vec![3])]);
    }

    #[test]
    fn lists_have_even_parts_and_id3_its_length() {
        let mut tags = Tags::default();
        tags.add("TITLE", "ab");
        tags.add("ISRC", "x"); // four letters that begin with an I: kept under its own name
        tags.add("PERFORMER", "nobody");
        assert_eq!(tags.info_list(), b"INFOINAM\x03\0\0\0ab\0\0ISRC\x02\0\0\0x\0");
        let id3 = tags.id3();
        assert_eq!(id3.len() - 10, usize::from(id3[8]) * 128 + usize::from(id3[9]));
        assert!(id3.windows(17).any(|part| part == b"\x03PERFORMER\0nobody"));
    }
}
