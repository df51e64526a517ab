//! How a device is opened: what is nearest to what is wanted, found out by trying.

use std::thread;
use std::time::Duration;

use cpal::traits::DeviceTrait;
use cpal::{BufferSize, Device, SampleFormat, StreamConfig, SupportedStreamConfigRange};

use super::devices::{Direction, noun};
use super::format::{SampleKind, StreamFormat};
use crate::error::{AudioError, ErrorKind};

/// How long a system may take to set a stream up, where it asks.
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a stream may take to stop.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

/// Rates that are tried, in Hz.
pub(super) const RATES: [u32; 10] =
    [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000];

/// How many times a second a device gives or takes sound, where it can be told to. It has room for
/// twice as much: the fewer times, the longer may a busy processor take, and the later it is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// For what must not be lost, often enough for a meter: 25.
    Recording,
    /// For what must not be interrupted: 20.
    Playing,
    /// For who hears themselves speak: 50.
    Listening,
}

impl Pace {
    fn frames(self, rate: u32) -> u32 {
        let times = match self {
            Self::Recording => 25,
            Self::Playing => 20,
            Self::Listening => 50,
        };
        (rate / times).max(1)
    }
}

/// What is asked of a device; `None` leaves it to the device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Frames a second, in Hz.
    pub rate: Option<u32>,
    /// Samples in a frame.
    pub channels: Option<u16>,
    /// How samples are written.
    pub kind: Option<SampleKind>,
}

/// The format nearest to what is wanted that the device opens with, tried by opening it.
pub(crate) fn what_opens(
    device: &Device,
    direction: Direction,
    wanted: Wanted,
    pace: Pace,
) -> Result<(StreamFormat, StreamConfig), AudioError> {
    let ranges = ranges(device, direction).map_err(|error| cannot_open(direction, &error))?;
    let own = own_format(device, direction, &ranges);
    let tried = first_that_opens(device, direction, &candidates(&ranges, own, wanted), pace);
    tried.map_err(|error| match error {
        Some(error) => cannot_open(direction, &error),
        None => AudioError::new(
            ErrorKind::Device,
            format!("the {} opens in no way that Limpid knows", noun(direction)),
        ),
    })
}

/// Tries one format after the other. A device that refuses for another reason than the format is
/// not asked again and again.
pub(super) fn first_that_opens(
    device: &Device,
    direction: Direction,
    formats: &[StreamFormat],
    pace: Pace,
) -> Result<(StreamFormat, StreamConfig), Option<cpal::Error>> {
    let mut last = None;
    let mut refusals = 0;
    for &format in formats {
        match opens(device, direction, format, pace) {
            Ok(config) => return Ok((format, config)),
            Err(error) => {
                let is_format = error.kind() == cpal::ErrorKind::UnsupportedConfig;
                refusals += u32::from(!is_format);
                last = Some(error);
            }
        }
        if refusals == 2 {
            break;
        }
    }
    Err(last)
}

/// Why a device did not open, in one sentence.
pub(crate) fn cannot_open(direction: Direction, error: &cpal::Error) -> AudioError {
    let what = noun(direction);
    let why = match error.kind() {
        cpal::ErrorKind::DeviceBusy => format!("the {what} is in use by another program"),
        cpal::ErrorKind::PermissionDenied => {
            format!("the system does not let Limpid use the {what}")
        }
        cpal::ErrorKind::DeviceNotAvailable | cpal::ErrorKind::HostUnavailable => {
            format!("there is no {what}, or it is switched off")
        }
        _ => format!("the {what} cannot be opened ({error})"),
    };
    AudioError::new(ErrorKind::Device, why).because(error.clone())
}

/// Stops a stream. The sound system's own code may hang in there when its server died under it, so
/// it is given a moment, and is left behind on a thread of its own if that is not enough.
pub(crate) fn close(stream: cpal::Stream) {
    let (closed, wait) = crossbeam_channel::bounded(1);
    let work = move || {
        drop(stream);
        let _ = closed.send(());
    };
    if thread::Builder::new().name("limpid-close".to_owned()).spawn(work).is_ok() {
        let _ = wait.recv_timeout(CLOSE_TIMEOUT);
    }
}

/// What the sound library calls a kind of sample.
pub(crate) fn cpal_kind(kind: SampleKind) -> SampleFormat {
    match kind {
        SampleKind::I16 => SampleFormat::I16,
        SampleKind::I24 => SampleFormat::I24,
        SampleKind::I32 => SampleFormat::I32,
        SampleKind::F32 => SampleFormat::F32,
    }
}

fn kind_of(format: SampleFormat) -> Option<SampleKind> {
    SampleKind::ALL.into_iter().find(|&kind| cpal_kind(kind) == format)
}

pub(super) fn ranges(
    device: &Device,
    direction: Direction,
) -> Result<Vec<SupportedStreamConfigRange>, cpal::Error> {
    Ok(match direction {
        Direction::Input => device.supported_input_configs()?.collect(),
        Direction::Output => device.supported_output_configs()?.collect(),
    })
}

/// How the device opens when nothing is asked of it.
pub(super) fn own_format(
    device: &Device,
    direction: Direction,
    ranges: &[SupportedStreamConfigRange],
) -> Option<StreamFormat> {
    let config = match direction {
        Direction::Input => device.default_input_config(),
        Direction::Output => device.default_output_config(),
    };
    let config = config.ok()?;
    let (rate, channels) = (config.sample_rate(), config.channels());
    let kind = kind_of(config.sample_format()).or_else(|| {
        let has = |kind: &SampleKind| {
            ranges.iter().any(|range| holds(range, rate, channels, cpal_kind(*kind)))
        };
        SampleKind::ALL.into_iter().find(has)
    })?;
    Some(StreamFormat { rate, channels, kind })
}

