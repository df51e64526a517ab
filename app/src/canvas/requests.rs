//! Which picture and which recipe a generation number stands for.

use std::path::{Path, PathBuf};

use limpid_engine::{Recipe, StepSettings};

/// Recipes whose tiles are kept apart: going back to one of them (undo, bypass) shows its tiles at
/// once.
const RECIPES_KEPT: usize = 12;

#[derive(Debug)]
struct KnownRecipe {
    id: u64,
    steps: Vec<StepSettings>,
    /// Generations from this one to the next known recipe's are answers for it.
    since: u64,
}

/// The requests that were made of the engine.
#[derive(Debug, Default)]
pub(super) struct Requests {
    path: Option<PathBuf>,
    /// First generation of `path`.
    path_since: u64,
    newest: u64,
    /// By age of last use, the current one last.
    recipes: Vec<KnownRecipe>,
    last_id: u64,
}

impl Requests {
    /// Notes that `generation` was asked for; returns whether it is of another picture.
    pub(super) fn note(&mut self, generation: u64, path: &Path, recipe: &Recipe) -> bool {
        self.newest = generation;
        let is_other = self.path.as_deref() != Some(path);
        if is_other {
            self.path = Some(path.to_owned());
            self.path_since = generation;
            self.recipes.clear();
        }
        let steps = || recipe.enabled_steps();
        if self.recipes.last().is_some_and(|last| last.steps.iter().eq(steps())) {
            return is_other;
        }
        let known = self.recipes.iter().position(|known| known.steps.iter().eq(steps()));
        let next = match known {
            Some(index) => KnownRecipe { since: generation, ..self.recipes.remove(index) },
            None => {
                self.last_id += 1;
                KnownRecipe {
                    id: self.last_id,
                    steps: steps().cloned().collect(),
                    since: generation,
                }
            }
        };
        self.recipes.push(next);
        if self.recipes.len() > RECIPES_KEPT {
            self.recipes.remove(0);
        }
        is_other
    }

    pub(super) fn newest(&self) -> u64 {
        self.newest
    }

    pub(super) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Whether an answer to `generation` is about the picture that is wanted now.
    pub(super) fn is_of_this_picture(&self, generation: u64) -> bool {
        generation >= self.path_since && generation <= self.newest
    }

    /// The recipe `generation` was asked with. `None` when it is no longer known.
    pub(super) fn recipe_of(&self, generation: u64) -> Option<u64> {
        // Ascending in `since`: a recipe that is used again moves to the end.
        self.recipes.iter().rev().find(|known| known.since <= generation).map(|known| known.id)
    }

    /// The current recipe.
    pub(super) fn recipe(&self) -> u64 {
        self.recipes.last().map_or(0, |known| known.id)
    }

    /// Whether the current recipe does anything.
    pub(super) fn has_effect(&self) -> bool {
        self.recipes.last().is_some_and(|known| !known.steps.is_empty())
    }

    /// Order of age of a recipe: 0 for the original, unknown ones and those that do nothing, the
    /// current one highest.
    pub(super) fn rank(&self, recipe: u64) -> u64 {
        self.recipes
            .iter()
            .position(|known| known.id == recipe && !known.steps.is_empty())
            .map_or(0, |index| index as u64 + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use limpid_engine::{Denoise, Strength};

    fn recipe(strength: f32) -> Recipe {
        let strength = Strength::Fixed(strength);
        Recipe::new([StepSettings::Denoise(Denoise { strength, ..Denoise::default() })])
    }

    #[test]
    fn a_moved_view_keeps_the_recipe_and_undo_finds_it_again() {
        let path = Path::new("a.jpg");
        let mut requests = Requests::default();
        assert!(requests.note(1, path, &recipe(0.1)));
        assert!(!requests.note(2, path, &recipe(0.1)));
        let first = requests.recipe();
        assert_eq!([1, 2].map(|g| requests.recipe_of(g)), [Some(first); 2]);
        requests.note(3, path, &recipe(0.2));
        let second = requests.recipe();
        assert_ne!(first, second);
        assert_eq!(requests.recipe_of(2), Some(first));
        assert!(requests.rank(second) > requests.rank(first));
        requests.note(4, path, &recipe(0.1));
        assert_eq!((requests.recipe(), requests.recipe_of(4)), (first, Some(first)));
        assert!(requests.rank(first) > requests.rank(second));
    }

    #[test]
    fn answers_about_the_picture_before_are_told_apart() {
        let mut requests = Requests::default();
        requests.note(1, Path::new("a.jpg"), &recipe(0.1));
        assert!(requests.note(5, Path::new("b.jpg"), &recipe(0.1)));
        assert!(!requests.is_of_this_picture(4));
        assert!(requests.is_of_this_picture(5));
        assert!(!requests.is_of_this_picture(6), "not asked yet");
        assert_eq!(requests.recipe_of(4), None);
    }

    #[test]
    fn output_settings_and_steps_that_are_off_change_nothing_on_screen() {
        let path = Path::new("a.jpg");
        let mut requests = Requests::default();
        let mut one = recipe(0.1);
        requests.note(1, path, &one);
        let first = requests.recipe();
        one.output.quality = 50;
        requests.note(2, path, &one);
        assert_eq!(requests.recipe(), first);
        one.steps[0].enabled = false;
        requests.note(3, path, &one);
        assert!(!requests.has_effect());
    }
}
