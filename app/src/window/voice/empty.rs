//! What stands in the middle when no recording is open.

use eframe::egui::{self, RichText, Stroke, Ui, vec2};
use limpid_engine::studio::Microphone;

use super::super::command::Command;
use super::super::panels;
use super::super::state::Action;
use super::super::{icon, theme, widgets};
use super::state::{VoiceState, name_of};

/// The most microphones that are named.
const NAMED: usize = 3;

/// Nothing is open: what this is, and how sound comes in.
pub(super) fn empty_ui(ui: &mut Ui, state: &VoiceState, actions: &mut Vec<Action>) {
    let frame = egui::Rect::from_center_size(
        ui.max_rect().center(),
        vec2(520.0, 350.0).min(ui.max_rect().size() - vec2(32.0, 24.0)),
    );
    let outline = panels::rounded_outline(frame, 14.0);
    let stroke = Stroke::new(1.2, theme::OUTLINE);
    ui.painter().extend(egui::Shape::dashed_line(&outline, stroke, 7.0, 6.0));
    ui.scope_builder(egui::UiBuilder::new().max_rect(frame.shrink(24.0)), |ui| {
        ui.vertical_centered(|ui| {
            ui.add_space(frame.height() * 0.03);
            ui.label(RichText::new(icon::WAVEFORM).size(44.0).color(theme::ACCENT));
            ui.add_space(6.0);
            ui.label(
                RichText::new("Drop a recording here")
                    .family(theme::semibold())
                    .size(20.0)
                    .color(theme::TEXT_STRONG),
            );
            ui.add_space(2.0);
            ui.label(theme::weak(
                "See and hear the voice without the noise, then save. Several recordings go to \
                 the queue. The original is never changed, and nothing leaves this computer.",
            ));
            ui.add_space(14.0);
            ui.allocate_ui_with_layout(
                vec2(236.0, 36.0),
                egui::Layout::left_to_right(egui::Align::Center),
                |ui| {
                    let open = widgets::primary_button(ui, icon::FOLDER_OPEN, "Open…", 112.0);
                    if open.clicked() {
                        actions.push(Action::Run(Command::OpenFiles));
                    }
                    let sign = RichText::new(icon::RECORD).size(theme::ICON).color(theme::BAD);
                    let record = egui::Button::new((sign, "Record")).min_size(vec2(112.0, 34.0));
                    let record = ui.add(record.gap(7.0)).accessible_name("Record now");
                    if record.clicked() {
                        actions.push(Action::Run(Command::ToggleRecording));
                    }
                    record.on_hover_text(Command::ToggleRecording.tooltip_with_keys());
                },
            );
            ui.add_space(14.0);
            ui.label(theme::weak("WAV, FLAC, MP3, AAC, Ogg, Opus, and the sound of films"));
            ui.add_space(theme::GAP);
            microphones_ui(ui, state.devices.as_deref());
        });
    });
}

fn microphones_ui(ui: &mut Ui, devices: Option<&[Microphone]>) {
    let Some(devices) = devices else {
        ui.label(theme::weak("Looking for microphones…"));
        return;
    };
    if devices.is_empty() {
        ui.label(theme::weak("No microphone was found.").color(theme::WARN));
        return;
    }
    for device in devices.iter().take(NAMED) {
        let mut text = format!("{}  {}", icon::MICROPHONE, device.name);
        if device.is_default && devices.len() > 1 {
            text += " (default)";
        }
        let width = ui.available_width();
        let shown = widgets::elide_middle(ui, &text, &egui::TextStyle::Body, width);
        ui.label(RichText::new(shown).color(theme::TEXT)).on_hover_text(&device.format);
    }
    if devices.len() > NAMED {
        ui.label(theme::weak(format!("and {} more", devices.len() - NAMED)));
    }
}

/// The recording cannot be shown: why, in words.
pub(super) fn failure_ui(ui: &mut Ui, state: &VoiceState, actions: &mut Vec<Action>) {
    let Some((path, reason)) = &state.failure else { return };
    let rect = ui.max_rect();
    let width = 440.0_f32.min(rect.width() - 32.0);
    let middle = egui::Rect::from_center_size(rect.center(), vec2(width, 190.0));
    ui.scope_builder(egui::UiBuilder::new().max_rect(middle), |ui| {
        ui.vertical_centered(|ui| {
            ui.label(RichText::new(icon::WARNING_CIRCLE).size(34.0).color(theme::BAD));
            ui.add_space(4.0);
            let name = name_of(path);
            let style = egui::TextStyle::Heading;
            let name = widgets::elide_middle(ui, &name, &style, (width - 150.0).max(60.0));
            let name = if name.is_empty() { "The recording".into() } else { name };
            ui.label(theme::heading(format!("{name} cannot be opened")).size(15.0));
            ui.label(RichText::new(reason).color(theme::TEXT));
            ui.add_space(theme::GAP);
            widgets::command_button(ui, Command::OpenFiles, actions);
        });
    });
}

/// A recording is being opened.
pub(super) fn opening_ui(ui: &mut Ui, name: &str) {
    let rect = ui.max_rect();
    let size = vec2(440.0_f32.min(rect.width() - 32.0), 40.0);
    let middle = egui::Rect::from_center_size(rect.center(), size);
    ui.scope_builder(egui::UiBuilder::new().max_rect(middle), |ui| {
        ui.vertical_centered(|ui| {
            widgets::busy(ui, "Opening the recording");
            let shown = widgets::elide_middle(ui, name, &egui::TextStyle::Body, size.x - 90.0);
            ui.label(theme::weak(format!("Opening {shown}")));
        });
    });
}
