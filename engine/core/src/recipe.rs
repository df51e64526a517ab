//! The recipe: what is done to a picture or a recording and how the result is stored. Plain versioned data that
//! the canvas preview, a single run, a batch, a preset file and the command line all share.

use limpid_audio::settings::{SoundFormat, Speech};
use limpid_photo::settings::{OutputFormat, StepSettings};
use serde::{Deserialize, Serialize};

/// An ordered list of steps and the form of the result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Format version, [`Recipe::VERSION`].
    pub version: u32,
    /// What is done, in order.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// What is done to a recording. A recipe that says so is for sound, and has no picture steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speech: Option<Speech>,
    /// How the result is stored.
    #[serde(default)]
    pub output: Output,
}

/// One step, on or off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// A step that is off keeps its settings and does nothing.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What it does.
    #[serde(flatten)]
    pub settings: StepSettings,
}

fn yes() -> bool {
    true
}

/// What to do when a result's file exists already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Existing {
    /// Leave it and count the file as skipped.
    #[default]
    Skip,
    /// Replace it, once the new file is whole. Never the input itself.
    Overwrite,
    /// Write beside it, "name-2.jpg".
    Number,
}

/// What to do with the place a picture was taken at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gps {
    /// Keep it.
    #[default]
    Keep,
    /// Remove it from EXIF and XMP.
    Strip,
}

/// How results are stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Output {
    /// File format.
    pub format: OutputFormat,
    /// JPEG quality, `1..=100`.
    pub quality: u8,
    /// File name without extension; `{name}` is the input's, `{n}` the number in the batch.
    pub name: String,
    /// Folder for results; none means beside the input.
    pub folder: Option<std::path::PathBuf>,
    /// Keep the input's subfolders below `folder`.
    pub mirror_subfolders: bool,
    /// What to do when the file exists.
    pub existing: Existing,
    /// Keep or strip the place.
    pub gps: Gps,
    /// How a recording is stored; what is said of pictures is not for it.
    #[serde(skip_serializing_if = "is_default")]
    pub sound: SoundFormat,
}

/// Left out where it says nothing, so that older programs read the recipe.
fn is_default(format: &SoundFormat) -> bool {
    *format == SoundFormat::default()
}

impl Default for Output {
    fn default() -> Self {
        Self {
            format: OutputFormat::Same,
            quality: 92,
            name: "{name}".into(),
            folder: None,
            mirror_subfolders: true,
            existing: Existing::Skip,
            gps: Gps::Keep,
            sound: SoundFormat::Same,
        }
    }
}

/// Why a recipe was refused, in a sentence.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RecipeError(pub String);

impl Recipe {
    /// The format version this program writes and reads.
    pub const VERSION: u32 = 1;

    /// A recipe of these steps, all on, with the default output.
    #[must_use]
    pub fn new(steps: impl IntoIterator<Item = StepSettings>) -> Self {
        let steps = steps.into_iter().map(|settings| Step { enabled: true, settings }).collect();
        Self { version: Self::VERSION, steps, speech: None, output: Output::default() }
    }

    /// A recipe for recordings, with the default output.
    #[must_use]
    pub fn for_speech(speech: Speech) -> Self {
        Self { speech: Some(speech), ..Self::new([]) }
    }

    /// The settings of the steps that are on, in order.
    pub fn enabled_steps(&self) -> impl Iterator<Item = &StepSettings> {
        self.steps.iter().filter(|step| step.enabled).map(|step| &step.settings)
    }

    /// Reads a recipe from TOML and checks it.
    ///
    /// # Errors
    /// A sentence saying what is wrong: syntax, an unknown version, step or setting, a value out
    /// of range.
    pub fn from_toml(text: &str) -> Result<Self, RecipeError> {
        let recipe: Self = toml::from_str(text).map_err(|e| RecipeError(e.message().to_owned()))?;
        recipe.validate()?;
        Ok(recipe)
    }

