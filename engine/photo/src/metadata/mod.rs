//! What a file says about its picture besides the pixels, kept as bytes and edited in place.

pub(crate) mod build;
pub mod exif;
mod icc;
pub(crate) mod ifd;
pub(crate) mod iptc;
pub mod xmp;

use exif::Edits;

/// Profile, EXIF, XMP and resolution of a picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// The ICC profile that the pixels are in; none means sRGB.
    pub icc: Option<Vec<u8>>,
    /// The EXIF block, beginning with its TIFF header (`II*\0` or `MM\0*`).
    pub exif: Option<Vec<u8>>,
    /// The XMP packet, UTF-8 XML.
    pub xmp: Option<Vec<u8>>,
    /// IPTC captions, as the IIM data set bytes.
    pub iptc: Option<Vec<u8>>,
    /// Printing resolution.
    pub density: Option<Density>,
    /// Chunks of a PNG file that go into a PNG result as they are.
    pub(crate) png: Vec<PngChunk>,
    /// What the file had besides and Limpid does not keep, a sentence each, for the result's notes.
    pub(crate) left_out: Vec<&'static str>,
}

/// A chunk of a PNG file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PngChunk {
    pub(crate) name: [u8; 4],
    pub(crate) data: Vec<u8>,
}

impl PngChunk {
    /// The keyword of a text chunk; empty for other chunks.
    pub(crate) fn keyword(&self) -> &[u8] {
        match &self.name {
            b"tEXt" | b"zTXt" | b"iTXt" => self.data.split(|b| *b == 0).next().unwrap_or_default(),
            _ => &[],
        }
    }

    /// Whether it is text that repeats what EXIF and XMP say, as some programs write it: it would
    /// contradict the corrected blocks, and give the place away.
    fn is_stale(&self, edits: &Edits) -> bool {
        let keyword = self.keyword().to_ascii_lowercase();
        let repeats: [&[u8]; 6] = [
            b"raw profile type exif",
            b"raw profile type app1",
            b"raw profile type xmp",
            b"xml:com.adobe.xmp",
            b"exif:",
            b"thumb::",
        ];
        repeats.iter().any(|start| keyword.starts_with(start))
            || (edits.strip_gps && keyword.windows(3).any(|window| window == b"gps"))
    }
}

impl Metadata {
    /// Name of the embedded colour profile: "Display P3".
    #[must_use]
    pub fn profile_name(&self) -> Option<String> {
        icc::description(self.icc.as_deref()?)
    }

    /// Camera and exposure in a line: "Fujifilm X-T3, 23 mm, f/2, 1/60 s, ISO 6400".
    #[must_use]
    pub fn camera(&self) -> Option<String> {
        exif::camera(self.exif.as_deref()?)
    }

    /// The same for a result: orientation, sizes and thumbnails corrected, the place removed on
    /// demand. What cannot be corrected is left out with a note, never passed on wrong.
    pub(crate) fn corrected(&self, edits: &Edits, notes: &mut Vec<String>) -> Self {
        let mut out = self.clone();
        notes.extend(out.left_out.drain(..).map(str::to_owned));
        out.png.retain(|chunk| !chunk.is_stale(edits));
        out.exif = self.exif.as_deref().and_then(|block| match exif::edit(block, edits) {
            Ok(block) => Some(block),
            Err(error) => {
                notes.push(format!("{error} and was left out"));
                None
            }
        });
        out.xmp = self.xmp.as_deref().and_then(|packet| match xmp::edit(packet, edits) {
            Ok(packet) => Some(packet),
            Err(error) => {
                notes.push(format!("{error} and was left out"));
                None
            }
        });
        out
    }
}

/// Pixels a length.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Density {
    /// Across.
    pub x: f64,
    /// Down.
    pub y: f64,
    /// The length.
    pub unit: DensityUnit,
}

/// The length that a [`Density`] counts pixels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DensityUnit {
    /// Inch.
    Inch,
    /// Centimetre.
    Centimetre,
    /// None: only the ratio of `x` and `y` means something.
    Aspect,
}
