//! The command line: what may be typed, and the commands that need no window.

mod args;
mod batch;
mod info;
mod interrupt;
mod json;
mod models;
mod output;
mod plan;
mod record;
mod report;
mod units;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use limpid_engine::EngineConfig;

use crate::places;
use args::{Cli, Command};

/// Some files failed.
const SOME_FAILED: u8 = 1;
/// What was typed makes no sense.
const WRONG_USAGE: u8 = 2;

/// Runs what was typed: `window` opens the window with the given files, everything else happens
/// here.
///
/// Exit codes: 0 all fine, 1 some files failed, 2 wrong usage, 130 cancelled.
pub fn main(window: impl FnOnce(Vec<PathBuf>) -> anyhow::Result<()>) -> ExitCode {
    // Ends the program itself with code 2 on wrong usage, with 0 on --help.
    let cli = Cli::parse();
    start_log();
    let planned = match cli.command {
        None => return open(window, cli.files),
        Some(Command::Models(command)) => return models::run(&command),
        Some(Command::Info(args)) => return info::run(&args),
        Some(Command::Denoise(args)) => plan::denoise(&args).map(|job| (job, args.work)),
        Some(Command::Upscale(args)) => plan::upscale(&args).map(|job| (job, args.work)),
        Some(Command::Record(args)) => return record::run(&args),
        Some(Command::Devices { json }) => return record::devices(json),
        Some(Command::Speech(args)) => plan::speech(&args).map(|job| (job, args.work)),
        Some(Command::Run(args)) => plan::run(&args).map(|job| (job, args.work)),
    };
    match planned {
        Ok((job, work)) => batch::run(&job, &work),
        Err(usage) => {
            output::error_line(&usage.to_string());
            ExitCode::from(WRONG_USAGE)
        }
    }
}

fn open(window: impl FnOnce(Vec<PathBuf>) -> anyhow::Result<()>, files: Vec<PathBuf>) -> ExitCode {
    match window(files) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error_line(&format!("{error:#}"));
            ExitCode::from(SOME_FAILED)
        }
    }
}

/// `LIMPID_LOG=debug` shows what happens inside; without it the log is silent, since every failure
/// that concerns the user is told in words anyway.
fn start_log() {
    if let Ok(filter) = tracing_subscriber::EnvFilter::try_from_env("LIMPID_LOG") {
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    }
}

/// An engine for work without a window: no saved queue, no views.
fn engine_config() -> EngineConfig {
    EngineConfig { views: false, ..EngineConfig::new(places::library()) }
}