    /// Writes the recipe as TOML.
    ///
    /// # Errors
    /// A path in it is not Unicode and cannot be stored as text.
    pub fn to_toml(&self) -> Result<String, RecipeError> {
        toml::to_string_pretty(self).map_err(|e| RecipeError(e.to_string()))
    }

    /// Checks version and ranges.
    ///
    /// # Errors
    /// A sentence naming the first setting that is out of range.
    pub fn validate(&self) -> Result<(), RecipeError> {
        if self.version != Self::VERSION {
            return Err(RecipeError(format!(
                "recipe version {} is not known here; this program reads version {}",
                self.version,
                Self::VERSION
            )));
        }
        if !(1..=100).contains(&self.output.quality) {
            return Err(RecipeError(format!(
                "quality is from 1 to 100, not {}",
                self.output.quality
            )));
        }
        let bad_name = |name: &str| {
            name.is_empty() || name.contains(['/', '\\', '\0']) || name == "." || name == ".."
        };
        if bad_name(&self.output.name) {
            return Err(RecipeError(format!(
                "the name pattern \"{}\" is not a file name",
                self.output.name
            )));
        }
        if let Some(speech) = &self.speech {
            speech.validate().map_err(|e| RecipeError(format!("Clean speech: {e}")))?;
            if !self.steps.is_empty() {
                return Err(RecipeError(
                    "a recipe is for pictures or for speech, not for both".into(),
                ));
            }
        }
        for step in &self.steps {
            step.settings
                .validate()
                .map_err(|e| RecipeError(format!("{}: {e}", step.settings.title())))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use limpid_audio::settings::Speech;
    use limpid_photo::settings::{Denoise, Size, Strength, Upscale};

    #[test]
    fn a_recipe_survives_toml() {
        let mut recipe = Recipe::new([
            StepSettings::Denoise(Denoise {
                strength: Strength::Fixed(0.25),
                ..Denoise::default()
            }),
            StepSettings::Upscale(Upscale { size: Size::LongEdge(4000), ..Upscale::default() }),
        ]);
        recipe.steps[0].enabled = false;
        recipe.output.folder = Some("out put".into());
        let text = recipe.to_toml().unwrap();
        assert_eq!(Recipe::from_toml(&text).unwrap(), recipe, "{text}");
    }

    #[test]
    fn a_recipe_for_speech_survives_toml() {
        let speech = Speech { limit_db: Some(18.0), loudness: Some(-16.0), ..Speech::default() };
        let mut recipe = Recipe::for_speech(speech);
        assert!(!recipe.to_toml().unwrap().contains("sound"), "older programs know no such key");
        recipe.output.sound = SoundFormat::Wav24;
        let text = recipe.to_toml().unwrap();
        assert_eq!(Recipe::from_toml(&text).unwrap(), recipe, "{text}");
        assert!(!Recipe::new([]).to_toml().unwrap().contains("speech"));
    }

    #[test]
    fn wrong_recipes_are_refused_in_words() {
        let cases = [
            ("version = 2", "version 2"),
            ("version = 1\n[[steps]]\nkind = \"sharpen\"", "sharpen"),
            ("version = 1\n[[steps]]\nkind = \"denoise\"\nluma = 1.5", "luma"),
            ("version = 1\n[[steps]]\nkind = \"denoise\"\nstrength = \"a lot\"", "a lot"),
            ("version = 1\n[[steps]]\nkind = \"upscale\"\nsize = { scale = 7 }", "7"),
            ("version = 1\n[output]\nquality = 0", "quality"),
            ("version = 1\n[speech]\nlimit_db = -1.0", "limit_db"),
            ("version = 1\n[speech]\n[[steps]]\nkind = \"denoise\"", "not for both"),
            ("version = 1\n[output]\nname = \"../x\"", "../x"),
        ];
        let mut wrong = Vec::new();
        for (text, wanted) in cases {
            match Recipe::from_toml(text) {
                Err(e) if e.to_string().contains(wanted) => {}
                other => wrong.push(format!("{text:?}: {other:?}")),
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
    }
}
