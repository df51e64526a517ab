//! Picture file formats: which there are, and which one a file is, told by its content.

use crate::settings::OutputFormat;

/// A format that Limpid reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileFormat {
    /// JPEG, 8 bit.
    Jpeg,
    /// PNG, 8 or 16 bit.
    Png,
    /// TIFF, 8, 16 or 32 bit.
    Tiff,
    /// WebP, 8 bit.
    Webp,
    /// Windows bitmap, 8 bit.
    Bmp,
    /// JPEG XL; read, not written.
    Jxl,
}

impl FileFormat {
    /// Bytes of a file that [`FileFormat::of`] wants to see.
    pub const HEAD_BYTES: usize = HEAD_BYTES;

    /// The format of a file that begins with these bytes; none for what is not read. Its name does
    /// not matter.
    #[must_use]
    pub fn of(head: &[u8]) -> Option<Self> {
        match recognise(head) {
            Recognised::Known(format) => Some(format),
            Recognised::Other(_) => None,
        }
    }

    /// Name for people: "JPEG".
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Tiff => "TIFF",
            Self::Webp => "WebP",
            Self::Bmp => "BMP",
            Self::Jxl => "JPEG XL",
        }
    }

    /// The usual file name extension, without the dot: "jpg".
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Tiff => "tif",
            Self::Webp => "webp",
            Self::Bmp => "bmp",
            Self::Jxl => "jxl",
        }
    }

    /// Whether a file name extension (without the dot, any case) belongs to this format.
    #[must_use]
    pub fn has_extension(self, extension: &str) -> bool {
        let known: &[&str] = match self {
            Self::Jpeg => &["jpg", "jpeg", "jpe", "jfif"],
            Self::Png => &["png"],
            Self::Tiff => &["tif", "tiff"],
            Self::Webp => &["webp"],
            Self::Bmp => &["bmp", "dib"],
            Self::Jxl => &["jxl"],
        };
        known.iter().any(|one| one.eq_ignore_ascii_case(extension))
    }

    /// The format a result is written in when a picture came as `self` and `wanted` is asked for:
    /// `Same` keeps the format, or gives PNG where Limpid cannot write it.
    #[must_use]
    pub fn written_as(self, wanted: OutputFormat) -> Self {
        match (wanted, self) {
            (OutputFormat::Same, Self::Jxl) => Self::Png,
            (OutputFormat::Same, own) => own,
            (OutputFormat::Png, _) => Self::Png,
            (OutputFormat::Jpeg, _) => Self::Jpeg,
            (OutputFormat::Tiff, _) => Self::Tiff,
            (OutputFormat::Webp, _) => Self::Webp,
        }
    }
}

/// What the beginning of a file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Recognised {
    /// A format that is read.
    Known(FileFormat),
    /// A format that is not, with the sentence to say so.
    Other(&'static str),
}

/// Bytes of a file that [`recognise`] wants to see.
pub(crate) const HEAD_BYTES: usize = 64;

