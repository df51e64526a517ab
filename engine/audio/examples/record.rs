//! Lists the microphones that open, records from one, and tells how it went.
//!
//! `record` lists; `record SECONDS FILE.wav [DEVICE]` records.
#![allow(clippy::print_stdout)] // a program for a terminal

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use limpid_audio::live::{
    DeviceInfo, Direction, Level, RecordRequest, Recorder, State, Wanted, devices,
};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(seconds), Some(path)) = (args.next(), args.next()) else {
        for (title, direction) in
            [("Microphones", Direction::Input), ("Loudspeakers", Direction::Output)]
        {
            println!("{title}");
            devices(direction)?.iter().for_each(print);
        }
        return Ok(());
    };
    let seconds: f64 = seconds.parse()?;
    let request = RecordRequest { raw: PathBuf::from(path), ..RecordRequest::default() };
    let recorder = Recorder::start(request, args.next(), Wanted::default())?;
    while recorder.snapshot().elapsed_secs() < seconds {
        std::thread::sleep(Duration::from_millis(200));
        let now = recorder.snapshot();
        println!(
            "{:6.1} s  peak {:6.1} dB  held {:6.1} dB  rms {:6.1} dB  clipped {}  dropped {}",
            now.elapsed_secs(),
            Level::db(now.level.peak),
            Level::db(now.level.held_peak),
            Level::db(now.level.rms),
            now.level.clipped_samples,
            now.dropped_frames,
        );
        if now.state == State::Finished {
            break;
        }
    }
    let take = recorder.finish()?;
    println!("{} frames of {:?} in {}", take.frames, take.format, take.raw.display());
    println!("{} dropped, {} overruns", take.dropped_frames, take.overruns);
    if let Some(error) = take.ended_early {
        println!("{error}");
    }
    Ok(())
}

fn print(device: &DeviceInfo) {
    let mark = if device.is_default { "*" } else { " " };
    println!("{mark} {}  [{}]", device.name, device.id);
    for format in &device.formats {
        println!("    {} Hz, {} channels, {:?}", format.rate, format.channels, format.kind);
    }
}
