//! The work on one recording: read, clean and write block by block, in bounded memory.

use std::path::Path;
use std::sync::Arc;

use limpid_audio::clean::{
    CleanSettings, CleanTask, HighBand, LoudnessTarget, Progress, clean_file,
};
use limpid_audio::settings::{SoundFormat, Speech};
use limpid_audio::{AudioError, Container, Damage, ErrorKind, SoundFile};
use limpid_nets::Task as ModelTask;

use crate::event::{FailureKind, Stage};
use crate::job::Destination;
use crate::naming::Named;
use crate::tools::Tools;
use crate::worker::{Control, Done, Processor, Stop, Task};

/// Share of a file's time that cleaning takes where the loudness is set afterwards, for the bar.
const CLEANED: f32 = 0.95;

pub(crate) struct SoundProcessor {
    tools: Arc<Tools>,
}

impl SoundProcessor {
    pub(crate) fn new(tools: Arc<Tools>) -> Self {
        Self { tools }
    }
}

impl Named for Container {
    fn extension(self) -> &'static str {
        match self {
            Self::Wav => "wav",
            Self::Flac => "flac",
        }
    }

    fn has_extension(self, extension: &str) -> bool {
        extension.eq_ignore_ascii_case(self.extension())
            || (self == Self::Wav && extension.eq_ignore_ascii_case("wave"))
    }
}

impl Processor for SoundProcessor {
    fn process(&mut self, task: &Task, control: &Control<'_>) -> Result<Done, Stop> {
        let input = task.found.input.as_path();
        let speech = task.job.recipe.speech.clone().unwrap_or_default();
        let failed = |error: AudioError| stop(error.at(input));
        control.progress(Stage::Reading, 0.0);
        // Damage at once, before a place for the result is spoken for.
        let info = SoundFile::open(input).map_err(failed)?.info().clone();
        let format = task.job.recipe.output.sound;
        let output = control.choose_output(container(input, &task.job.destination, format))?;
        control.between_tiles()?;

        let library = &self.tools.library;
        let model = library.resolve(ModelTask::Speech, &speech.model).map_err(no_model)?;
        let title = title(&speech);
        if let Some(folder) = output.parent() {
            std::fs::create_dir_all(folder).map_err(|error| Stop::Failed {
                kind: FailureKind::Unwritable,
                message: format!("the folder cannot be made ({error}): {}", folder.display()),
            })?;
        }
        let pool = self.tools.pool();
        let clean = CleanTask {
            input,
            output: &output,
            settings: settings(&speech),
            encode: Some(format.encode(&output, &info).map_err(stop)?),
            damage: Damage::Refuse,
            pool: Some(&pool),
        };
        let share = if speech.loudness.is_some() { CLEANED } else { 1.0 };
        let mut make_net = || {
            let network = library.load_speech(&model).map_err(|error| {
                AudioError::new(ErrorKind::Model, error.to_string()).because(error)
            })?;
            Ok(Box::new(network) as Box<dyn limpid_audio::SpeechNet>)
        };
        let report = clean_file(&clean, &mut make_net, control.cancel(), &mut |progress| {
            control.between_tiles()?;
            match progress {
                Progress::Cleaning(done, all) => {
                    let part = all.map_or(0.0, |all| part(done, all));
                    control.progress(Stage::Enhancing(title.clone()), share * part);
                }
                Progress::Levelling(done, all) => {
                    let part = CLEANED + (1.0 - CLEANED) * part(done, all);
                    control.progress(Stage::Enhancing("Set loudness".into()), part);
                }
                Progress::Complete => {
                    control.progress(Stage::Writing, 1.0);
                    control.about_to_commit(&output)?;
                }
            }
            Ok(())
        })
        .map_err(failed)?;
        let mut notes = Vec::new();
        if let (Some(level), Some(wanted)) = (report.level, speech.loudness) {
            let reached = level.lufs + level.gain_db;
            if reached.is_finite() && reached < f64::from(wanted) - 0.1 {
                notes.push(format!(
                    "the loudness came to {reached:.1} LUFS: any louder, and peaks would clip"
                ));
            }
        }
        Ok(Done { output, notes })
    }
}

fn part(done: u64, all: u64) -> f32 {
    (done as f64 / all.max(1) as f64).min(1.0) as f32
}

/// What the settings of a recipe mean to the cleaner.
pub(crate) fn settings(speech: &Speech) -> CleanSettings {
    CleanSettings {
        limit_db: speech.limit_db,
        dereverb: speech.dereverb,
        loudness: speech
            .loudness
            .map(|lufs| LoudnessTarget { lufs: f64::from(lufs), ..LoudnessTarget::default() }),
        high_band: HighBand::default(),
        effort: speech.effort,
    }
}

/// What the user names or sets, else FLAC where the recording is FLAC, else WAV.
fn container(input: &Path, destination: &Destination, format: SoundFormat) -> Container {
    let name = match (destination, format.container()) {
        (Destination::File(file), _) if file.extension().is_some() => file,
        (_, Some(set)) => return set,
        _ => input,
    };
    let ending = name.extension().and_then(|e| e.to_str()).unwrap_or_default();
    if Container::Flac.has_extension(ending) { Container::Flac } else { Container::Wav }
}

/// What is done, for people.
fn title(speech: &Speech) -> String {
    match speech.limit_db {
        Some(limit) => format!("Clean speech, {limit} dB at most"),
        None => "Clean speech".into(),
    }
}

fn no_model(error: limpid_nets::LoadError) -> Stop {
    Stop::Failed { kind: FailureKind::Model, message: error.to_string() }
}

fn stop(error: AudioError) -> Stop {
    let kind = match error.kind() {
        ErrorKind::Unreadable | ErrorKind::Device => FailureKind::Unreadable,
        ErrorKind::Damaged => FailureKind::Damaged,
        ErrorKind::Unsupported => FailureKind::Unsupported,
        ErrorKind::Model => FailureKind::Model,
        ErrorKind::Unwritable => FailureKind::Unwritable,
        ErrorKind::Cancelled => return Stop::Cancelled,
        ErrorKind::Internal => FailureKind::Internal,
    };
    tracing::debug!(?error, "the file failed");
    Stop::Failed { kind, message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_has_the_first_word_about_the_kind_of_file_and_the_recording_the_last() {
        let named = |name: &str| Destination::File(name.into());
        let mut wrong = Vec::new();
        for (input, destination, format, wanted) in [
            ("a.wav", Destination::Recipe, SoundFormat::Same, Container::Wav),
            ("a.FLAC", Destination::Recipe, SoundFormat::Same, Container::Flac),
            ("a.mp3", Destination::Recipe, SoundFormat::Same, Container::Wav),
            ("a.flac", Destination::Recipe, SoundFormat::Wav24, Container::Wav),
            ("a.wav", Destination::Recipe, SoundFormat::Flac, Container::Flac),
            ("a.wav", named("b.flac"), SoundFormat::Wav24, Container::Flac),
            ("a.wav", named("b"), SoundFormat::Flac, Container::Flac),
            ("a.flac", named("b"), SoundFormat::Same, Container::Flac),
        ] {
            let got = container(Path::new(input), &destination, format);
            if got != wanted {
                wrong.push(format!("{input} {destination:?} {format:?}: {got:?}"));
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
