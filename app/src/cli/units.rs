//! Numbers with a unit or a range, as they are typed and shown.

use limpid_engine::{Speech, Strength};

/// A noise level, standard deviation on the `0..=255` scale, from `0` to the most that the
/// denoiser can be told to expect.
///
/// # Errors
/// A sentence with the range and what was typed.
pub(super) fn sigma(text: &str) -> Result<f32, String> {
    number(text, Strength::FULL_SIGMA)
}

/// A share from 0 to 1.
///
/// # Errors
/// A sentence with the range and what was typed.
pub(super) fn share(text: &str) -> Result<f32, String> {
    number(text, 1.0)
}

/// How far noise is turned down, in dB.
///
/// # Errors
/// A sentence with the range.
pub(super) fn decibels(text: &str) -> Result<f32, String> {
    checked(text, |speech, limit| speech.limit_db = Some(limit))
}

/// A loudness in LUFS.
///
/// # Errors
/// A sentence with the range.
pub(super) fn loudness(text: &str) -> Result<f32, String> {
    checked(text, |speech, loudness| speech.loudness = Some(loudness))
}

/// A number that the settings of speech accept.
fn checked(text: &str, set: impl Fn(&mut Speech, f32)) -> Result<f32, String> {
    let value = text.parse::<f32>().map_err(|_| "it is a number".to_owned())?;
    let mut speech = Speech::default();
    set(&mut speech, value);
    speech.validate().map(|()| value)
}

/// A length of time, more than none and up to a day.
///
/// # Errors
/// A sentence with the range.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 86_400.0 => Ok(value),
        _ => Err("it is a number of seconds, above 0 and up to 86400".into()),
    }
}

fn number(text: &str, most: f32) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if (0.0..=most).contains(&value) => Ok(value),
        _ => Err(format!("it is a number from 0 to {most}")),
    }
}

/// Less than this holds no tile of any network beside the program itself.
const LEAST_MEMORY: u64 = 64_000_000;

/// An amount of memory in bytes: "800MB", "1.5GB", "1GiB".
///
/// # Errors
/// A sentence with an example.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let units: [(&str, f64); 6] = [
        ("KIB", 1024.0),
        ("MIB", 1_048_576.0),
        ("GIB", 1_073_741_824.0),
        ("KB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
    ];
    let upper = text.trim().to_ascii_uppercase();
    let amount = units.iter().find_map(|(unit, factor)| {
        let number = upper.strip_suffix(unit)?.trim_end().parse::<f64>().ok()?;
        (number.is_finite() && number >= 0.0).then_some(number * factor)
    });
    match amount {
        // Beyond 2^53 the cast saturates or rounds; both mean "all there is".
        Some(bytes) if bytes >= LEAST_MEMORY as f64 => Ok(bytes as u64),
        Some(_) => Err(format!("it is at least {}", show_bytes(LEAST_MEMORY))),
        None => Err("it is a number with a unit, like 1GB or 800MB".to_owned()),
    }
}

/// Bytes for people: "3.4 MB".
#[must_use]
pub(super) fn show_bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} bytes"),
        1_000..1_000_000 => format!("{:.0} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// A time for people: "0.8 s", "42 s", "3 min 20 s", "2 h 5 min".
#[must_use]
pub(super) fn show_seconds(seconds: f32) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..10 => format!("{:.1} s", seconds.max(0.0)),
        10..60 => format!("{whole} s"),
        60..3600 => format!("{} min {} s", whole / 60, whole % 60),
        _ => format!("{} h {} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_with_its_unit() {
        let cases = [
            ("1GB", Some(1_000_000_000)),
            ("1 gb", Some(1_000_000_000)),
            ("1.5GB", Some(1_500_000_000)),
            ("1GiB", Some(1 << 30)),
            ("800mb", Some(800_000_000)),
            ("99999999999999999999GB", Some(u64::MAX)),
            ("1", None),
            ("GB", None),
            ("-1GB", None),
            ("infGB", None),
            ("nanGB", None),
            ("1MB", None),
            ("", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(bytes(text).ok(), wanted, "{text:?}");
        }
    }

    #[test]
    fn amounts_are_shown_for_people() {
        assert_eq!(show_bytes(3_412_000), "3.4 MB");
        assert_eq!(show_bytes(812), "812 bytes");
        assert_eq!(show_seconds(0.84), "0.8 s");
        assert_eq!(show_seconds(200.0), "3 min 20 s");
        assert_eq!(show_seconds(7500.0), "2 h 5 min");
    }
}
