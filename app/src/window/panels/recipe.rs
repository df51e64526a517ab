//! The cards of the recipe, and the buttons that run it.

use eframe::egui::{self, Button, ComboBox, RichText, Ui, vec2};
use limpid_engine::{Denoise, Effort, ModelCard, Size, StepSettings, Strength, Task, Upscale};

use super::super::command::Command;
use super::super::state::{Action, State};
use super::super::{icon, theme, widgets};
use super::output::output_card_ui;

const ONE_LOOK: &str = "One look at the picture.";
const FOUR_LOOKS: &str = "The mean of four looks, mirrored: a little better, four times as long.";

/// All cards, in the order of the steps.
pub(crate) fn recipe_ui(ui: &mut Ui, state: &mut State, actions: &mut Vec<Action>) {
    ui.spacing_mut().item_spacing.y = theme::GAP;
    for index in 0..state.recipe.steps.len() {
        ui.push_id(index, |ui| step_card_ui(ui, state, index, actions));
    }
    output_card_ui(ui, &mut state.recipe.output, actions);
}

fn step_card_ui(ui: &mut Ui, state: &mut State, index: usize, actions: &mut Vec<Action>) {
    let title = state.recipe.steps[index].settings.title();
    theme::card_frame().show(ui, |ui| {
        ui.set_width(ui.available_width());
        let is_bypassed = state.bypassed.contains(&index);
        let step = &mut state.recipe.steps[index];
        ui.horizontal(|ui| {
            widgets::switch(ui, &mut step.enabled, title).on_hover_text(if step.enabled {
                "On: part of the preview and of every result."
            } else {
                "Off: settings are kept, nothing is done."
            });
            ui.label(theme::heading(title));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                ui.spacing_mut().item_spacing.x = 2.0;
                let reset = format!("Reset {}", title.to_lowercase());
                if widgets::icon_button(ui, icon::ARROW_COUNTER_CLOCKWISE, &reset).clicked() {
                    step.settings = first_settings(&step.settings);
                }
                ui.add_enabled_ui(step.enabled, |ui| {
                    let (sign, name) = if is_bypassed {
                        (icon::EYE_SLASH, format!("Preview with {}", title.to_lowercase()))
                    } else {
                        (icon::EYE, format!("Preview without {}", title.to_lowercase()))
                    };
                    let button = widgets::icon_toggle(ui, sign, &name, is_bypassed);
                    if button.clicked() {
                        actions.push(Action::ToggleBypass(index));
                    }
                });
            });
        });
        if !step.enabled {
            return;
        }
        if is_bypassed {
            let text = "Left out of the preview. Results are written with it.";
            ui.label(RichText::new(text).size(12.0).color(theme::WARN));
        }
        ui.add_space(2.0);
        let models = state.models.value.as_deref().unwrap_or_default();
        match &mut step.settings {
            StepSettings::Denoise(denoise) => {
                let measured = state.shown.info.as_ref().and_then(|info| info.noise_sigma);
                denoise_ui(ui, denoise, measured, models);
                let mut noise = state.shows_noise;
                noise_row_ui(ui, &mut noise, actions);
            }
            StepSettings::Upscale(upscale) => {
                let input = state.shown.info.as_ref().map(|info| [info.width, info.height]);
                upscale_ui(ui, upscale, input, models);
            }
        }
    });
}

fn first_settings(settings: &StepSettings) -> StepSettings {
    match settings {
        StepSettings::Denoise(_) => StepSettings::Denoise(Denoise::default()),
        StepSettings::Upscale(_) => StepSettings::Upscale(Upscale::default()),
    }
}

fn denoise_ui(ui: &mut Ui, denoise: &mut Denoise, measured: Option<f32>, models: &[ModelCard]) {
    let measured = measured.map(|sigma| (sigma / Strength::FULL_SIGMA).clamp(0.0, 1.0));
    strength_row_ui(ui, &mut denoise.strength, measured);
    widgets::percent_row(
        ui,
        "Brightness",
        &mut denoise.luma,
        "Share of the brightness noise that is removed. Less keeps some grain.",
    );
    widgets::percent_row(
        ui,
        "Colour",
        &mut denoise.chroma,
        "Share of the colour noise that is removed.",
    );
    effort_row_ui(ui, &mut denoise.effort, ONE_LOOK, FOUR_LOOKS);
    model_row_ui(ui, &mut denoise.model, models, |task| matches!(task, Task::Denoise));
}

