//! `limpid record` and `limpid devices`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crossbeam_channel::RecvTimeoutError;
use limpid_engine::studio::{Recorded, Recording, RecordingRequest, microphones};
use limpid_engine::{EngineError, Speech};

use super::args::RecordArgs;
use super::{SOME_FAILED, WRONG_USAGE, interrupt, output};
use crate::places;

/// How often the line with the level is drawn.
const TICK: Duration = Duration::from_millis(100);

/// Records until the time is over, Ctrl-C, or the microphone ends. Ctrl-C is how a recording
/// usually ends, so it counts as success.
pub(super) fn run(args: &RecordArgs) -> ExitCode {
    if let Some(usage) = wrong_usage(args) {
        output::error_line(&usage);
        return ExitCode::from(WRONG_USAGE);
    }
    let interrupts = interrupt::listen();
    let request = RecordingRequest {
        raw: args.output.clone(),
        device: args.device.clone(),
        clean: args.clean.then(|| Speech {
            model: args.model.clone(),
            limit_db: args.limit_db,
            dereverb: args.dereverb,
            ..Speech::default()
        }),
        monitor: args.monitor,
    };
    let recorded = Recording::start(request, places::library()).and_then(|recording| {
        let bar = (!args.quiet).then(indicatif::ProgressBar::new_spinner);
        while !recording.is_finished() {
            let now = recording.now();
            if args.seconds.is_some_and(|most| now.seconds >= most) {
                recording.stop();
            }
            if let Some(bar) = &bar {
                let clip = if now.has_clipped { "  CLIPPED" } else { "" };
                bar.set_message(format!("{}  {:5.1} dB{clip}", clock(now.seconds), now.peak_db));
            }
            match interrupts.recv_timeout(TICK) {
                Ok(()) => recording.stop(),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => std::thread::sleep(TICK),
            }
        }
        if let Some(bar) = bar {
            bar.finish_and_clear();
        }
        recording.finish()
    });
    match recorded {
        Ok(take) => told(args, &take),
        Err(error) => failed(&error),
    }
}

fn wrong_usage(args: &RecordArgs) -> Option<String> {
    let ending = args.output.extension().map(|e| e.to_string_lossy().to_lowercase());
    if ending.as_deref() != Some("wav") {
        let shown = args.output.display();
        return Some(format!("a recording is written as WAV, name it .wav: {shown}"));
    }
    None
}

fn told(args: &RecordArgs, take: &Recorded) -> ExitCode {
    for remark in &take.remarks {
        output::error_line(remark);
    }
    if !args.quiet {
        let files: Vec<&PathBuf> = std::iter::once(&take.raw).chain(&take.clean).collect();
        let names: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
        output::line(&format!("{} recorded: {}", clock(take.seconds), names.join(", ")));
    }
    if take.remarks.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(SOME_FAILED) }
}

fn failed(error: &EngineError) -> ExitCode {
    output::error_line(&error.to_string());
    ExitCode::from(SOME_FAILED)
}

/// "1:02.5" or "2:03:04.5".
fn clock(seconds: f64) -> String {
    let tenths = (seconds.max(0.0) * 10.0) as u64;
    let (hours, minutes, tenths) = (tenths / 36_000, tenths / 600 % 60, tenths % 600);
    let seconds = format!("{:02}.{}", tenths / 10, tenths % 10);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds}")
    } else {
        format!("{minutes}:{seconds}")
    }
}

/// Lists the microphones that open.
pub(super) fn devices(as_json: bool) -> ExitCode {
    let found = match microphones() {
        Ok(found) => found,
        Err(error) => return failed(&error),
    };
    if found.is_empty() && !as_json {
        output::line("no microphone can be opened on this computer");
    }
    for device in found {
        if as_json {
            output::line(
                &serde_json::json!({
                    "id": device.id, "name": device.name, "default": device.is_default,
                    "format": device.format,
                })
                .to_string(),
            );
        } else {
            let mark = if device.is_default { "  (default)" } else { "" };
            output::line(&format!("{}: {}{mark}", device.name, device.format));
        }
    }
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_like_a_clock() {
        assert_eq!(clock(0.0), "0:00.0");
        assert_eq!(clock(62.58), "1:02.5");
        assert_eq!(clock(7384.5), "2:03:04.5");
    }
}
