//! The small dialogs: shortcuts, about, a typed path, the name of a preset.

use eframe::egui::{self, Key, RichText, ScrollArea, TextEdit, Ui, vec2};

use super::super::command::{Command, Group, keys_text};
use super::super::state::{Action, PathPurpose};
use super::super::{icon, theme, widgets};

/// All keys, from the command table.
pub(crate) fn shortcuts_ui(ui: &mut Ui) {
    let height = (ui.ctx().content_rect().height() - 200.0).max(160.0);
    ScrollArea::vertical()
        .max_height(height)
        .min_scrolled_height(height)
        .auto_shrink([false, true])
        .show(ui, |ui| {
            ui.columns(2, |columns| {
                for group in Group::ALL {
                    let is_right = matches!(group, Group::View | Group::Queue | Group::Program);
                    let ui = &mut columns[usize::from(is_right)];
                    ui.label(theme::heading(group.title()));
                    for command in Command::ALL.into_iter().filter(|c| c.entry().group == group) {
                        let entry = command.entry();
                        let Some(shortcut) = entry.shortcut else { continue };
                        ui.horizontal(|ui| {
                            ui.label(RichText::new(entry.text)).on_hover_text(entry.tooltip);
                            ui.with_layout(
                                egui::Layout::right_to_left(egui::Align::Center),
                                |ui| {
                                    widgets::key_ui(ui, &keys_text(&shortcut));
                                },
                            );
                        });
                    }
                    let hands: &[(&str, &str)] = match group {
                        Group::View => &HANDS,
                        Group::Voice => &VOICE_HANDS,
                        _ => &[],
                    };
                    for (text, keys) in hands.iter().copied() {
                        ui.horizontal(|ui| {
                            ui.label(text);
                            ui.with_layout(
                                egui::Layout::right_to_left(egui::Align::Center),
                                |ui| widgets::key_ui(ui, keys),
                            );
                        });
                    }
                    ui.add_space(theme::GAP_LARGE);
                }
            });
        });
}

/// What the canvas answers besides the commands.
const HANDS: [(&str, &str); 4] = [
    ("See the original while held", "Space"),
    ("Zoom at the pointer", "Wheel"),
    ("Move the picture", "Drag"),
    ("Fit or 100 %", "Double-click"),
];

const VOICE_HANDS: [(&str, &str); 3] = [
    ("Move the play head", "Drag"),
    ("Move along the recording", "Wheel"),
    ("Zoom at the pointer", "Ctrl+Wheel"),
];

/// Name, version, licence.
pub(crate) fn about_ui(ui: &mut Ui) {
    ui.horizontal(|ui| {
        ui.label(RichText::new(icon::DROP).size(40.0).color(theme::ACCENT));
        ui.vertical(|ui| {
            ui.label(theme::heading("Limpid").size(19.0));
            ui.label(theme::weak(format!("Version {}", env!("CARGO_PKG_VERSION"))));
        });
    });
    ui.label("Makes photos and voices clear, on this computer. Nothing is uploaded, nothing is measured.");
    ui.label(theme::weak(
        "Program: MIT or Apache-2.0. Typeface Inter: SIL Open Font License. Icons by Phosphor: MIT. \
         The licence of each model stands on its card.",
    ));
}

/// A typed path, where there is no file dialog or one is faster with the keyboard.
pub(crate) fn path_dialog_ui(
    ui: &mut Ui,
    purpose: PathPurpose,
    text: &mut String,
    reason: Option<&str>,
    actions: &mut Vec<Action>,
) {
    if let Some(reason) = reason {
        ui.label(RichText::new(reason).color(theme::WARN));
    }
    let hint = match purpose {
        PathPurpose::OpenFiles => "/home/…/photo.jpg, or a folder",
        PathPurpose::OpenFolder => "/home/…/holiday",
        PathPurpose::OpenSounds => "/home/…/talk.wav",
        PathPurpose::SaveSound => "/home/…/talk-limpid.wav",
        PathPurpose::OutputFolder | PathPurpose::DefaultFolder | PathPurpose::SoundFolder => {
            "/home/…/clear"
        }
        PathPurpose::ImportPreset | PathPurpose::ExportPreset => "/home/…/recipe.toml",
        PathPurpose::ImportModel => "/home/…/model.safetensors",
    };
    let field = TextEdit::singleline(text)
        .hint_text(hint)
        .desired_width(f32::INFINITY)
        .margin(vec2(8.0, 6.0));
    let field = ui.add(field).accessible_name("Path");
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    if !field.has_focus() && !entered {
        field.request_focus();
    }
    let button = match purpose {
        PathPurpose::OpenFiles | PathPurpose::OpenFolder | PathPurpose::OpenSounds => "Open",
        PathPurpose::ExportPreset | PathPurpose::SaveSound => "Save",
        PathPurpose::ImportPreset | PathPurpose::ImportModel => "Import",
        PathPurpose::OutputFolder | PathPurpose::DefaultFolder | PathPurpose::SoundFolder => "Use",
    };
    if answer_row_ui(ui, icon::CHECK, button, !text.trim().is_empty(), actions)
        || entered && !text.trim().is_empty()
    {
        actions.push(Action::CloseDialog);
        actions.push(Action::Typed(purpose, text.trim().to_owned()));
    }
}

/// The name of a new preset.
pub(crate) fn save_preset_ui(
    ui: &mut Ui,
    name: &mut String,
    with_output: &mut bool,
    actions: &mut Vec<Action>,
) {
    let field = TextEdit::singleline(name)
        .hint_text("Night photos")
        .desired_width(f32::INFINITY)
        .char_limit(60)
        .margin(vec2(8.0, 6.0));
    let field = ui.add(field).accessible_name("Preset name");
    let entered = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
    if ui.memory(|memory| memory.focused().is_none()) && !entered {
        field.request_focus();
    }
    ui.checkbox(with_output, "Include format, folder and name of results");
    if answer_row_ui(ui, icon::FLOPPY_DISK, "Save", !name.trim().is_empty(), actions)
        || entered && !name.trim().is_empty()
    {
        actions.push(Action::CloseDialog);
        actions.push(Action::SavePreset { name: name.clone(), with_output: *with_output });
    }
}

/// Cancel, and the button that does it. Returns whether that was pressed.
fn answer_row_ui(
    ui: &mut Ui,
    sign: &str,
    text: &str,
    is_possible: bool,
    actions: &mut Vec<Action>,
) -> bool {
    ui.add_space(theme::GAP_SMALL);
    ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
        let done = ui
            .add_enabled_ui(is_possible, |ui| widgets::primary_button(ui, sign, text, 96.0))
            .inner
            .clicked();
        if ui.add(egui::Button::new("Cancel").min_size(vec2(84.0, 34.0))).clicked() {
            actions.push(Action::CloseDialog);
        }
        done
    })
    .inner
}