/// Tells the format of a file from its first [`HEAD_BYTES`] bytes; its name does not matter.
pub(crate) fn recognise(head: &[u8]) -> Recognised {
    use FileFormat::{Bmp, Jpeg, Jxl, Png, Tiff, Webp};
    use Recognised::{Known, Other};
    const RAW: &str = "camera raw files are not read yet, export the photo as TIFF or JPEG first";

    let at = |offset: usize, bytes: &[u8]| {
        head.get(offset..).is_some_and(|rest| rest.starts_with(bytes))
    };
    let known: [(&[u8], FileFormat); 8] = [
        (b"\xFF\xD8\xFF", Jpeg),
        (b"\x89PNG\r\n\x1A\n", Png),
        (b"II+\0", Tiff),
        (b"MM\0+", Tiff),
        (b"II*\0", Tiff),
        (b"MM\0*", Tiff),
        (b"\xFF\x0A", Jxl),
        (b"\0\0\0\x0CJXL \r\n\x87\n", Jxl),
    ];
    if at(0, b"II*\0") && at(8, b"CR") {
        return Other(RAW);
    }
    if at(0, b"RIFF") && at(8, b"WEBP") {
        return Known(Webp);
    }
    if let Some((_, format)) = known.iter().find(|(magic, _)| at(0, magic)) {
        return Known(*format);
    }
    // Two letters are little to go by: the size of the header behind them must be one that exists.
    if at(0, b"BM")
        && matches!(head.get(14..18), Some([12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0]))
    {
        return Known(Bmp);
    }
    if at(4, b"ftyp") {
        let brand = head.get(8..12).unwrap_or_default();
        return Other(match brand {
            b"avif" | b"avis" => {
                "AVIF pictures are not read yet, save this one as PNG or JPEG first"
            }
            b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"mif1" | b"msf1" => {
                "HEIC pictures are not read, set the phone to \"most compatible\" or export as JPEG"
            }
            b"crx " => RAW,
            _ => "this is a film, not a picture",
        });
    }
    let others: [(&[u8], &'static str); 20] = [
        (b"GIF8", "GIF pictures are not read, save this one as PNG first"),
        (b"FUJIFILMCCD-RAW", RAW),
        (b"IIRO", RAW),
        (b"IIRS", RAW),
        (b"MMOR", RAW),
        (b"IIU\0", RAW),
        (b"FOVb", RAW),
        (b"\0MRM", RAW),
        (b"8BPS", "Photoshop files are not read, save a copy as TIFF first"),
        (b"\0\0\0\x0CjP  ", "JPEG 2000 pictures are not read, save this one as TIFF or PNG first"),
        (
            b"\xFF\x4F\xFF\x51",
            "JPEG 2000 pictures are not read, save this one as TIFF or PNG first",
        ),
        (b"v/1\x01", "OpenEXR pictures are not read, save this one as TIFF first"),
        (b"#?RADIANCE", "Radiance HDR pictures are not read, save this one as TIFF first"),
        (b"%PDF", "PDF files are not read, export the page as PNG or TIFF first"),
        (b"\0\0\x01\0", "icon files are not read, save this one as PNG first"),
        (b"qoif", "QOI pictures are not read, save this one as PNG first"),
        (b"gimp xcf", "GIMP files are not read, export this one as PNG or TIFF first"),
        (b"<svg", "SVG drawings are not read, export this one as PNG first"),
        (b"<?xml", "this is a text file, not a photo"),
        (b"PK\x03\x04", "this is an archive, unpack it first"),
    ];
    match others.iter().find(|(magic, _)| at(0, magic)) {
        Some((_, sentence)) => Other(sentence),
        None => Other("this is not a picture that Limpid knows"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_told_by_content() {
        let cases: [(&[u8], &str); 9] = [
            (b"\xFF\xD8\xFF\xE0\0\x10JFIF", "JPEG"),
            (b"RIFF\x10\0\0\0WEBPVP8 ", "WebP"),
            (b"BM\x9A\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0", "BMP"),
            (b"BMW drives", "not a picture"),
            (b"\0\0\0\x1CftypavifXXXX", "AVIF"),
            (b"\0\0\0\x1CftypheicXXXX", "HEIC"),
            (b"II*\0\x10\0\0\0CR\x02\0", "raw"),
            (b"GIF89a", "GIF"),
            (b"", "not a picture"),
        ];
        let mut wrong = Vec::new();
        for (head, wanted) in cases {
            let said = match recognise(head) {
                Recognised::Known(format) => format.name(),
                Recognised::Other(sentence) => sentence,
            };
            if !said.contains(wanted) {
                wrong.push(format!("{head:?}: {said}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    #[test]
    fn a_result_is_written_in_a_format_that_can_be() {
        assert_eq!(FileFormat::Jxl.written_as(OutputFormat::Same), FileFormat::Png);
        assert_eq!(FileFormat::Bmp.written_as(OutputFormat::Same), FileFormat::Bmp);
        assert_eq!(FileFormat::Png.written_as(OutputFormat::Jpeg), FileFormat::Jpeg);
        assert!(FileFormat::Jpeg.has_extension("JPEG"));
    }
}
