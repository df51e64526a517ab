//! The lines that `--json` prints: one object a line, told apart by `event`.
//!
//! | event | fields |
//! |---|---|
//! | `queued` | `files`: how many |
//! | `started` | `file` |
//! | `progress` | `file`, `stage` (`reading`, `measuring`, `enhancing`, `writing`), `step` (when enhancing), `fraction` of this file, `files_done`, `files_total`, `seconds_left` (absent until known) |
//! | `finished` | `file`, `output`, `seconds`, `notes`, `before`: whether an earlier, interrupted run did it |
//! | `skipped` | `file`, `output`: the result that was there already |
//! | `failed` | `file`, `kind` (`unreadable`, `damaged`, `unsupported`, `too_large`, `model`, `unwritable`, `internal`), `message` |
//! | `cancelled` | `file` |
//! | `done` | `finished` (`before` of them in an earlier run), `skipped`, `failed`, `cancelled`: how many; `seconds` |
//!
//! A path that is not Unicode is given with replacement characters, and its bytes beside it in
//! hexadecimal as `file_hex` or `output_hex`. Fields may be added; none changes its meaning.

use std::path::Path;

use limpid_engine::{FailureKind, Stage};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::report::Counts;

/// A line.
#[derive(Clone, Copy, Debug)]
pub(super) enum Line<'a> {
    /// The files are known.
    Queued { files: usize },
    /// Work on a file began.
    Started { file: &'a Path },
    /// Work on a file went on.
    Progress {
        file: &'a Path,
        stage: &'a Stage,
        fraction: f32,
        files_done: u32,
        files_total: u32,
        seconds_left: Option<f32>,
    },
    /// A result is in place.
    Finished { file: &'a Path, output: &'a Path, seconds: f32, notes: &'a [String], before: bool },
    /// A result was there already.
    Skipped { file: &'a Path, output: &'a Path },
    /// A file failed.
    Failed { file: &'a Path, kind: FailureKind, message: &'a str },
    /// A file was cancelled.
    Cancelled { file: &'a Path },
    /// The end.
    Done { counts: Counts, seconds: f32 },
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match *self {
            Self::Queued { files } => {
                map.serialize_entry("event", "queued")?;
                map.serialize_entry("files", &files)?;
            }
            Self::Started { file } => {
                map.serialize_entry("event", "started")?;
                path_entry(&mut map, "file", "file_hex", file)?;
            }
            Self::Progress { file, stage, fraction, files_done, files_total, seconds_left } => {
                map.serialize_entry("event", "progress")?;
                path_entry(&mut map, "file", "file_hex", file)?;
                map.serialize_entry("stage", stage_name(stage))?;
                if let Stage::Enhancing(step) = stage {
                    map.serialize_entry("step", step)?;
                }
                map.serialize_entry("fraction", &fraction)?;
                map.serialize_entry("files_done", &files_done)?;
                map.serialize_entry("files_total", &files_total)?;
                if let Some(seconds) = seconds_left {
                    map.serialize_entry("seconds_left", &seconds)?;
                }
            }
            Self::Finished { file, output, seconds, notes, before } => {
                map.serialize_entry("event", "finished")?;
                path_entry(&mut map, "file", "file_hex", file)?;
                path_entry(&mut map, "output", "output_hex", output)?;
                map.serialize_entry("seconds", &seconds)?;
                map.serialize_entry("notes", notes)?;
                map.serialize_entry("before", &before)?;
            }
            Self::Skipped { file, output } => {
                map.serialize_entry("event", "skipped")?;
                path_entry(&mut map, "file", "file_hex", file)?;
                path_entry(&mut map, "output", "output_hex", output)?;
            }
            Self::Failed { file, kind, message } => {
                map.serialize_entry("event", "failed")?;
                path_entry(&mut map, "file", "file_hex", file)?;
                map.serialize_entry("kind", &kind)?;
                map.serialize_entry("message", message)?;
            }
            Self::Cancelled { file } => {
                map.serialize_entry("event", "cancelled")?;
                path_entry(&mut map, "file", "file_hex", file)?;
            }
            Self::Done { counts, seconds } => {
                map.serialize_entry("event", "done")?;
                map.serialize_entry("finished", &counts.finished)?;
                map.serialize_entry("before", &counts.before)?;
                map.serialize_entry("skipped", &counts.skipped)?;
                map.serialize_entry("failed", &counts.failed)?;
                map.serialize_entry("cancelled", &counts.cancelled)?;
                map.serialize_entry("seconds", &seconds)?;
            }
        }
        map.end()
    }
}

fn stage_name(stage: &Stage) -> &'static str {
    match stage {
        Stage::Reading => "reading",
        Stage::Measuring => "measuring",
        Stage::Enhancing(_) => "enhancing",
        Stage::Writing => "writing",
    }
}

/// Adds a path, and its bytes where text cannot hold them.
pub(super) fn path_entry<M: SerializeMap>(
    map: &mut M,
    key: &'static str,
    hex_key: &'static str,
    path: &Path,
) -> Result<(), M::Error> {
    map.serialize_entry(key, &path.to_string_lossy())?;
    if path.to_str().is_none() {
        let bytes = path.as_os_str().as_encoded_bytes();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        map.serialize_entry(hex_key, &hex)?;
    }
    Ok(())
}

/// A value as a line of JSON.
pub(super) fn text(value: &impl Serialize) -> String {
    // Every map above has text keys and finite values, which is all that can go wrong.
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_documented() {
        let file = Path::new("a b.jpg");
        let cases = [
            (Line::Queued { files: 3 }, r#"{"event":"queued","files":3}"#),
            (
                Line::Progress {
                    file,
                    stage: &Stage::Enhancing("Denoise".into()),
                    fraction: 0.5,
                    files_done: 1,
                    files_total: 3,
                    seconds_left: None,
                },
                r#"{"event":"progress","file":"a b.jpg","stage":"enhancing","step":"Denoise","fraction":0.5,"files_done":1,"files_total":3}"#,
            ),
            (
                Line::Failed { file, kind: FailureKind::TooLarge, message: "no \"room\"" },
                r#"{"event":"failed","file":"a b.jpg","kind":"too_large","message":"no \"room\""}"#,
            ),
            (
                Line::Done {
                    counts: Counts { finished: 5, before: 1, skipped: 2, failed: 3, cancelled: 4 },
                    seconds: 5.5,
                },
                r#"{"event":"done","finished":5,"before":1,"skipped":2,"failed":3,"cancelled":4,"seconds":5.5}"#,
            ),
        ];
        for (line, wanted) in cases {
            assert_eq!(text(&line), wanted);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_not_unicode_keeps_its_bytes() {
        use std::os::unix::ffi::OsStrExt;
        let file = Path::new(std::ffi::OsStr::from_bytes(b"caf\xe9.jpg"));
        assert_eq!(
            text(&Line::Started { file }),
            "{\"event\":\"started\",\"file\":\"caf\u{fffd}.jpg\",\"file_hex\":\"636166e92e6a7067\"}"
        );
    }
}
