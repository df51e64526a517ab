//! How long frames and the start take, for whoever asks by an environment variable.
//!
//! `LIMPID_FRAME_LOG=FILE`: a line a frame, milliseconds of the window's own work (taking in events
//! and laying out), then of the whole frame before it with tessellation and drawing calls.
//! `LIMPID_START_LOG=FILE`: milliseconds from the start of the process to the first frame on screen.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, unbounded};
use eframe::egui;

/// What is measured; nothing when nobody asked.
pub(super) struct Measure {
    process_start: Instant,
    start_log: Option<PathBuf>,
    frames: Option<Sender<String>>,
    frames_begun: u32,
    running_since: Instant,
    own: Duration,
}

impl Measure {
    /// Looks at the environment.
    pub(super) fn from_env() -> Self {
        let frames = std::env::var_os("LIMPID_FRAME_LOG").and_then(|path| writer(path.into()));
        Self {
            process_start: process_start(),
            start_log: std::env::var_os("LIMPID_START_LOG").map(PathBuf::from),
            frames,
            frames_begun: 0,
            running_since: Instant::now(),
            own: Duration::ZERO,
        }
    }

    /// Before the first of the app's work in a frame.
    pub(super) fn frame_begins(&mut self, ctx: &egui::Context) {
        self.running_since = Instant::now();
        self.own = Duration::ZERO;
        self.frames_begun += 1;
        if self.start_log.is_some() {
            // The second frame begins when the first one is on the screen.
            match self.frames_begun {
                1 => ctx.request_repaint(),
                2 => self.log_start(),
                _ => {}
            }
        }
    }

    /// The app's work is interrupted by egui's.
    pub(super) fn pause(&mut self) {
        self.own += self.running_since.elapsed();
    }

    /// The app's work goes on.
    pub(super) fn go_on(&mut self) {
        self.running_since = Instant::now();
    }

    /// After the last of the app's work in a frame; `whole_secs` is the frame before it.
    pub(super) fn frame_ends(&mut self, whole_secs: Option<f32>) {
        self.own += self.running_since.elapsed();
        if let Some(frames) = &self.frames {
            let own = self.own.as_secs_f64() * 1e3;
            let whole = whole_secs.unwrap_or_default() * 1e3;
            // Without its writer a log is lost, nothing else.
            let _no_writer = frames.send(format!("{own:.3} {whole:.3}\n"));
        }
    }

    fn log_start(&mut self) {
        let millis = self.process_start.elapsed().as_secs_f64() * 1e3;
        tracing::info!(millis, "first frame");
        if let Some(path) = self.start_log.take()
            && let Err(error) = std::fs::write(&path, format!("{millis:.1}\n"))
        {
            tracing::warn!(%error, "the start log cannot be written");
        }
    }
}

/// A thread that writes lines, so that measuring costs a frame nothing.
fn writer(path: PathBuf) -> Option<Sender<String>> {
    let (send, lines) = unbounded::<String>();
    let write = move || {
        let Ok(mut file) = std::fs::File::create(&path) else { return };
        for line in lines {
            if file.write_all(line.as_bytes()).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("limpid-frame-log".into()).spawn(write).ok()?;
    Some(send)
}

/// When this process was started, to a hundredth of a second, where the system tells; else now.
fn process_start() -> Instant {
    let now = Instant::now();
    since_start().and_then(|since| now.checked_sub(since)).unwrap_or(now)
}

fn since_start() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Fields are counted after the name, which may hold spaces; the start is the 22nd of all, in
    // ticks of 1/100 s (proc(5), "starttime").
    let start_ticks: f64 = stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()?;
    let uptime = std::fs::read_to_string("/proc/uptime").ok()?;
    let uptime_secs: f64 = uptime.split_whitespace().next()?.parse().ok()?;
    Duration::try_from_secs_f64(uptime_secs - start_ticks / 100.0).ok()
}
