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
