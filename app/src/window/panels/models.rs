//! The page of the models: what each does, where it comes from, and what may be done with it.

use eframe::egui::{self, RichText, ScrollArea, Ui, vec2};
use limpid_engine::{ModelCard, Origin, Task};

use super::super::command::Command;
use super::super::state::{Action, State};
use super::super::{icon, theme, widgets};

/// The page.
pub(crate) fn models_ui(ui: &mut Ui, state: &State, actions: &mut Vec<Action>) {
    ui.label(theme::weak(
        "Models run on this computer. Nothing is fetched unless you ask for it here; every file is \
         checked against its hash before it is used.",
    ));
    ui.horizontal(|ui| {
        widgets::command_button(ui, Command::ImportModel, actions);
        let check = widgets::icon_text_button(ui, icon::SHIELD_CHECK, "Check all hashes");
        if check.clicked() {
            actions.push(Action::VerifyModels);
        }
        if state.models.is_pending {
            widgets::busy(ui, "Looking at the models");
        }
    });
    for work in &state.model_work {
        ui.horizontal(|ui| {
            ui.label(&work.model);
            match work.fraction {
                Some(fraction) => {
                    let name = format!("{} progress", work.model);
                    widgets::thin_bar(ui, vec2(180.0, 5.0), fraction, &name);
                }
                None => widgets::busy(ui, &format!("{} is being fetched", work.model)),
            }
        });
    }
    if let Some(failure) = &state.models.failure {
        ui.label(RichText::new(failure).color(theme::BAD));
    }
    ui.add_space(theme::GAP_SMALL);
    let height = (ui.ctx().content_rect().height() - 260.0).max(160.0);
    ScrollArea::vertical()
        .max_height(height)
        .min_scrolled_height(height)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = theme::GAP;
            for card in state.models.value.as_deref().unwrap_or_default() {
                ui.push_id(&card.name, |ui| card_ui(ui, card, state, actions));
            }
        });
}

fn card_ui(ui: &mut Ui, card: &ModelCard, state: &State, actions: &mut Vec<Action>) {
    theme::card_frame().show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.horizontal(|ui| {
            ui.label(theme::heading(&card.title).size(15.0));
            ui.label(theme::weak(task_text(card.task)));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
                if card.installed {
                    ui.label(RichText::new(origin_text(card.origin)).color(theme::GOOD).size(12.0));
                    ui.label(RichText::new(icon::CHECK_CIRCLE).size(15.0).color(theme::GOOD));
                    return;
                }
                let is_busy = state.model_work.iter().any(|work| work.model == card.name);
                ui.add_enabled_ui(!is_busy, |ui| {
                    let text = format!("Fetch {}", widgets::bytes_text(card.bytes));
                    let button = widgets::icon_text_button(ui, icon::DOWNLOAD_SIMPLE, &text)
                        .accessible_name(format!("Fetch {}", card.title));
                    if button.clicked() {
                        actions.push(Action::FetchModel(card.name.clone()));
                    }
                });
            });
        });
        ui.label(RichText::new(&card.summary).color(theme::TEXT));
        ui.add_space(2.0);
        let parameters = match card.parameters {
            n if n >= 1_000_000 => format!("{:.1} million parameters", n as f64 / 1e6),
            n if n >= 1_000 => format!("{} thousand parameters", n / 1000),
            n => format!("{n} parameters"),
        };
        ui.spacing_mut().item_spacing.y = 3.0;
        fact_ui(ui, "Size", &format!("{}, {parameters}", widgets::bytes_text(card.bytes)));
        fact_ui(ui, "Licence", &card.license);
        fact_ui(ui, "Source", &card.source);
        fact_ui(ui, "Measured", &card.quality.join("\n"));
        fact_ui(ui, "Limits", &card.limits.join("\n"));
        fact_ui(ui, "Name", &card.name);
        if !card.sha256.is_empty() {
            ui.horizontal(|ui| {
                fact_name_ui(ui, "SHA-256");
                let short = card.sha256.get(..24).unwrap_or(&card.sha256);
                let text = RichText::new(format!("{short}…")).monospace().size(11.5);
                ui.label(text).on_hover_text(&card.sha256);
                let name = format!("Copy hash of {}", card.title);
                if widgets::icon_button(ui, icon::COPY, &name).clicked() {
                    actions.push(Action::CopyText(card.sha256.clone()));
                }
            });
        }
    });
}

/// A line of the card; nothing when there is nothing to say.
fn fact_ui(ui: &mut Ui, name: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    ui.horizontal_top(|ui| {
        fact_name_ui(ui, name);
        ui.add(egui::Label::new(RichText::new(text).size(12.0).color(theme::TEXT)).wrap());
    });
}

fn fact_name_ui(ui: &mut Ui, name: &str) {
    let size = vec2(64.0, 16.0);
    ui.allocate_ui_with_layout(size, egui::Layout::left_to_right(egui::Align::Center), |ui| {
        ui.set_min_size(size);
        ui.label(theme::weak(name));
    });
}

fn task_text(task: Task) -> String {
    match task {
        Task::Denoise => "Denoise".into(),
        Task::Upscale { scale } => format!("Upscale ×{scale}"),
        Task::Speech => "Clean speech".into(),
    }
}

fn origin_text(origin: Origin) -> &'static str {
    match origin {
        Origin::BuiltIn => "Built in",
        Origin::Pack => "Installed",
        Origin::Imported => "Imported",
    }
}
