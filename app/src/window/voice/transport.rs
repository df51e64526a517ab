//! The bar below the tracks: record, play, what is heard.

use eframe::egui::{self, Button, Color32, RichText, Ui, vec2};
use limpid_engine::studio::{Listening, StudioCommand};

use super::super::command::Command;
use super::super::state::Action;
use super::super::{icon, theme, widgets};
use super::axis::time_text;
use super::state::VoiceState;

/// Height of the bar.
pub(super) const HEIGHT: f32 = 56.0;
/// Width of the choice of what is heard.
const CHOICE_WIDTH: f32 = 250.0;

/// The whole bar.
pub(super) fn transport_ui(ui: &mut Ui, state: &VoiceState, actions: &mut Vec<Action>) {
    ui.horizontal_centered(|ui| {
        ui.spacing_mut().item_spacing.x = theme::GAP;
        record_button_ui(ui, state.recording().is_some(), actions);
        if let Some(recording) = state.recording() {
            let (sign, text) =
                if recording.is_paused { (icon::PLAY, "Go on") } else { (icon::PAUSE, "Pause") };
            if wide_button(ui, sign, text, 88.0).clicked() {
                let command = StudioCommand::PauseRecording(!recording.is_paused);
                actions.push(Action::Studio(command));
            }
            return;
        }
        ui.add_enabled_ui(state.can_play(), |ui| {
            ui.spacing_mut().item_spacing.x = theme::GAP_SMALL;
            widgets::command_icon(ui, Command::GoToStart, false, actions);
            play_button_ui(ui, state.now.is_playing, actions);
        });
        time_ui(ui, state);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            let size = vec2(CHOICE_WIDTH.min(ui.available_width()), theme::ROW);
            let layout = egui::Layout::left_to_right(egui::Align::Center);
            ui.allocate_ui_with_layout(size, layout, |ui| {
                ui.add_enabled_ui(state.can_play(), |ui| choice_ui(ui, state, actions));
            });
        });
    });
}

/// A button with icon and text as high as the main ones.
fn wide_button(ui: &mut Ui, sign: &str, text: &str, width: f32) -> egui::Response {
    let sign = RichText::new(sign).size(theme::ICON);
    ui.add(Button::new((sign, text)).min_size(vec2(width, 34.0)).gap(7.0)).accessible_name(text)
}

/// Starts a recording or ends it.
pub(super) fn record_button_ui(ui: &mut Ui, is_recording: bool, actions: &mut Vec<Action>) {
    let (sign, text) = if is_recording { (icon::STOP, "Stop") } else { (icon::RECORD, "Record") };
    let sign = RichText::new(sign).size(theme::ICON).color(theme::BAD);
    let button = Button::new((sign, text)).min_size(vec2(96.0, 34.0)).gap(7.0);
    let button = ui.add(button).accessible_name(text);
    if button.clicked() {
        actions.push(Action::Run(Command::ToggleRecording));
    }
    button.on_hover_text(Command::ToggleRecording.tooltip_with_keys());
}

fn play_button_ui(ui: &mut Ui, is_playing: bool, actions: &mut Vec<Action>) {
    let (sign, text) = if is_playing { (icon::PAUSE, "Pause") } else { (icon::PLAY, "Play") };
    let button = widgets::primary_button(ui, sign, text, 88.0);
    if button.clicked() {
        actions.push(Action::Run(Command::TogglePlay));
    }
    button.on_hover_text(Command::TogglePlay.tooltip_with_keys());
}

fn time_ui(ui: &mut Ui, state: &VoiceState) {
    let Some(opened) = &state.opened else { return };
    ui.spacing_mut().item_spacing.x = 4.0;
    let position = time_text(state.position(), 0.1);
    ui.label(RichText::new(position).size(15.0).color(theme::TEXT_STRONG));
    ui.label(theme::weak(format!("/ {}", time_text(opened.seconds, 0.1))));
}

fn choice_ui(ui: &mut Ui, state: &VoiceState, actions: &mut Vec<Action>) {
    let tooltips = [Command::HearOriginal, Command::HearClean, Command::HearRemoved]
        .map(Command::tooltip_with_keys);
    let choices = [
        (Listening::Original, "Original", tooltips[0].as_str()),
        (Listening::Clean, "Clean", tooltips[1].as_str()),
        (Listening::Removed, "Removed", tooltips[2].as_str()),
    ];
    let mut listening = state.listening;
    if widgets::segments(ui, &mut listening, &choices) {
        actions.push(Action::Run(match listening {
            Listening::Original => Command::HearOriginal,
            Listening::Clean => Command::HearClean,
            Listening::Removed => Command::HearRemoved,
        }));
    }
}

/// The red dot of a recording under way; it blinks once a second unless that is paused.
pub(super) fn record_light_ui(ui: &mut Ui, is_paused: bool) {
    let (rect, _) = ui.allocate_exact_size(egui::Vec2::splat(12.0), egui::Sense::hover());
    let is_lit = is_paused || ui.input(|input| input.time).fract() < 0.6;
    let colour = match (is_paused, is_lit) {
        (true, _) => theme::WARN,
        (false, true) => theme::BAD,
        (false, false) => Color32::from_rgb(0x5A, 0x2C, 0x28),
    };
    ui.painter().circle_filled(rect.center(), 5.5, colour);
}
