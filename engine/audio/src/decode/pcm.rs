//! Bytes of plain samples to `f32`. Whole numbers of up to 24 bits are exact.

/// How a plain sample is written in a file, lowest byte first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    /// Unsigned, silence at 128.
    U8,
    /// Two's complement in 2, 3 or 4 bytes.
    I16,
    I24,
    I32,
    F32,
    F64,
    /// ITU-T G.711.
    ALaw,
    MuLaw,
}

impl Coding {
    /// Bytes a sample.
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::ALaw | Self::MuLaw => 1,
            Self::I16 => 2,
            Self::I24 => 3,
            Self::I32 | Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Appends interleaved samples to the channels. `bytes` holds whole frames.
    pub(super) fn append(self, bytes: &[u8], out: &mut [Vec<f32>]) {
        let size = self.bytes();
        let channels = out.len();
        for (channel, out) in out.iter_mut().enumerate() {
            let samples = bytes.chunks_exact(size).skip(channel).step_by(channels);
            match self {
                Self::U8 => out.extend(samples.map(|s| (f32::from(s[0]) - 128.0) / 128.0)),
                Self::I16 => out.extend(
                    samples.map(|s| f32::from(i16::from_le_bytes([s[0], s[1]])) / 32_768.0),
                ),
                Self::I24 => out.extend(samples.map(|s| from_i32([0, s[0], s[1], s[2]]))),
                Self::I32 => out.extend(samples.map(|s| from_i32([s[0], s[1], s[2], s[3]]))),
                Self::F32 => {
                    out.extend(samples.map(|s| f32::from_le_bytes([s[0], s[1], s[2], s[3]])));
                }
                Self::F64 => out.extend(samples.map(from_f64)),
                Self::ALaw => out.extend(samples.map(|s| a_law(s[0]))),
                Self::MuLaw => out.extend(samples.map(|s| mu_law(s[0]))),
            }
        }
    }
}

#[allow(clippy::cast_precision_loss)] // the lowest bits of 32 have no place in an f32
fn from_i32(bytes: [u8; 4]) -> f32 {
    i32::from_le_bytes(bytes) as f32 / 2_147_483_648.0
}

#[allow(clippy::cast_possible_truncation)] // rounding to f32 is what is wanted
fn from_f64(bytes: &[u8]) -> f32 {
    bytes.try_into().map_or(0.0, |bytes| f64::from_le_bytes(bytes) as f32)
}

/// G.711 A-law, 13 bits.
fn a_law(byte: u8) -> f32 {
    let byte = byte ^ 0x55;
    let exponent = (byte >> 4) & 7;
    let mantissa = i16::from(byte & 15);
    let magnitude = match exponent {
        0 => (mantissa << 4) + 8,
        _ => ((mantissa << 4) + 0x108) << (exponent - 1),
    };
    f32::from(if byte & 0x80 == 0 { -magnitude } else { magnitude }) / 32_768.0
}

/// G.711 µ-law, 14 bits.
fn mu_law(byte: u8) -> f32 {
    let byte = !byte;
    let exponent = (byte >> 4) & 7;
    let magnitude = (((i16::from(byte & 15) << 3) + 0x84) << exponent) - 0x84;
    f32::from(if byte & 0x80 == 0 { magnitude } else { -magnitude }) / 32_768.0
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use super::*;

    #[test]
    fn each_coding_keeps_its_extremes() {
        let f32_bytes = 0.25f32.to_le_bytes();
        let f64_bytes = (-0.5f64).to_le_bytes();
        let cases: [(Coding, &[u8], f32); 12] = [
            (Coding::U8, &[0], -1.0),
            (Coding::U8, &[128], 0.0),
            (Coding::I16, &[0, 0x80], -1.0),
            (Coding::I16, &[1, 0], 1.0 / 32_768.0),
            (Coding::I24, &[0, 0, 0x80], -1.0),
            (Coding::I24, &[1, 0, 0], 1.0 / 8_388_608.0),
            (Coding::I32, &[0, 0, 0, 0x40], 0.5),
            (Coding::F32, &f32_bytes, 0.25),
            (Coding::F64, &f64_bytes, -0.5),
            (Coding::ALaw, &[0xd5], 8.0 / 32_768.0),
            (Coding::MuLaw, &[0xff], 0.0),
            (Coding::MuLaw, &[0x80], 32_124.0 / 32_768.0),
        ];
        for (coding, bytes, value) in cases {
            let mut out = [Vec::new()];
            coding.append(bytes, &mut out);
            assert_eq!(out[0], [value], "{coding:?} {bytes:?}");
        }
    }
}
