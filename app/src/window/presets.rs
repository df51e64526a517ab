//! Presets: recipes under a name. A preset file is a recipe file, the same that the command line
//! runs.

use limpid_engine::{Denoise, Output, Recipe, Size, Step, StepSettings, Upscale};
use serde::{Deserialize, Serialize};

/// A recipe under a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Preset {
    /// What the user called it.
    pub(crate) name: String,
    /// The settings.
    pub(crate) recipe: Recipe,
    /// Whether applying it also sets format, folder and name of results.
    pub(crate) with_output: bool,
}

impl Preset {
    /// The recipe that results when this preset is applied on top of `current`.
    pub(crate) fn applied_to(&self, current: &Recipe) -> Recipe {
        let mut recipe = self.recipe.clone();
        if !self.with_output {
            recipe.output = current.output.clone();
        }
        complete(recipe)
    }
}

/// The recipe of a first start: denoise by the level that is measured, nothing else.
pub(crate) fn first_recipe() -> Recipe {
    complete(Recipe::new([StepSettings::Denoise(Denoise::default())]))
}

/// Adds the steps that `recipe` lacks, off, so that each has its card.
pub(crate) fn complete(mut recipe: Recipe) -> Recipe {
    let has = |recipe: &Recipe, wanted: fn(&StepSettings) -> bool| {
        recipe.steps.iter().any(|step| wanted(&step.settings))
    };
    if !has(&recipe, |s| matches!(s, StepSettings::Denoise(_))) {
        let settings = StepSettings::Denoise(Denoise::default());
        recipe.steps.insert(0, Step { enabled: false, settings });
    }
    if !has(&recipe, |s| matches!(s, StepSettings::Upscale(_))) {
        let settings = StepSettings::Upscale(Upscale::default());
        recipe.steps.push(Step { enabled: false, settings });
    }
    recipe
}

/// The presets that are always there.
pub(crate) fn built_in() -> Vec<Preset> {
    let denoise =
        |luma, chroma| StepSettings::Denoise(Denoise { luma, chroma, ..Denoise::default() });
    let double = || StepSettings::Upscale(Upscale { size: Size::Scale(2), ..Upscale::default() });
    [
        ("Clear", vec![denoise(1.0, 1.0)]),
        ("Clear, keep some grain", vec![denoise(0.6, 1.0)]),
        ("Colour noise only", vec![denoise(0.0, 1.0)]),
        ("Twice as large", vec![double()]),
        ("Clear and twice as large", vec![denoise(1.0, 1.0), double()]),
    ]
    .into_iter()
    .map(|(name, steps)| Preset {
        name: name.into(),
        recipe: complete(Recipe::new(steps)),
        with_output: false,
    })
    .collect()
}

/// A name that is not taken: "Name", "Name 2", …
pub(crate) fn free_name(wanted: &str, taken: &[Preset]) -> String {
    let wanted = if wanted.trim().is_empty() { "Preset" } else { wanted.trim() };
    let is_free = |name: &str| taken.iter().all(|preset| preset.name != name);
    if is_free(wanted) {
        return wanted.to_owned();
    }
    (2..).map(|n| format!("{wanted} {n}")).find(|name| is_free(name)).unwrap_or_default()
}

/// A recipe for another person or computer: the folder of this one is left out.
///
/// # Errors
/// A sentence, when a setting cannot be written as text.
pub(crate) fn to_text(recipe: &Recipe) -> Result<String, String> {
    let output = Output { folder: None, ..recipe.output.clone() };
    Recipe { output, ..recipe.clone() }.to_toml().map_err(|error| error.to_string())
}

/// Reads a recipe from text, keeping `folder` where the text names none.
///
/// # Errors
/// A sentence saying what is wrong with the text.
pub(crate) fn from_text(text: &str, current: &Output) -> Result<Recipe, String> {
    let mut recipe = Recipe::from_toml(text).map_err(|error| error.to_string())?;
    if recipe.output.folder.is_none() {
        recipe.output.folder = current.folder.clone();
    }
    Ok(complete(recipe))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_travel_as_text_without_the_folder() {
        let mut recipe = first_recipe();
        recipe.output.folder = Some("/home/ann/private".into());
        recipe.output.quality = 80;
        let text = to_text(&recipe).unwrap();
        assert!(!text.contains("private"), "{text}");
        let here = Output { folder: Some("/tmp/out".into()), ..Output::default() };
        let read = from_text(&text, &here).unwrap();
        assert_eq!(read.output.folder, here.folder);
        assert_eq!(read.output.quality, 80);
        assert_eq!(read.steps, recipe.steps);
    }

    #[test]
    fn a_preset_without_output_leaves_the_output_alone() {
        let mut current = first_recipe();
        current.output.quality = 55;
        for preset in built_in() {
            let applied = preset.applied_to(&current);
            assert_eq!(applied.output, current.output, "{}", preset.name);
            assert_eq!(applied.steps.len(), 2, "{}", preset.name);
            applied.validate().unwrap();
        }
    }

    #[test]
    fn names_are_not_taken_twice() {
        let presets = built_in();
        assert_eq!(free_name("Clear", &presets), "Clear 2");
        assert_eq!(free_name("  ", &presets), "Preset");
    }
}
