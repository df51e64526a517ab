//! A loudspeaker that asks for floats, whatever the device takes.

use cpal::traits::{DeviceTrait, StreamTrait};
use cpal::{Data, Device, Stream, StreamConfig};

use crate::error::AudioError;
use crate::live::devices::{self, Direction, Wanted, cannot_open, cpal_kind};
use crate::live::{FaultFlag, SampleKind, StreamFormat};

/// A device that has been found to open, not yet playing.
pub(crate) struct Planned {
    device: Device,
    format: StreamFormat,
    config: StreamConfig,
}

/// A device that plays until this is dropped.
pub(crate) struct Output {
    flag: FaultFlag,
    _stream: Stream,
}

impl Output {
    /// Finds a loudspeaker by its id or name, or the default one, and how it opens.
    pub(crate) fn plan(device: Option<&str>, rate: Option<u32>) -> Result<Planned, AudioError> {
        let device = devices::find(Direction::Output, device)?;
        let wanted = Wanted { rate, ..Wanted::default() };
        let (format, config) = devices::what_opens(&device, Direction::Output, wanted)?;
        Ok(Planned { device, format, config })
    }

    /// Why it plays no more, if so.
    pub(crate) fn fault(&self) -> Option<AudioError> {
        self.flag.raised().map(|fault| fault.sentence("the loudspeaker"))
    }
}

impl Planned {
    /// What the device will ask for.
    pub(crate) fn format(&self) -> StreamFormat {
        self.format
    }

    /// Starts it. `fill` writes interleaved frames, full scale ±1, on the device's thread: it must
    /// not allocate, lock or wait.
    pub(crate) fn start(
        self,
        mut fill: impl FnMut(&mut [f32]) + Send + 'static,
    ) -> Result<Output, AudioError> {
        let Self { device, format, config } = self;
        let flag = FaultFlag::default();
        let on_error = flag.clone();
        let mut floats = vec![0.0; 256 * usize::from(format.channels.max(1))];
        let stream = device
            .build_output_stream_raw(
                config,
                cpal_kind(format.kind),
                move |data: &mut Data, _| match data.as_slice_mut::<f32>() {
                    Some(frames) => fill(frames),
                    None => fill_wire(format.kind, data.bytes_mut(), &mut floats, &mut fill),
                },
                move |error| on_error.report(&error),
                Some(devices::OPEN_TIMEOUT),
            )
            .and_then(|stream| stream.play().map(|()| stream))
            .map_err(|error| cannot_open(Direction::Output, &error))?;
        Ok(Output { flag, _stream: stream })
    }
}

/// Fills a device's bytes through a buffer of whole frames.
fn fill_wire(
    kind: SampleKind,
    wire: &mut [u8],
    floats: &mut [f32],
    fill: &mut impl FnMut(&mut [f32]),
) {
    let width = kind.wire_bytes();
    for part in wire.chunks_mut(floats.len() * width) {
        let samples = &mut floats[..part.len() / width];
        fill(samples);
        for (bytes, sample) in part.chunks_exact_mut(width).zip(samples) {
            let x = f64::from(*sample);
            match kind {
                SampleKind::I16 => {
                    bytes.copy_from_slice(&((x * 32_768.0).round() as i16).to_ne_bytes());
                }
                SampleKind::I24 => {
                    let sample = (x * 8_388_608.0).round().clamp(-8_388_608.0, 8_388_607.0);
                    bytes.copy_from_slice(&(sample as i32).to_ne_bytes());
                }
                SampleKind::I32 => {
                    bytes.copy_from_slice(&((x * 2_147_483_648.0).round() as i32).to_ne_bytes());
                }
                SampleKind::F32 => bytes.copy_from_slice(&sample.to_ne_bytes()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_kinds_are_filled_in_order() {
        let mut next = 0;
        let mut count = |frames: &mut [f32]| {
            for x in frames {
                *x = next as f32 / 32_768.0;
                next += 1;
            }
        };
        let (mut wire, mut floats) = ([0_u8; 20], [0.0; 4]);
        fill_wire(SampleKind::I16, &mut wire, &mut floats, &mut count);
        let expected: Vec<u8> = (0..10_i16).flat_map(i16::to_ne_bytes).collect();
        assert_eq!(wire.to_vec(), expected);
    }
}
