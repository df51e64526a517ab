//! Runs a job to its end, or to Ctrl-C. Given again after a crash, the same command goes on.

use std::process::ExitCode;

use crossbeam_channel::{Receiver, select};
use limpid_engine::{Engine, EngineConfig, EngineError, Event, Job, Resumed};

use crate::places;

use super::args::WorkArgs;
use super::report::{Form, Report};
use super::{SOME_FAILED, WRONG_USAGE, engine_config, interrupt, output};

/// Runs the job and tells how it goes.
pub(super) fn run(job: &Job, work: &WorkArgs) -> ExitCode {
    let interrupts = interrupt::listen();
    let mut report = Report::new(match (work.json, work.quiet) {
        (true, _) => Form::Json,
        (_, true) => Form::Quiet,
        _ => Form::Person,
    });
    let (engine, resumed) = match start(job, work) {
        Ok(started) => started,
        Err(error) => {
            output::error_line(&error.to_string());
            return ExitCode::from(match error {
                EngineError::Job(_) | EngineError::Recipe(_) => WRONG_USAGE,
                _ => SOME_FAILED,
            });
        }
    };
    let was_cancelled = follow(&engine, &resumed, &interrupts, &mut report);
    let counts = report.end();
    if was_cancelled {
        // The saved queue stays: the same command goes on from here.
        return ExitCode::from(interrupt::EXIT_CODE);
    }
    engine.remove_ended();
    if counts.failed > 0 { ExitCode::from(SOME_FAILED) } else { ExitCode::SUCCESS }
}

/// Reads events until nothing is left to do; says whether the user broke it off.
fn follow(
    engine: &Engine,
    resumed: &Resumed,
    interrupts: &Receiver<()>,
    report: &mut Report,
) -> bool {
    let mut was_cancelled = false;
    loop {
        select! {
            recv(interrupts) -> _ => {
                was_cancelled = true;
                engine.cancel(resumed.job);
            }
            recv(engine.events()) -> event => match event {
                Ok(Event::Idle) | Err(_) => return was_cancelled,
                Ok(event) => report.event(&event),
            }
        }
    }
}

fn start(job: &Job, work: &WorkArgs) -> Result<(Engine, Resumed), EngineError> {
    let mut config = engine_config();
    config.threads = work.threads.map_or(0, usize::from);
    if let Some(bytes) = work.memory {
        config.budget_bytes = bytes;
    }
    config.state_dir = Some(Engine::batch_dir(&places::home(), job)?);
    config.retry = true;
    let engine = start_saved_or_not(config)?;
    let resumed = engine.resume_or_submit(job.clone())?;
    Ok((engine, resumed))
}

/// Without a place to save the queue in, the work is done all the same; it just cannot go on after
/// a crash.
fn start_saved_or_not(config: EngineConfig) -> Result<Engine, EngineError> {
    match Engine::start(config.clone()) {
        Err(error @ EngineError::State { .. }) => {
            tracing::warn!("{error}");
            Engine::start(EngineConfig { state_dir: None, ..config })
        }
        started => started,
    }
}
