//! The cards on the right: how the recording is cleaned, and which microphone is used. The card of
//! the output has a file of its own.

use eframe::egui::{self, Button, ComboBox, RichText, Ui, vec2};
use limpid_engine::studio::StudioCommand;
use limpid_engine::{ModelCard, Task};

use super::super::command::Command;
use super::super::panels;
use super::super::state::Action;
use super::super::{icon, theme, widgets};
use super::output::output_card_ui;
use super::settings::MOST_LIMIT_DB;
use super::state::{Cleaning, VoiceState};

const ONE_HEARING: &str = "The network hears the recording once.";
const FOUR_HEARINGS: &str = "The mean of four hearings, each begun a moment later: a little better, \
                             four times the work. What is being recorded is heard once.";

/// All cards.
pub(crate) fn cards_ui(
    ui: &mut Ui,
    state: &mut VoiceState,
    models: &[ModelCard],
    actions: &mut Vec<Action>,
) {
    let before = state.settings.speech();
    theme::card_frame().show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(theme::heading("Clean speech"));
        ui.add_space(theme::GAP_SMALL);
        limit_ui(ui, state);
        let tooltip = "How much of the echo of the room is taken out, apart from noise. The recording \
                       is cleaned anew for it.";
        widgets::percent_row(ui, "Room echo", &mut state.settings.dereverb, tooltip);
        panels::effort_row_ui(ui, &mut state.settings.effort, ONE_HEARING, FOUR_HEARINGS);
        panels::model_row_ui(ui, &mut state.settings.model, models, |task| task == Task::Speech);
        progress_ui(ui, &state.cleaning);
        if state.recording().is_some() && state.settings.records_clean {
            widgets::row(ui, "", |ui| {
                let text = theme::weak("The take being recorded keeps what it began with.");
                ui.add(egui::Label::new(text).wrap());
            });
        }
    });
    ui.add_space(theme::GAP_SMALL);
    output_card_ui(ui, &mut state.settings, actions);
    let speech = state.settings.speech();
    if speech != before && state.opened.is_some() {
        state.views.outdate();
        actions.push(Action::Studio(StudioCommand::Clean(speech)));
    }
    ui.add_space(theme::GAP_SMALL);
    theme::card_frame().show(ui, |ui| {
        ui.set_width(ui.available_width());
        microphone_ui(ui, state, actions);
    });
}

/// The button at the foot of the panel.
pub(crate) fn save_ui(ui: &mut Ui, state: &VoiceState, actions: &mut Vec<Action>) {
    let width = ui.available_width();
    let text = match state.saving {
        Some(share) => format!("Saving… {:.0} %", (100.0 * share.clamp(0.0, 1.0)).floor()),
        None => "Save clean recording…".to_owned(),
    };
    let button = |ui: &mut Ui| widgets::primary_button(ui, icon::FLOPPY_DISK, &text, width);
    let save = ui.add_enabled_ui(state.can_save(), |ui| ui.vertical_centered(button).inner).inner;
    if save.clicked() {
        actions.push(Action::Run(Command::SaveSound));
    }
    let why = match (&state.opened, &state.cleaning) {
        _ if state.saving.is_some() => "One after the other.",
        (None, _) => "Open a recording first.",
        (_, Cleaning::Working(_)) => "Once it is clean.",
        _ => "There is no clean recording.",
    };
    save.on_hover_text(Command::SaveSound.tooltip_with_keys()).on_disabled_hover_text(why);
}

fn limit_ui(ui: &mut Ui, state: &mut VoiceState) {
    let settings = &mut state.settings;
    let name = "Strength";
    widgets::row(ui, name, |ui| {
        let tooltip = "The most that noise is turned down. Less keeps some of the room, and is \
                       heard at once while it plays.";
        let is_free = !settings.has_limit;
        let most = f64::from(MOST_LIMIT_DB);
        let mut value = if is_free { most } else { f64::from(settings.limit_db) };
        ui.scope(|ui| {
            if is_free {
                // The value is not in force: shown quieter. Moving it takes over.
                ui.visuals_mut().override_text_color = Some(theme::TEXT_WEAK);
                ui.visuals_mut().selection.bg_fill = theme::ACCENT_DIM;
            }
            let width = ui.available_width();
            if widgets::number_slider(ui, name, &mut value, 0.0..=most, " dB", width, tooltip) {
                settings.limit_db = value as f32;
                settings.has_limit = true;
            }
        });
    });
    widgets::row(ui, "", |ui| {
        let button = Button::selectable(!settings.has_limit, "No limit")
            .min_size(vec2(ui.available_width(), theme::ROW))
            .fill(if settings.has_limit { theme::BUTTON } else { theme::ACCENT_DIM })
            .frame_when_inactive(true);
        let button = ui.add(button).accessible_name("No limit");
        if button.clicked() {
            settings.has_limit = !settings.has_limit;
        }
        button.on_hover_text("Noise is turned down as far as the model wants.");
    });
}

