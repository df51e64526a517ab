//! What a file says about its picture besides the pixels, kept as bytes and edited in place.

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
