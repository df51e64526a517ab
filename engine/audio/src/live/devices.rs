//! Microphones and loudspeakers, and what they really open with.

use std::time::Duration;

use cpal::traits::{DeviceTrait, HostTrait};
use cpal::{BufferSize, Device, SampleFormat, StreamConfig, SupportedStreamConfigRange};

use super::format::{SampleKind, StreamFormat};
use crate::error::{AudioError, ErrorKind};

/// How long a system may take to set a stream up, where it asks.
pub(crate) const OPEN_TIMEOUT: Duration = Duration::from_secs(5);

/// Rates that are tried, in Hz.
const RATES: [u32; 10] =
    [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000, 192_000];

/// More channels than a voice needs are not asked for unless the device has no fewer.
const MOST_CHANNELS: u16 = 8;

/// A device gives its sound this many times a second, where it can be told to: often enough for a
/// meter and an ear, seldom enough that a busy processor is no trouble.
const PERIODS_A_SECOND: u32 = 50;

/// Which way sound flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Microphones.
    Input,
    /// Loudspeakers.
    Output,
}

/// A device that opened when it was asked to, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceInfo {
    /// Its name to the system, the same at the next start; what a setting stores.
    pub id: String,
    /// Its name to a person. No two devices of a list share one.
    pub name: String,
    /// Whether it is the one that the system takes when none is named.
    pub is_default: bool,
    /// How it opens when nothing is asked of it. The first of `formats`.
    pub preferred: StreamFormat,
    /// All that was tried and opened: each rate as the device prefers it otherwise, and each kind
    /// of sample and number of channels at its preferred rate.
    pub formats: Vec<StreamFormat>,
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

/// The devices that open, the default one first. Each is opened for a moment in every way that is
/// listed, so this takes tens of milliseconds a device and lights a microphone's lamp; not for a
/// window's thread. A device that another program holds is not listed.
///
/// # Errors
///
/// The system's sound service cannot be reached.
pub fn devices(direction: Direction) -> Result<Vec<DeviceInfo>, AudioError> {
    let host = cpal::default_host();
    let default = default_device(&host, direction);
    let default_id = default.as_ref().and_then(id_of);
    // some systems list their default device among the others, some do not
    let others = host.devices().map_err(|error| {
        AudioError::new(ErrorKind::Device, "the system's sound service cannot be reached")
            .because(error)
    })?;
    let others = others
        .filter(|device| match direction {
            Direction::Input => device.supports_input(),
            Direction::Output => device.supports_output(),
        })
        .filter(|device| id_of(device).is_some_and(|id| is_for_people(&id)))
        .filter(|device| id_of(device) != default_id);
    let mut found: Vec<DeviceInfo> = Vec::new();
    for device in default.into_iter().chain(others) {
        let Some(mut info) = describe(&device, direction) else { continue };
        info.is_default = default_id.as_ref() == Some(&info.id);
        if found.iter().any(|other| other.name == info.name) {
            info.name = format!("{} ({})", info.name, short_id(&info.id));
        }
        found.push(info);
    }
    Ok(found)
}

/// The device with this id or name, or the default one.
pub(crate) fn find(direction: Direction, wanted: Option<&str>) -> Result<Device, AudioError> {
    let what = noun(direction);
    let host = cpal::default_host();
    let Some(wanted) = wanted else {
        return default_device(&host, direction)
            .ok_or_else(|| AudioError::new(ErrorKind::Device, format!("there is no {what}")));
    };
    let all = || {
        let listed = host.devices().into_iter().flatten();
        default_device(&host, direction).into_iter().chain(listed)
    };
    let by_id =
        |device: &Device| id_of(device).is_some_and(|id| id == wanted || short_id(&id) == wanted);
    if let Some(device) = all().find(by_id) {
        return Ok(device);
    }
    // names are made unique for a list, so the list is what they are looked up in
    let named = devices(direction)?.into_iter().find(|info| info.name == wanted);
    named.and_then(|info| all().find(|device| id_of(device).as_ref() == Some(&info.id))).ok_or_else(
        || AudioError::new(ErrorKind::Device, format!("there is no {what} called \"{wanted}\"")),
    )
}

/// The format nearest to what is wanted that the device opens with, tried by opening it.
pub(crate) fn what_opens(
    device: &Device,
    direction: Direction,
    wanted: Wanted,
) -> Result<(StreamFormat, StreamConfig), AudioError> {
    let ranges = ranges(device, direction).map_err(|error| cannot_open(direction, &error))?;
    let own = own_format(device, direction, &ranges);
    let mut last = None;
    for format in candidates(&ranges, own, wanted) {
        match opens(device, direction, format) {
            Ok(config) => return Ok((format, config)),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) => cannot_open(direction, &error),
        None => AudioError::new(
            ErrorKind::Device,
            format!("the {} opens in no way that Limpid knows", noun(direction)),
        ),
    })
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

