//! Names of new files: never one that is there already.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// "Take 2026-11-22 18.05.09.wav", numbered if that is there already. Times are UTC: without the
/// computer's time zone, which no crate here reads, that is the only one that is true.
pub(super) fn take(folder: &Path, now: SystemTime) -> PathBuf {
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |past| past.as_secs());
    free(&folder.join(format!("Take {}.wav", date_and_time(seconds))))
}

/// This path, or "NAME-2.wav" and so on where something is there.
pub(super) fn free(wanted: &Path) -> PathBuf {
    let mut path = wanted.to_owned();
    let mut number = 2_u32;
    // Not `exists`: a dangling link is something that is there too.
    while path.symlink_metadata().is_ok() {
        let mut name = wanted.file_stem().map_or_else(OsString::new, OsString::from);
        name.push(format!("-{number}"));
        if let Some(extension) = wanted.extension() {
            name.push(".");
            name.push(extension);
        }
        path.set_file_name(name);
        number = number.saturating_add(1);
    }
    path
}

/// "2026-11-22 18.05.09" of seconds since 1970 (Gregorian calendar, days from civil reversed).
fn date_and_time(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}.{minute:02}.{second:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01 00.00.00"),
            (951_782_400, "2000-02-29 00.00.00"),
            (1_795_370_709, "2026-11-22 18.05.09"),
            (4_107_542_399, "2100-02-28 23.59.59"),
            (4_107_542_400, "2100-03-01 00.00.00"),
        ] {
            assert_eq!(date_and_time(seconds), text);
        }
    }

    #[test]
    fn takes_of_one_second_get_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let now = SystemTime::UNIX_EPOCH;
        let first = take(dir.path(), now);
        std::fs::write(&first, b"").unwrap();
        let second = take(dir.path(), now);
        assert_ne!(first, second);
        assert!(second.to_string_lossy().ends_with("00.00.00-2.wav"));
    }

    #[test]
    fn a_file_that_is_there_keeps_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.b.flac");
        assert_eq!(free(&path), path);
        std::fs::write(&path, b"").unwrap();
        assert_eq!(free(&path), dir.path().join("a.b-2.flac"));
        std::fs::write(dir.path().join("a.b-2.flac"), b"").unwrap();
        assert_eq!(free(&path), dir.path().join("a.b-3.flac"));
        let bare = dir.path().join("bare");
        std::fs::create_dir(&bare).unwrap();
        assert_eq!(free(&bare), dir.path().join("bare-2"));
    }
}