pub(super) fn holds(
    range: &SupportedStreamConfigRange,
    rate: u32,
    channels: u16,
    format: SampleFormat,
) -> bool {
    range.contains_rate(rate) && range.channels() == channels && range.sample_format() == format
}

/// What the device says it has, what is nearest to `wanted` first: the rate weighs most, then the
/// channels, then the kind of sample.
pub(super) fn candidates(
    ranges: &[SupportedStreamConfigRange],
    own: Option<StreamFormat>,
    wanted: Wanted,
) -> Vec<StreamFormat> {
    // A sound server that takes any rate may call a telephone's its own: not for a recording.
    let own_rate = own.map(|own| own.rate).filter(|rate| *rate >= 44_100);
    let rate = wanted.rate.or(own_rate).unwrap_or(48_000);
    let channels = wanted.channels.or(own.map(|own| own.channels)).unwrap_or(1);
    let kind = wanted.kind.or(own.map(|own| own.kind));
    let mut all = Vec::new();
    for range in ranges {
        let Some(kind) = kind_of(range.sample_format()) else { continue };
        let (low, high) = (range.min_sample_rate(), range.max_sample_rate());
        let rates = RATES.into_iter().chain([rate, low, high]);
        // an end of a range is tried only where no usual rate lies inside, or it is the wanted one
        let usual = RATES.iter().any(|&rate| range.contains_rate(rate));
        let rates = rates
            .filter(|&r| range.contains_rate(r) && (r == rate || RATES.contains(&r) || !usual));
        all.extend(rates.map(|rate| StreamFormat { rate, channels: range.channels(), kind }));
    }
    let distance = |format: &StreamFormat| {
        // a higher rate keeps all of the sound, a lower one does not
        let rate = if format.rate >= rate { format.rate - rate } else { u32::MAX - format.rate };
        let fewer = format.channels < channels;
        let other_kind = SampleKind::ALL.iter().position(|k| *k == format.kind).unwrap_or(0) + 1;
        (
            rate,
            fewer,
            format.channels.abs_diff(channels),
            if Some(format.kind) == kind { 0 } else { other_kind },
        )
    };
    all.sort_by_key(distance);
    all.dedup();
    // each try opens the device
    all.truncate(24);
    all
}

/// Builds a stream and drops it. The config is what a real one is then built with.
pub(super) fn opens(
    device: &Device,
    direction: Direction,
    format: StreamFormat,
    pace: Pace,
) -> Result<StreamConfig, cpal::Error> {
    let period = BufferSize::Fixed(pace.frames(format.rate));
    let mut config =
        StreamConfig { channels: format.channels, sample_rate: format.rate, buffer_size: period };
    let kind = cpal_kind(format.kind);
    let attempt = |config: StreamConfig| match direction {
        Direction::Input => device
            .build_input_stream_raw(config, kind, |_, _| {}, |_| {}, Some(OPEN_TIMEOUT))
            .map(drop),
        Direction::Output => device
            .build_output_stream_raw(config, kind, |_, _| {}, |_| {}, Some(OPEN_TIMEOUT))
            .map(drop),
    };
    attempt(config).or_else(|_| {
        config.buffer_size = BufferSize::Default;
        attempt(config)
    })?;
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cpal::SupportedBufferSize;

    fn range(channels: u16, rates: [u32; 2], format: SampleFormat) -> SupportedStreamConfigRange {
        let any = SupportedBufferSize::Unknown;
        SupportedStreamConfigRange::new(channels, rates[0], rates[1], any, format)
    }

    fn first(ranges: &[SupportedStreamConfigRange], wanted: Wanted) -> StreamFormat {
        let own = StreamFormat { rate: 48_000, channels: 2, kind: SampleKind::I16 };
        candidates(ranges, Some(own), wanted)[0]
    }

    #[test]
    fn the_nearest_format_is_tried_first() {
        let card = [
            range(2, [44_100, 44_100], SampleFormat::I16),
            range(2, [48_000, 48_000], SampleFormat::I16),
            range(2, [48_000, 48_000], SampleFormat::I32),
            range(2, [48_000, 48_000], SampleFormat::U8),
        ];
        let f = |rate, channels, kind| StreamFormat { rate, channels, kind };
        let want = |rate, channels, kind| Wanted { rate, channels, kind };
        let cases = [
            (want(None, None, None), f(48_000, 2, SampleKind::I16)),
            (want(Some(44_100), None, None), f(44_100, 2, SampleKind::I16)),
            (want(Some(16_000), Some(1), None), f(44_100, 2, SampleKind::I16)),
            (want(Some(96_000), None, None), f(48_000, 2, SampleKind::I16)),
            (want(None, None, Some(SampleKind::I32)), f(48_000, 2, SampleKind::I32)),
            (want(None, None, Some(SampleKind::F32)), f(48_000, 2, SampleKind::I32)),
        ];
        for (wanted, expected) in cases {
            assert_eq!(first(&card, wanted), expected, "{wanted:?}");
        }
        let any = [range(1, [4_000, 192_000], SampleFormat::F32)];
        let low = |ranges| {
            let own = StreamFormat { rate: 16_000, channels: 1, kind: SampleKind::F32 };
            candidates(ranges, Some(own), Wanted::default())[0].rate
        };
        assert_eq!(low(&any), 48_000, "a low rate is not chosen where it is a choice");
        assert_eq!(low(&[range(1, [16_000, 16_000], SampleFormat::F32)]), 16_000);
        assert_eq!(first(&any, want(Some(37_800), None, None)).rate, 37_800);
    }
}