fn progress_ui(ui: &mut Ui, cleaning: &Cleaning) {
    match cleaning {
        Cleaning::None => {}
        Cleaning::Working(share) => {
            widgets::row(ui, "", |ui| {
                let size = vec2((ui.available_width() - 46.0).max(20.0), 4.0);
                widgets::thin_bar(ui, size, *share, "Cleaned so far");
                ui.label(theme::weak(format!("{:.0} %", (100.0 * share).floor())));
            });
        }
        Cleaning::Done { model, real_time_factor } => {
            widgets::row(ui, "", |ui| {
                let text = done_text(model, *real_time_factor);
                ui.add(egui::Label::new(theme::weak(text)).wrap());
            });
        }
        Cleaning::Failed => {
            widgets::row(ui, "", |ui| {
                ui.label(theme::weak("It was not cleaned.").color(theme::BAD));
            });
        }
    }
}

/// "Cleaned with NAME, 12 times faster than it plays."
fn done_text(model: &str, real_time_factor: f64) -> String {
    let faster = 1.0 / real_time_factor;
    match faster {
        _ if !faster.is_finite() || faster <= 0.0 => format!("Cleaned with {model}."),
        _ if faster >= 2.0 => {
            format!("Cleaned with {model}, {faster:.0} times faster than it plays.")
        }
        _ => format!("Cleaned with {model}, in {real_time_factor:.1} times the time it plays."),
    }
}

fn microphone_ui(ui: &mut Ui, state: &mut VoiceState, actions: &mut Vec<Action>) {
    let is_recording = state.recording().is_some();
    ui.horizontal(|ui| {
        ui.label(theme::heading("Microphone"));
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let again = widgets::icon_button(ui, icon::ARROWS_CLOCKWISE, "List microphones again");
            if again.clicked() {
                actions.push(Action::Studio(StudioCommand::ListDevices));
            }
        });
    });
    ui.add_enabled_ui(!is_recording, |ui| {
        device_ui(ui, state);
        ui.horizontal(|ui| {
            widgets::switch(ui, &mut state.settings.records_clean, "Record a clean take too")
                .on_hover_text(
                    "Cleaned with the settings above, but for the loudness, while it is recorded. \
                     The take as it was is kept in any case.",
                );
            ui.label("A clean take too");
        });
    });
    ui.horizontal(|ui| {
        let switched = widgets::switch(ui, &mut state.settings.monitors, "Play what is recorded")
            .on_hover_text(
                "Played on the loudspeaker a moment later, cleaned if a clean take is made. Wear \
                 headphones: a microphone hears a loudspeaker again.",
            );
        if switched.changed() && is_recording {
            let command = StudioCommand::MonitorRecording(state.settings.monitors);
            actions.push(Action::Studio(command));
        }
        ui.label("Listen while recording");
    });
}

fn device_ui(ui: &mut Ui, state: &mut VoiceState) {
    let chosen = state.microphone().cloned();
    match (&state.devices, &chosen) {
        (None, _) => {
            ui.label(theme::weak("Looking for microphones…"));
        }
        (Some(devices), Some(chosen)) => {
            let width = ui.available_width();
            let response = ComboBox::from_id_salt("microphone")
                .selected_text(chosen.name.as_str())
                .width(width)
                .truncate()
                .show_ui(ui, |ui| {
                    for device in devices {
                        let text = if device.is_default {
                            format!("{} (default)", device.name)
                        } else {
                            device.name.clone()
                        };
                        let is_chosen = device.id == chosen.id;
                        let row = Button::selectable(is_chosen, text).truncate();
                        if ui.add(row).on_hover_text(&device.name).clicked() {
                            state.settings.device = (!device.is_default).then(|| device.id.clone());
                        }
                    }
                })
                .response;
            response.accessible_name("Microphone in use");
            ui.label(theme::weak(chosen.format.as_str()));
        }
        (Some(_), None) => {
            ui.label(RichText::new("No microphone was found.").color(theme::WARN));
            ui.label(theme::weak("Plug one in, then list them again."));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::done_text;

    #[test]
    fn speed_is_said_in_words() {
        for (factor, text) in [
            (0.05, "Cleaned with A, 20 times faster than it plays."),
            (1.5, "Cleaned with A, in 1.5 times the time it plays."),
            (0.0, "Cleaned with A."),
            (f64::NAN, "Cleaned with A."),
        ] {
            assert_eq!(done_text("A", factor), text);
        }
    }
}