fn strength_row_ui(ui: &mut Ui, strength: &mut Strength, measured: Option<f32>) {
    let auto_width = 46.0;
    widgets::row(ui, "Strength", |ui| {
        let width = ui.available_width() - auto_width - theme::GAP;
        let is_auto = *strength == Strength::Auto;
        let mut value = match *strength {
            Strength::Fixed(value) => value,
            Strength::Auto => measured.unwrap_or(0.0),
        };
        let tooltip = "How much noise to expect; 100 % is a standard deviation of 75 of 255. \
                       Moving it takes over from the measured level.";
        ui.scope(|ui| {
            if is_auto {
                // The value is the measured one, not the user's: shown quieter.
                ui.visuals_mut().override_text_color = Some(theme::TEXT_WEAK);
                ui.visuals_mut().selection.bg_fill = theme::ACCENT_DIM;
            }
            if widgets::percent_slider(ui, "Strength", &mut value, tooltip, width) {
                *strength = Strength::Fixed(value);
            }
        });
        let auto = Button::selectable(is_auto, "Auto").min_size(vec2(auto_width, theme::ROW - 4.0));
        let auto = ui.add(auto).accessible_name("Auto strength");
        if auto.clicked() {
            *strength =
                if is_auto { Strength::Fixed(measured.unwrap_or(0.33)) } else { Strength::Auto };
        }
        auto.on_hover_text("Measure the noise of each picture and remove that much.");
    });
}

fn noise_row_ui(ui: &mut Ui, shows_noise: &mut bool, actions: &mut Vec<Action>) {
    widgets::row(ui, "", |ui| {
        let entry = Command::ToggleNoise.entry();
        let button = Button::selectable(*shows_noise, (entry.icon, entry.text))
            .min_size(vec2(ui.available_width(), theme::ROW))
            .fill(if *shows_noise { theme::ACCENT_DIM } else { theme::BUTTON })
            .frame_when_inactive(true);
        let response = ui.add(button).accessible_name(entry.text);
        if response.clicked() {
            actions.push(Action::Run(Command::ToggleNoise));
        }
        response.on_hover_text(Command::ToggleNoise.tooltip_with_keys());
    });
}

#[derive(Clone, Copy, PartialEq)]
enum SizeKind {
    Scale(u32),
    LongEdge,
}

fn upscale_ui(ui: &mut Ui, upscale: &mut Upscale, input: Option<[u32; 2]>, models: &[ModelCard]) {
    let mut kind = match upscale.size {
        Size::Scale(scale) => SizeKind::Scale(scale),
        Size::LongEdge(_) => SizeKind::LongEdge,
    };
    let changed = widgets::row(ui, "Size", |ui| {
        let choices = [
            (SizeKind::Scale(2), "×2", "Twice as wide and high."),
            (SizeKind::Scale(3), "×3", "Three times as wide and high."),
            (SizeKind::Scale(4), "×4", "Four times as wide and high."),
            (SizeKind::LongEdge, "Edge", "The longer side in pixels."),
        ];
        widgets::segments(ui, &mut kind, &choices)
    });
    if changed {
        upscale.size = match kind {
            SizeKind::Scale(scale) => Size::Scale(scale),
            SizeKind::LongEdge => {
                let edge = input.map_or(4000, |[w, h]| w.max(h).saturating_mul(2));
                Size::LongEdge(edge.min(65_535))
            }
        };
    }
    if let Size::LongEdge(edge) = &mut upscale.size {
        widgets::row(ui, "Long edge", |ui| {
            let field = egui::DragValue::new(edge).range(1..=65_535).speed(8.0).suffix(" px");
            let field = field.update_while_editing(false);
            ui.add_sized([ui.available_width(), theme::ROW], field).accessible_name("Long edge");
        });
    }
    if let Some(input) = input {
        let [width, height] = output_size(input, upscale.size);
        let megapixels = f64::from(width) * f64::from(height) / 1e6;
        let text = format!("{width} × {height} pixels, {megapixels:.1} MP");
        widgets::row(ui, "Result", |ui| ui.label(theme::weak(text)));
    }
    effort_row_ui(ui, &mut upscale.effort, ONE_LOOK, FOUR_LOOKS);
    let scale = match upscale.size {
        Size::Scale(scale) => Some(scale),
        Size::LongEdge(_) => None,
    };
    model_row_ui(ui, &mut upscale.model, models, |task| match task {
        Task::Upscale { scale: own } => scale.is_none_or(|wanted| wanted <= own.max(2)),
        Task::Denoise | Task::Speech => false,
    });
}