pub(crate) fn noun(direction: Direction) -> &'static str {
    match direction {
        Direction::Input => "microphone",
        Direction::Output => "loudspeaker",
    }
}

fn default_device(host: &cpal::Host, direction: Direction) -> Option<Device> {
    match direction {
        Direction::Input => host.default_input_device(),
        Direction::Output => host.default_output_device(),
    }
}

fn id_of(device: &Device) -> Option<String> {
    device.id().ok().map(|id| id.to_string())
}

/// The id without the name of the sound system before it.
fn short_id(id: &str) -> &str {
    id.split_once(':').map_or(id, |(_, rest)| rest)
}

/// ALSA lists its building blocks beside its devices, and each card a dozen times. One entry a
/// card that shares it with other programs, one that gives its own samples untouched, and the
/// sound servers are left; cards by name, since numbers change with the next start.
fn is_for_people(id: &str) -> bool {
    let Some(pcm) = id.strip_prefix("alsa:") else { return true };
    let (plugin, card) = pcm.split_once(':').unwrap_or((pcm, ""));
    match plugin {
        "default" | "pipewire" | "pulse" | "jack" => card.is_empty(),
        "hw" | "sysdefault" => card
            .strip_prefix("CARD=")
            .is_some_and(|name| !name.starts_with(|c: char| c.is_ascii_digit())),
        // what a person added to the configuration has a name of its own
        _ => card.is_empty() && !ALSA_PARTS.contains(&plugin),
    }
}

const ALSA_PARTS: [&str; 12] = [
    "null",
    "samplerate",
    "speexrate",
    "speex",
    "lavrate",
    "upmix",
    "vdownmix",
    "oss",
    "a52",
    "dmix",
    "dsnoop",
    "usbstream",
];

fn ranges(
    device: &Device,
    direction: Direction,
) -> Result<Vec<SupportedStreamConfigRange>, cpal::Error> {
    Ok(match direction {
        Direction::Input => device.supported_input_configs()?.collect(),
        Direction::Output => device.supported_output_configs()?.collect(),
    })
}

/// How the device opens when nothing is asked of it.
fn own_format(
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

fn holds(
    range: &SupportedStreamConfigRange,
    rate: u32,
    channels: u16,
    format: SampleFormat,
) -> bool {
    range.contains_rate(rate) && range.channels() == channels && range.sample_format() == format
}

/// What the device says it has, what is nearest to `wanted` first: the rate weighs most, then the
/// channels, then the kind of sample.
fn candidates(
    ranges: &[SupportedStreamConfigRange],
    own: Option<StreamFormat>,
    wanted: Wanted,
) -> Vec<StreamFormat> {
    let rate = wanted.rate.or(own.map(|own| own.rate)).unwrap_or(48_000);
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
fn opens(
    device: &Device,
    direction: Direction,
    format: StreamFormat,
) -> Result<StreamConfig, cpal::Error> {
    let period = BufferSize::Fixed((format.rate / PERIODS_A_SECOND).max(1));
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

fn describe(device: &Device, direction: Direction) -> Option<DeviceInfo> {
    let id = id_of(device)?;
    let ranges = ranges(device, direction).ok()?;
    let own = own_format(device, direction, &ranges);
    let preferred = candidates(&ranges, own, Wanted::default())
        .into_iter()
        .find(|&format| opens(device, direction, format).is_ok())?;
    let mut formats = vec![preferred];
    let tries = RATES
        .into_iter()
        .map(|rate| StreamFormat { rate, ..preferred })
        .chain(SampleKind::ALL.into_iter().map(|kind| StreamFormat { kind, ..preferred }))
        .chain((1..=MOST_CHANNELS).map(|channels| StreamFormat { channels, ..preferred }));
    for format in tries {
        let said = ranges
            .iter()
            .any(|range| holds(range, format.rate, format.channels, cpal_kind(format.kind)));
        if said && !formats.contains(&format) && opens(device, direction, format).is_ok() {
            formats.push(format);
        }
    }
    let name = device.to_string();
    Some(DeviceInfo { id, name, is_default: false, preferred, formats })
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
        assert_eq!(first(&any, want(Some(37_800), None, None)).rate, 37_800);
    }

    #[test]
    fn alsa_building_blocks_are_not_devices() {
        for id in [
            "alsa:default",
            "alsa:pulse",
            "alsa:hw:CARD=PCH,DEV=0",
            "alsa:sysdefault:CARD=Mic",
            "alsa:headset",
            "wasapi:{0.0.1}",
            "coreaudio:BuiltIn",
        ] {
            assert!(is_for_people(id), "{id}");
        }
        for id in [
            "alsa:null",
            "alsa:dsnoop:CARD=PCH,DEV=0",
            "alsa:hw:CARD=0,DEV=0",
            "alsa:speexrate",
            "alsa:surround51:CARD=PCH,DEV=0",
            "alsa:plughw:CARD=1,DEV=0",
        ] {
            assert!(!is_for_people(id), "{id}");
        }
    }
}
