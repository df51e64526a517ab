//! Undo of the recipe: whole recipes, one entry a settled change.

use std::collections::VecDeque;

use limpid_engine::{Recipe, StepSettings};

/// Entries that are kept; the oldest go first.
const DEPTH: usize = 200;

/// The recipes before and after the one that is shown.
#[derive(Clone, Debug)]
pub(crate) struct History {
    past: VecDeque<Recipe>,
    future: Vec<Recipe>,
    settled: Recipe,
}

impl History {
    /// Starts with nothing to undo.
    pub(crate) fn new(recipe: Recipe) -> Self {
        Self { past: VecDeque::new(), future: Vec::new(), settled: recipe }
    }

    /// Looks at the recipe once a frame. A change becomes an entry when the hand rests
    /// (`resting`): a slider that is dragged makes one entry, not a hundred.
    pub(crate) fn observe(&mut self, recipe: &Recipe, resting: bool) {
        if resting && *recipe != self.settled {
            self.past.push_back(std::mem::replace(&mut self.settled, recipe.clone()));
            if self.past.len() > DEPTH {
                self.past.pop_front();
            }
            self.future.clear();
        }
    }

    /// The recipe before the last change, which is then to be shown.
    pub(crate) fn undo(&mut self, recipe: &Recipe) -> Option<Recipe> {
        self.observe(recipe, true);
        let before = self.past.pop_back()?;
        self.future.push(std::mem::replace(&mut self.settled, before));
        Some(self.settled.clone())
    }

    /// The recipe after the change that was last undone.
    pub(crate) fn redo(&mut self, recipe: &Recipe) -> Option<Recipe> {
        self.observe(recipe, true);
        let after = self.future.pop()?;
        self.past.push_back(std::mem::replace(&mut self.settled, after));
        Some(self.settled.clone())
    }

    /// What the next undo takes back, in words; none when there is nothing.
    pub(crate) fn undo_text(&self) -> Option<String> {
        self.past.back().map(|before| describe(before, &self.settled))
    }

    /// What the next redo makes again, in words; none when there is nothing.
    pub(crate) fn redo_text(&self) -> Option<String> {
        self.future.last().map(|after| describe(&self.settled, after))
    }
}

/// The difference of two recipes in a few words: "denoise strength".
fn describe(before: &Recipe, after: &Recipe) -> String {
    if before.steps.len() != after.steps.len() {
        return "recipe".into();
    }
    let mut changes = Vec::new();
    for (a, b) in before.steps.iter().zip(&after.steps) {
        let step = b.settings.title().to_lowercase();
        if a.enabled != b.enabled {
            changes.push(format!("{step} {}", if b.enabled { "on" } else { "off" }));
        }
        match (&a.settings, &b.settings) {
            (StepSettings::Denoise(a), StepSettings::Denoise(b)) => {
                for (differs, name) in [
                    (a.strength != b.strength, "strength"),
                    (a.luma != b.luma, "brightness share"),
                    (a.chroma != b.chroma, "colour share"),
                    (a.effort != b.effort, "effort"),
                    (a.model != b.model, "model"),
                ] {
                    if differs {
                        changes.push(format!("{step} {name}"));
                    }
                }
            }
            (StepSettings::Upscale(a), StepSettings::Upscale(b)) => {
                for (differs, name) in [
                    (a.size != b.size, "size"),
                    (a.effort != b.effort, "effort"),
                    (a.model != b.model, "model"),
                ] {
                    if differs {
                        changes.push(format!("{step} {name}"));
                    }
                }
            }
            _ => changes.push("order of steps".into()),
        }
    }
    if before.output != after.output {
        changes.push("output".into());
    }
    match changes.len() {
        1 => changes.remove(0),
        _ => "recipe".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use limpid_engine::{Denoise, Strength};

    fn with_strength(value: f32) -> Recipe {
        let strength = Strength::Fixed(value);
        Recipe::new([StepSettings::Denoise(Denoise { strength, ..Denoise::default() })])
    }

    #[test]
    fn a_drag_is_one_entry_and_comes_back_whole() {
        let mut history = History::new(with_strength(0.0));
        for step in 1..=10 {
            history.observe(&with_strength(step as f32 / 10.0), false);
        }
        let dragged = with_strength(1.0);
        history.observe(&dragged, true);
        assert_eq!(history.undo_text().as_deref(), Some("denoise strength"));
        assert_eq!(history.undo(&dragged), Some(with_strength(0.0)));
        assert_eq!(history.undo(&with_strength(0.0)), None);
        assert_eq!(history.redo(&with_strength(0.0)), Some(dragged.clone()));
        assert_eq!(history.redo(&dragged), None);
    }

    #[test]
    fn a_change_after_undo_ends_the_redo() {
        let mut history = History::new(with_strength(0.0));
        history.observe(&with_strength(0.5), true);
        assert_eq!(history.undo(&with_strength(0.5)), Some(with_strength(0.0)));
        history.observe(&with_strength(0.7), true);
        assert_eq!(history.redo_text(), None);
        assert_eq!(history.undo(&with_strength(0.7)), Some(with_strength(0.0)));
    }

    #[test]
    fn undo_in_the_middle_of_a_drag_takes_the_drag_back() {
        let mut history = History::new(with_strength(0.2));
        history.observe(&with_strength(0.9), false);
        assert_eq!(history.undo(&with_strength(0.9)), Some(with_strength(0.2)));
    }
}
