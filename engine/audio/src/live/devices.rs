//! Microphones and loudspeakers, and what they really open with.

use cpal::Device;
use cpal::traits::{DeviceTrait, HostTrait};

use super::format::{SampleKind, StreamFormat};
use super::open::{
    Pace, RATES, Wanted, candidates, cpal_kind, first_that_opens, holds, opens, own_format, ranges,
};
use crate::error::{AudioError, ErrorKind};

/// More channels than a voice needs are not asked for unless the device has no fewer.
const MOST_CHANNELS: u16 = 8;

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

/// The devices that open, the default one first. Each is opened for a moment in every way that is
/// listed, so this takes tens of milliseconds a device and lights a microphone's lamp; not for a
/// window's thread. A device that another program holds is not listed.
///
/// # Errors
///
/// The system's sound service cannot be reached.
pub fn devices(direction: Direction) -> Result<Vec<DeviceInfo>, AudioError> {
    hush();
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
    hush();
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

pub(crate) fn noun(direction: Direction) -> &'static str {
    match direction {
        Direction::Input => "microphone",
        Direction::Output => "loudspeaker",
    }
}

/// ALSA writes what fails to the terminal, and looking for what opens is failing a lot. On this
/// thread it is kept from now on; the errors themselves come back as values.
fn hush() {
    #[cfg(target_os = "linux")]
    let _ = alsa::Output::local_error_handler();
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
        "default" | "pipewire" | "pulse" => card.is_empty(),
        "hw" | "sysdefault" => card
            .strip_prefix("CARD=")
            .is_some_and(|name| !name.starts_with(|c: char| c.is_ascii_digit())),
        // what a person added to the configuration has a name of its own
        _ => card.is_empty() && !ALSA_PARTS.contains(&plugin),
    }
}

/// A JACK server has a PipeWire or PulseAudio beside it; asking for one that does not run starts it
/// and tells the terminal all about it.
const ALSA_PARTS: [&str; 13] = [
    "jack",
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

fn describe(device: &Device, direction: Direction) -> Option<DeviceInfo> {
    let id = id_of(device)?;
    let ranges = ranges(device, direction).ok()?;
    let own = own_format(device, direction, &ranges);
    let all = candidates(&ranges, own, Wanted::default());
    let (preferred, _) = first_that_opens(device, direction, &all, Pace::Recording).ok()?;
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
        if said
            && !formats.contains(&format)
            && opens(device, direction, format, Pace::Recording).is_ok()
        {
            formats.push(format);
        }
    }
    let name = device.to_string();
    Some(DeviceInfo { id, name, is_default: false, preferred, formats })
}

#[cfg(test)]
mod tests {
    use super::*;

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