/// The row that chooses how often a network is asked; `once` and `often` say what that means.
pub(crate) fn effort_row_ui(ui: &mut Ui, effort: &mut Effort, once: &str, often: &str) {
    widgets::row(ui, "Effort", |ui| {
        let choices = [(Effort::Fast, "Fast", once), (Effort::Best, "Best", often)];
        widgets::segments(ui, effort, &choices)
    });
}

/// Size of the result of an upscale, as the step computes it.
fn output_size([width, height]: [u32; 2], size: Size) -> [u32; 2] {
    match size {
        Size::Scale(scale) => [width.saturating_mul(scale), height.saturating_mul(scale)],
        Size::LongEdge(edge) => {
            let long = width.max(height).max(1);
            let scale = f64::from(edge.max(long)) / f64::from(long);
            [width, height].map(|side| ((f64::from(side) * scale).round() as u32).max(1))
        }
    }
}

/// The row that chooses a model among those that fit the task.
pub(crate) fn model_row_ui(
    ui: &mut Ui,
    model: &mut String,
    models: &[ModelCard],
    fits: impl Fn(Task) -> bool,
) {
    widgets::row(ui, "Model", |ui| {
        let title = |name: &str| {
            models.iter().find(|card| card.name == name).map_or(name, |card| &card.title).to_owned()
        };
        let shown = if model == "auto" { "Best installed".into() } else { title(model) };
        let response = ComboBox::from_id_salt("model")
            .selected_text(shown)
            .width(ui.available_width())
            .truncate()
            .show_ui(ui, |ui| {
                ui.selectable_value(model, "auto".to_owned(), "Best installed");
                for card in models.iter().filter(|card| fits(card.task)) {
                    let text = if card.installed {
                        card.title.clone()
                    } else {
                        format!("{} (not fetched)", card.title)
                    };
                    ui.add_enabled_ui(card.installed, |ui| {
                        ui.selectable_value(model, card.name.clone(), text)
                            .on_hover_text(&card.summary)
                            .on_disabled_hover_text("Fetch it on the Models page.");
                    });
                }
            })
            .response;
        response.accessible_name("Model");
    });
}

/// The buttons at the foot of the panel.
pub(crate) fn process_ui(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    let count = state.files.list.len();
    let works = state.recipe_works() && state.engine_failure.is_none();
    let why = if count == 0 {
        "Open a picture first."
    } else if state.engine_failure.is_some() {
        "The engine did not start."
    } else {
        "No step of the recipe is on."
    };
    let width = ui.available_width();
    ui.vertical_centered(|ui| process_buttons_ui(ui, state, works, why, width, actions));
}

fn process_buttons_ui(
    ui: &mut Ui,
    state: &State,
    works: bool,
    why: &str,
    width: f32,
    actions: &mut Vec<Action>,
) {
    let count = state.files.list.len();
    ui.add_enabled_ui(works && state.files.shown().is_some(), |ui| {
        let response = widgets::primary_button(ui, icon::SPARKLE, "Process this picture", width);
        if response.clicked() {
            actions.push(Action::Run(Command::ProcessCurrent));
        }
        response
            .on_hover_text(Command::ProcessCurrent.tooltip_with_keys())
            .on_disabled_hover_text(why);
    });
    if count > 1 {
        ui.add_enabled_ui(works, |ui| {
            let text = format!("Process all {count} pictures");
            let button = Button::new((RichText::new(icon::STACK).size(theme::ICON), text.as_str()))
                .min_size(vec2(width, 30.0))
                .gap(7.0);
            let response = ui.add(button).accessible_name(text);
            if response.clicked() {
                actions.push(Action::Run(Command::ProcessAll));
            }
            response
                .on_hover_text(Command::ProcessAll.tooltip_with_keys())
                .on_disabled_hover_text(why);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_result_size_keeps_the_aspect_and_never_shrinks() {
        assert_eq!(output_size([300, 200], Size::Scale(3)), [900, 600]);
        assert_eq!(output_size([300, 200], Size::LongEdge(450)), [450, 300]);
        assert_eq!(output_size([300, 200], Size::LongEdge(100)), [300, 200]);
        assert_eq!(output_size([1, 5000], Size::LongEdge(10_000)), [2, 10_000]);
    }
}
