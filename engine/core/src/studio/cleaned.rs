//! The cleaned form of the recording that is open: a temporary file, made at full strength. How
//! much of the noise stays is mixed in when it is heard; where echo is taken out, in the file, since
//! the original has that echo.

use std::path::{Path, PathBuf};
use std::time::Instant;

use limpid_audio::clean::{CleanTask, Progress, clean_file};
use limpid_audio::settings::Speech;
use limpid_audio::{
    AudioError, Container, Damage, EncodeSettings, ErrorKind, SampleFormat, SpeechNet,
};
use limpid_kernels::{Cancel, Pool};
use limpid_nets::{Library, Task};

use super::views::Drawable;
use crate::sound;

/// A cleaned recording. Its file goes with it.
pub(super) struct Cleaned {
    dir: tempfile::TempDir,
    /// To draw it.
    pub(super) drawable: Drawable,
    /// Title of the model.
    pub(super) model: String,
    /// Work by time of sound.
    pub(super) real_time_factor: f64,
}

impl Cleaned {
    /// Of the settings, those that the file is made by.
    pub(super) fn made_by(speech: &Speech) -> Speech {
        let limit_db = speech.limit_db.filter(|_| speech.dereverb > 0.0);
        Speech { limit_db, loudness: None, ..speech.clone() }
    }

    /// Cleans `input` as `speech` says, which is of [`Cleaned::made_by`].
    ///
    /// # Errors
    /// The recording cannot be read, the model not loaded, the temporary file not written;
    /// cancelled.
    pub(super) fn make(
        input: &Path,
        speech: &Speech,
        library: &Library,
        (pool, cancel): (&Pool, &Cancel),
        tell: &mut dyn FnMut(f32),
    ) -> Result<Self, AudioError> {
        let began = Instant::now();
        let name = library.resolve(Task::Speech, &speech.model).map_err(no_model)?;
        let model = library
            .models()
            .into_iter()
            .find(|card| card.name == name)
            .map_or_else(|| name.clone(), |card| card.title);
        let dir = tempfile::Builder::new().prefix("limpid-").tempdir().map_err(|error| {
            AudioError::new(
                ErrorKind::Unwritable,
                "there is no place for the cleaned recording in the temporary folder",
            )
            .because(error)
        })?;
        let output = path(&dir);
        let task = CleanTask {
            input,
            output: &output,
            settings: sound::settings(speech),
            encode: Some(EncodeSettings {
                container: Container::Wav,
                format: SampleFormat::Float32,
                dither_seed: 0,
            }),
            damage: Damage::Refuse,
            pool: Some(pool),
        };
        clean_file(&task, &mut || network(library, &name), cancel, &mut |progress| {
            if let Progress::Cleaning(done, Some(all)) = progress {
                tell((done as f64 / all.max(1) as f64).min(1.0) as f32);
            }
            Ok(())
        })?;
        let seconds = began.elapsed().as_secs_f64();
        let drawable = Drawable::read(&output, cancel)?;
        let real_time_factor = seconds / drawable.seconds().max(1e-3);
        Ok(Self { dir, drawable, model, real_time_factor })
    }

    /// Its file: as long as the recording, 32-bit float.
    pub(super) fn path(&self) -> PathBuf {
        path(&self.dir)
    }
}

fn path(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("clean.wav")
}

/// A network that has heard nothing.
pub(super) fn network(library: &Library, name: &str) -> Result<Box<dyn SpeechNet>, AudioError> {
    Ok(Box::new(library.load_speech(name).map_err(no_model)?))
}

fn no_model(error: limpid_nets::LoadError) -> AudioError {
    AudioError::new(ErrorKind::Model, error.to_string()).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_in_the_file_only_where_echo_is_taken_out() {
        let limited = Speech { limit_db: Some(12.0), loudness: Some(-16.0), ..Speech::default() };
        assert_eq!(Cleaned::made_by(&limited), Speech::default(), "heard and saved, not made");
        let dry = Speech { dereverb: 0.5, ..limited };
        assert_eq!(Cleaned::made_by(&dry), Speech { loudness: None, ..dry });
    }
}
