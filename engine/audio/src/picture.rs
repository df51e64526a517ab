//! Pictures that lie beside the sound: the cover, mostly. They go from file to file as they are.

use std::sync::Arc;

use crate::tags::syncsafe;

/// The most bytes kept of one picture: a FLAC block holds little more.
const MAX_BYTES: usize = 8 << 20;
/// The most pictures kept of a file.
const MAX_PICTURES: usize = 8;
/// The most text kept of a type or a description, in bytes.
const MAX_TEXT_BYTES: usize = 1 << 10;

/// A picture, encoded as `media_type` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// `image/jpeg`, `image/png` and the like.
    pub media_type: String,
    /// What it shows, `0..=20` as in ID3v2 section 4.14 and in FLAC: 3 is the front cover, 0 other.
    pub kind: u8,
    /// In words; mostly empty.
    pub description: String,
    /// The encoded picture, shared by all copies.
    pub data: Arc<[u8]>,
}

impl Picture {
    /// The content of a FLAC `PICTURE` block. Its size in pixels is left to those who decode it.
    pub(crate) fn flac_block(&self) -> Vec<u8> {
        let mut block = Vec::with_capacity(self.data.len() + 64);
        let number = |value: usize| u32::try_from(value).unwrap_or(0).to_be_bytes();
        block.extend_from_slice(&u32::from(self.kind).to_be_bytes());
        for text in [&self.media_type, &self.description] {
            block.extend_from_slice(&number(text.len()));
            block.extend_from_slice(text.as_bytes());
        }
        block.extend_from_slice(&[0; 16]);
        block.extend_from_slice(&number(self.data.len()));
        block.extend_from_slice(&self.data);
        block
    }

    /// An ID3v2.4 `APIC` frame, description in UTF-8.
    pub(crate) fn id3_frame(&self) -> Vec<u8> {
        let mut body = vec![3];
        body.extend_from_slice(self.media_type.as_bytes());
        body.extend_from_slice(&[0, self.kind]);
        body.extend_from_slice(self.description.as_bytes());
        body.push(0);
        body.extend_from_slice(&self.data);
        [b"APIC", &syncsafe(body.len())[..], &[0, 0], &body].concat()
    }
}

/// Keeps `picture` unless there are enough, it is there already, or it is too large or too odd to be
/// written anywhere.
pub(crate) fn add(pictures: &mut Vec<Picture>, picture: Picture) {
    let is_plain = |text: &str| text.len() <= MAX_TEXT_BYTES && !text.contains('\0');
    let fits = (1..=MAX_BYTES).contains(&picture.data.len())
        && picture.media_type.is_ascii()
        && is_plain(&picture.media_type)
        && is_plain(&picture.description);
    if fits && pictures.len() < MAX_PICTURES && !pictures.contains(&picture) {
        pictures.push(picture);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cover(data: &[u8]) -> Picture {
        Picture {
            media_type: "image/png".into(),
            kind: 3,
            description: "Umschlag".into(),
            data: data.into(),
        }
    }

    #[test]
    fn odd_pictures_are_left_out() {
        let mut pictures = Vec::new();
        add(&mut pictures, cover(b"png"));
        add(&mut pictures, cover(b"png"));
        add(&mut pictures, cover(b""));
        add(&mut pictures, cover(&vec![0; MAX_BYTES + 1]));
        add(&mut pictures, Picture { media_type: "image/\0".into(), ..cover(b"x") });
        assert_eq!(pictures, [cover(b"png")]);
        for number in 0..20 {
            add(&mut pictures, cover(&[number]));
        }
        assert_eq!(pictures.len(), MAX_PICTURES);
    }
}
