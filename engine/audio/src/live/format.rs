//! What a stream's samples look like, on the wire of a device and in a file.

/// How one sample is written. Devices of other kinds (8 bits, unsigned, 64 bits) are asked for one
/// of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SampleKind {
    /// 16-bit integers.
    I16,
    /// 24-bit integers: four bytes each on a device's wire, three in a file.
    I24,
    /// 32-bit integers.
    I32,
    /// 32-bit floats, full scale ±1.
    F32,
}

impl SampleKind {
    /// All of them, the one that keeps most of a sound first.
    pub const ALL: [Self; 4] = [Self::F32, Self::I32, Self::I24, Self::I16];

    /// Bits that carry sound.
    #[must_use]
    pub fn bits(self) -> u16 {
        match self {
            Self::I16 => 16,
            Self::I24 => 24,
            Self::I32 | Self::F32 => 32,
        }
    }

    /// Bytes that a sample takes as a device gives it.
    #[must_use]
    pub fn wire_bytes(self) -> usize {
        if self == Self::I16 { 2 } else { 4 }
    }

    /// Bytes that a sample takes in a file.
    #[must_use]
    pub fn file_bytes(self) -> usize {
        usize::from(self.bits() / 8)
    }

    /// Appends what a device gave, in the bytes of a file: the same numbers, none rounded.
    pub(crate) fn wire_to_file(self, wire: &[u8], file: &mut Vec<u8>) {
        let (words, _) = wire.as_chunks::<4>();
        match self {
            Self::I16 => {
                let (words, _) = wire.as_chunks::<2>();
                file.extend(words.iter().flat_map(|w| i16::from_ne_bytes(*w).to_le_bytes()));
            }
            Self::I24 => file.extend(words.iter().flat_map(|w| {
                let [low, middle, high, _] = i32::from_ne_bytes(*w).to_le_bytes();
                [low, middle, high]
            })),
            Self::I32 | Self::F32 => {
                file.extend(words.iter().flat_map(|w| u32::from_ne_bytes(*w).to_le_bytes()));
            }
        }
    }

    /// Appends what a device gave as floats, full scale ±1. 32-bit integers lose their last bits.
    pub(crate) fn wire_to_floats(self, wire: &[u8], floats: &mut Vec<f32>) {
        let (words, _) = wire.as_chunks::<4>();
        match self {
            Self::I16 => {
                let (words, _) = wire.as_chunks::<2>();
                floats.extend(words.iter().map(|w| f32::from(i16::from_ne_bytes(*w)) / 32_768.0));
            }
            // what is above the 24 bits is not promised to be their sign
            Self::I24 => floats.extend(
                words.iter().map(|w| ((i32::from_ne_bytes(*w) << 8) >> 8) as f32 / 8_388_608.0),
            ),
            Self::I32 => {
                floats.extend(words.iter().map(|w| i32::from_ne_bytes(*w) as f32 / 2_147_483_648.0))
            }
            Self::F32 => floats.extend(words.iter().map(|w| f32::from_ne_bytes(*w))),
        }
    }

    /// Appends floats in the bytes of a file, rounded to the nearest and stopped at full scale.
    pub(crate) fn floats_to_file(self, floats: &[f32], file: &mut Vec<u8>) {
        // in `f64`, which holds every 32-bit integer; the casts stop at the ends of their range
        let scaled = |x: &f32, scale: f64| (f64::from(*x) * scale).round();
        match self {
            Self::I16 => {
                file.extend(floats.iter().flat_map(|x| (scaled(x, 32_768.0) as i16).to_le_bytes()));
            }
            Self::I24 => file.extend(floats.iter().flat_map(|x| {
                let sample = scaled(x, 8_388_608.0).clamp(-8_388_608.0, 8_388_607.0) as i32;
                let [low, middle, high, _] = sample.to_le_bytes();
                [low, middle, high]
            })),
            Self::I32 => file.extend(
                floats.iter().flat_map(|x| (scaled(x, 2_147_483_648.0) as i32).to_le_bytes()),
            ),
            Self::F32 => file.extend(floats.iter().flat_map(|x| x.to_le_bytes())),
        }
    }
}

/// What a stream carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamFormat {
    /// Frames a second, in Hz.
    pub rate: u32,
    /// Samples in a frame.
    pub channels: u16,
    /// How a sample is written.
    pub kind: SampleKind,
}

impl StreamFormat {
    /// Bytes that a frame takes as a device gives it.
    #[must_use]
    pub fn wire_frame_bytes(&self) -> usize {
        usize::from(self.channels) * self.kind.wire_bytes()
    }

    /// Bytes that a frame takes in a file.
    #[must_use]
    pub fn file_frame_bytes(&self) -> usize {
        usize::from(self.channels) * self.kind.file_bytes()
    }
}

/// Appends the mean of the channels of interleaved `frames`.
pub(crate) fn mean_of_channels(frames: &[f32], channels: usize, mono: &mut Vec<f32>) {
    if channels == 1 {
        return mono.extend_from_slice(frames);
    }
    let share = 1.0 / channels.max(1) as f32;
    mono.extend(frames.chunks_exact(channels.max(1)).map(|f| f.iter().sum::<f32>() * share));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_keeps_its_numbers() {
        let ints = [0, 1, -1, 32_767, -32_768, 8_388_607, -8_388_608, i32::MAX, i32::MIN];
        for kind in [SampleKind::I16, SampleKind::I24, SampleKind::I32] {
            let wire: Vec<u8> = ints
                .iter()
                .flat_map(|&x| match kind {
                    SampleKind::I16 => (x as i16).to_ne_bytes().to_vec(),
                    _ => x.to_ne_bytes().to_vec(),
                })
                .collect();
            let mut file = Vec::new();
            kind.wire_to_file(&wire, &mut file);
            let expected: Vec<u8> =
                ints.iter().flat_map(|x| x.to_le_bytes()[..kind.file_bytes()].to_vec()).collect();
            assert_eq!(file, expected, "{kind:?}");
            if kind != SampleKind::I32 {
                let (mut floats, mut back) = (Vec::new(), Vec::new());
                kind.wire_to_floats(&wire, &mut floats);
                kind.floats_to_file(&floats, &mut back);
                assert_eq!(back, file, "{kind:?} through floats");
            }
        }
    }

    #[test]
    fn floats_stop_at_full_scale() {
        let (mut i16s, mut i24s) = (Vec::new(), Vec::new());
        SampleKind::I16.floats_to_file(&[1.5, -1.5, f32::NAN], &mut i16s);
        SampleKind::I24.floats_to_file(&[1.5, -1.5], &mut i24s);
        assert_eq!(i16s, [0xff, 0x7f, 0x00, 0x80, 0, 0]);
        assert_eq!(i24s, [0xff, 0xff, 0x7f, 0x00, 0x00, 0x80]);
    }

    #[test]
    fn the_mean_is_of_each_frame() {
        let mut mono = Vec::new();
        mean_of_channels(&[1.0, 0.0, -0.5, 0.5], 2, &mut mono);
        assert_eq!(mono, [0.5, 0.0]);
    }
}
