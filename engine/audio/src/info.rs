//! What is known about a sound before it is read.

use crate::tags::Tags;

/// How a file stores its samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SampleFormat {
    /// Whole numbers of up to 16 bits.
    Int16,
    /// Whole numbers of 17 to 24 bits.
    Int24,
    /// Whole numbers of 25 to 32 bits; read with the 24 highest, as many as an `f32` holds.
    Int32,
    /// Floating point, full scale at ±1.
    Float32,
    /// Coded with loss (MP3, AAC, Vorbis): the samples have no depth of their own.
    Lossy,
}

/// How long a sound is, in frames (one sample of each channel).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// As many frames as this; a file that gives fewer is damaged.
    Exact(u64),
    /// As many as this by the container's own estimate; good for a progress bar.
    About(u64),
    /// Not told; known once the file is read.
    Unknown,
}

impl Length {
    /// The number of frames, exact or not.
    #[must_use]
    pub fn frames(self) -> Option<u64> {
        match self {
            Self::Exact(frames) | Self::About(frames) => Some(frames),
            Self::Unknown => None,
        }
    }
}

/// What is known about a sound file once it is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoundInfo {
    /// Frames a second, in Hz.
    pub rate: u32,
    /// Channels, at least 1.
    pub channels: usize,
    /// Loudspeaker positions as a WAVE channel mask, where the file says them.
    pub channel_mask: Option<u32>,
    /// Frames.
    pub length: Length,
    /// How samples are stored.
    pub format: SampleFormat,
    /// The container's name, such as `WAV`, `MP4`.
    pub container: &'static str,
    /// The coding's name, such as `PCM`, `AAC`.
    pub codec: &'static str,
    /// Title, artist and so on.
    pub tags: Tags,
}

impl SoundInfo {
    /// The length in seconds, exact or estimated.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        self.length.frames().map(|frames| frames as f64 / f64::from(self.rate))
    }

    /// Container and coding, once where both have one name: `MP4 AAC`, `FLAC`.
    #[must_use]
    pub fn kind(&self) -> String {
        if self.container == self.codec {
            self.codec.to_owned()
        } else {
            format!("{} {}", self.container, self.codec)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_named_as_its_coding_is_named_once() {
        let of = |container, codec| {
            let format = SampleFormat::Lossy;
            let (length, tags) = (Length::Unknown, Tags::default());
            SoundInfo {
                rate: 8000,
                channels: 1,
                channel_mask: None,
                length,
                format,
                container,
                codec,
                tags,
            }
            .kind()
        };
        assert_eq!([of("MP4", "AAC"), of("FLAC", "FLAC")], ["MP4 AAC", "FLAC"]);
    }
}
