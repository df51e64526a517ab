//! `limpid models`: what is there, what is to be had, and whether it is sound.

use std::path::Path;
use std::process::ExitCode;

use crossbeam_channel::{Receiver, select};
use limpid_engine::{Engine, Event, ModelCard, Origin, Task};

use super::args::{FetchArgs, ModelsCommand};
use super::{SOME_FAILED, WRONG_USAGE, engine_config, interrupt, json, output, units};

/// Runs one of the commands.
pub(super) fn run(command: &ModelsCommand) -> ExitCode {
    let engine = match Engine::start(engine_config()) {
        Ok(engine) => engine,
        Err(error) => {
            output::error_line(&error.to_string());
            return ExitCode::from(SOME_FAILED);
        }
    };
    let code = match command {
        ModelsCommand::List { json } => list(&engine, *json),
        ModelsCommand::Fetch(args) => fetch(&engine, args),
        ModelsCommand::Check => check(&engine),
        ModelsCommand::Import { file } => import(&engine, file),
    };
    ExitCode::from(code)
}

fn list(engine: &Engine, as_json: bool) -> u8 {
    for (index, card) in engine.models().iter().enumerate() {
        if as_json {
            output::line(&json::text(card));
            continue;
        }
        if index > 0 {
            output::line("");
        }
        output::line(&text(card));
    }
    0
}

fn text(card: &ModelCard) -> String {
    let task = match card.task {
        Task::Denoise => "denoise".to_owned(),
        Task::Upscale { scale } => format!("upscale ×{scale}"),
        Task::Speech => "speech".to_owned(),
    };
    let state = match (card.origin, card.installed) {
        (Origin::BuiltIn, _) => "built in",
        (Origin::Imported, _) => "imported",
        (Origin::Pack, true) => "fetched",
        (Origin::Pack, false) => "not here; limpid models fetch brings it",
    };
    let mut text = format!(
        "{}  ({task}, {state})\n  {}. {}\n  {} parameters, {}, licence {}\n  {}",
        card.name,
        card.title,
        card.summary,
        card.parameters,
        units::show_bytes(card.bytes),
        card.license,
        card.source,
    );
    for line in &card.quality {
        text.push_str(&format!("\n  quality: {line}"));
    }
    for line in &card.limits {
        text.push_str(&format!("\n  limit: {line}"));
    }
    if !card.sha256.is_empty() {
        text.push_str(&format!("\n  sha256 {}", card.sha256));
    }
    text
}

/// Fetches the models that are not here yet; those that are stay as they are.
fn fetch(engine: &Engine, args: &FetchArgs) -> u8 {
    let cards = engine.models();
    let mut names = Vec::new();
    if args.standard {
        let missing = |card: &&ModelCard| card.origin == Origin::Pack && !card.installed;
        names.extend(cards.iter().filter(missing).map(|card| card.name.clone()));
    }
    for name in &args.names {
        match cards.iter().find(|card| card.name == *name) {
            None => {
                output::error_line(&format!("there is no model of this name: {name}"));
                return WRONG_USAGE;
            }
            Some(card) if card.installed => {
                if !args.quiet {
                    output::line(&format!("{name} is here already"));
                }
            }
            Some(_) => names.push(name.clone()),
        }
    }
    let say = |text: &str| {
        if !args.quiet {
            output::line(text);
        }
    };
    if names.is_empty() && args.standard {
        say("the standard models are here already");
    }
    let interrupts = interrupt::listen();
    let mut code = 0;
    for name in &names {
        say(&format!("fetching {name}"));
        engine.fetch_model(name);
        match wait(engine, &interrupts) {
            Ok(card) => say(&ready(&card)),
            Err(Stopped::Failed(message)) => {
                output::error_line(&message);
                code = SOME_FAILED;
            }
            Err(Stopped::Interrupted) => return interrupt::EXIT_CODE,
        }
    }
    code
}

fn import(engine: &Engine, file: &Path) -> u8 {
    let interrupts = interrupt::listen();
    engine.import_model(file);
    match wait(engine, &interrupts) {
        Ok(card) => {
            output::line(&ready(&card));
            0
        }
        Err(Stopped::Failed(message)) => {
            output::error_line(&message);
            SOME_FAILED
        }
        Err(Stopped::Interrupted) => interrupt::EXIT_CODE,
    }
}

fn ready(card: &ModelCard) -> String {
    format!("{} is ready, {}, licence {}", card.name, units::show_bytes(card.bytes), card.license)
}

enum Stopped {
    Failed(String),
    Interrupted,
}

/// Waits for the model that was asked for; only one is, at a time.
fn wait(engine: &Engine, interrupts: &Receiver<()>) -> Result<ModelCard, Stopped> {
    loop {
        select! {
            recv(interrupts) -> _ => return Err(Stopped::Interrupted),
            recv(engine.events()) -> event => match event {
                Ok(Event::ModelReady { card }) => return Ok(*card),
                Ok(Event::ModelFailed { message, .. }) => return Err(Stopped::Failed(message)),
                Ok(_) => {}
                Err(_) => return Err(Stopped::Failed("the engine stopped".to_owned())),
            }
        }
    }
}

fn check(engine: &Engine) -> u8 {
    engine.verify_models();
    let problems = engine.events().iter().find_map(|event| match event {
        Event::ModelsVerified { problems } => Some(problems),
        _ => None,
    });
    let Some(problems) = problems else {
        output::error_line("the engine stopped");
        return SOME_FAILED;
    };
    for problem in &problems {
        output::error_line(problem);
    }
    if problems.is_empty() {
        let installed = engine.models().iter().filter(|card| card.installed).count();
        output::line(&format!("{installed} models are here, all as they should be"));
        return 0;
    }
    SOME_FAILED
}
